"""A real HTTP server for an ASGI application, on a free port of 127.0.0.1, for the duration of a test."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import requests
import uvicorn

from waiting import until

TOKEN = "s3cret-token"


class Api:
    """Calls a server with its token: `api("GET", "/api/v1/version")`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {TOKEN}"

    def __call__(self, method: str, path: str, body: object = None, **options: object) -> requests.Response:
        return self.session.request(method, self.url + path, json=body, timeout=10, **options)  # type: ignore[arg-type]


@contextlib.contextmanager
def served(app: Any, **options: Any) -> Iterator[str]:
    """Serves `app` and gives the server's base URL."""
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1, **options)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    until(lambda: server.started)
    scheme = "https" if options.get("ssl_certfile") else "http"
    try:
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(5)
        listener.close()
