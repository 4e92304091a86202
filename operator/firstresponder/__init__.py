"""First Responder: a Kubernetes operator that takes the page first."""
