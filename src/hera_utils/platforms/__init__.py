"""Where workflows run, seen from outside: the same for a cluster and for this machine.

In: settings. Out: a `Connection` (connection.py) and what speaks over it: argo_client.py (Argo's REST API), cluster.py
(Kubernetes), provision.py (what an experiment needs: difference, apply, release), volumes.py (files of a claim). Open first:
connect.py, where settings become a connection. This machine's own platform is the package local_platform, a server like any other.
"""
