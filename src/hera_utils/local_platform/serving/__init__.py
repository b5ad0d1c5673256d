"""What the two API servers share. Connections come in; checked requests go on to them, and replies that may go on for hours go out.

Open `http.py` first.

http.py             bounded bodies, and replies that end when their client leaves
credentials.py      who may call: Host and Origin, tokens, this user's own browser
watch.py            objects that change, coalesced for each watcher
client_queue.py     whose request is served next
latest.py           the text of a large workflow, put together once for all of them
tls_or_plain.py, certificate.py   one port for HTTP and HTTPS
"""
