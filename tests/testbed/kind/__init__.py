"""A real kind cluster on a machine without a registry: a Docker of our own, and a node image built here.

    with KindCluster.start(directory) as cluster:       # kind-config.yaml: a control plane and a worker
        cluster.load(archive); cluster.helm("install", …); cluster.kubectl("get", "pods", user=ALICE)

Docker, its bridges, the nodes and all that runs in them live in namespaces of one process: when it ends, the kernel
ends them all, and nothing of this machine's own network was changed. Where Docker and a registry can be reached,
`kind create cluster --config kind-config.yaml` is all there is to it, and nothing here is needed.

How a container becomes a node follows kind's own base image (Apache License 2.0, https://kind.sigs.k8s.io).
"""
