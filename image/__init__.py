"""The operator's container image, made without a registry and without a container engine: `make image`."""
