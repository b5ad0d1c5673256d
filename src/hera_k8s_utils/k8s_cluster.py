"""`from hera_k8s_utils.k8s_cluster import k8s_cluster`, as scripts write it."""

from hera_utils.seed.k8s_cluster import k8s_cluster as k8s_cluster
