"""What the two API servers share: a connection comes in, checked and readable requests go out, and replies that may go on for hours.

tls_or_plain, certificate   one port for HTTP and HTTPS
credentials                 who may call, and whose process has the other end of a connection
http                        bounded bodies, replies that end when their client leaves
watch                       objects that change, coalesced for each watcher
"""
