"""The part of Kubernetes' API that an experiment needs, over the same objects as Argo's API. HTTP requests come in; objects go out.

A request is read into its verb and its target, then answered by the file of that verb. Open `app.py` first.

app.py, request.py   from HTTP to a verb on a resource, and back; protobuf.py: bodies that kubectl sends so
objects.py           get, list, create, update, patch, delete; ownership.py: who owns which field (server-side apply)
watches.py, logs.py  what goes on: changes of objects, lines of a pod
reviews.py, discovery.py, tables.py   what kubectl and the client libraries ask beside
"""
