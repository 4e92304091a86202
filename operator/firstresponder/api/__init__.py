"""The resources, one file a kind. The models are the source; `crds/` is generated from them."""
