"""An HTTP server on loopback for the time of a test."""

import contextlib
import threading
from http.server import ThreadingHTTPServer


@contextlib.contextmanager
def serve_http(handler, tls=None, **attributes):
    """A server with a `url`, and with other attributes that its handler reads or writes. tls: an SSLContext."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.url = f"http://127.0.0.1:{server.server_port}"
    vars(server).update(attributes)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    with serving(server):
        yield server


@contextlib.contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
