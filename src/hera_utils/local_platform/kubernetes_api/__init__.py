"""The part of Kubernetes' API that an experiment needs, for the same objects as Argo's API. HTTP requests come in; objects go out.

A request is parsed into its verb and its target, then answered by the file of that verb. Open `app.py` first.

app.py, request.py   from HTTP to a verb on a resource, and back; protobuf.py: bodies in protobuf, which kubectl sends
objects.py           get, list, create, update, patch, delete; ownership.py: who owns which field (server-side apply)
watches.py, logs.py  streams: changes of objects, lines of a pod
reviews.py, discovery.py, tables.py   further requests of kubectl and the client libraries
"""
