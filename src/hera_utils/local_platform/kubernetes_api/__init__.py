"""The part of Kubernetes' API that an experiment needs, over the same objects as Argo's API: `kubernetes.app.kubernetes_app`.

resources    which kinds there are, under which addresses, with which verbs
requests     an address → what is asked of which object
objects      get, list, create, update, patch, delete
patches      the four kinds of patches, as plain data
watching     list + watch with resource versions and bookmarks
pods, reviews, discovery, tables   what kubectl and the client libraries ask beside
"""
