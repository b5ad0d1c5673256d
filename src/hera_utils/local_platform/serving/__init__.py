"""What the two API servers share. Connections come in; checked requests reach the servers, and replies that may last hours go out.

Open `api.py` first.

api.py              the parts of both applications
http.py             bounded bodies, and replies that end when their client disconnects
credentials.py      who may call: Host and Origin, tokens, this user's own browser
watch.py            changes of objects, coalesced for each watcher
client_queue.py     which client's request is served next
latest.py           the text of a large workflow, built once for all watchers
tls_or_plain.py, certificate.py   one port for HTTP and HTTPS
"""
