"""A registry that sends a byte now and then, or endless heads: a socket's time-out never passes, but the pull must end."""

import contextlib
import http.server
import threading
import time
from collections.abc import Iterator

import pytest
from registry_server import MANIFEST, Registry, layer

from hera_utils.images import answers, download, pull, tokens, transport
from hera_utils.images.faults import RegistryUnreachable
from hera_utils.images.login import Logins
from hera_utils.images.reference import Reference
from hera_utils.images.registry import RegistryClient, RetryPolicy
from hera_utils.images.store import Store

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: " + MANIFEST.encode() + b"\r\n\r\n"


class Slow(http.server.ThreadingHTTPServer):
    """Answers every request with `answer`, until the client disconnects."""

    daemon_threads = True

    def __init__(self, first: bytes, then: bytes, pause: float) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.wfile.write(first)
                    while True:
                        self.wfile.write(then)
                        time.sleep(pause)

            do_GET = do_HEAD = do_POST = answer

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (answers, tokens, transport):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(download, "_CHUNK_SECONDS", 0.2)


@contextlib.contextmanager
def slow(first: bytes, then: bytes, pause: float = 0.02) -> Iterator[Slow]:
    with Slow(first, then, pause) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def client_of(host: str) -> RegistryClient:
    patience = RetryPolicy(attempts=2, first_pause=0.01, longest_pause=0.1, connect=5.0)
    return RegistryClient(host, Logins(), environ={}, patience=patience)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X: a\r\n"),
        (b"HTTP/1.1 200 ", b"O"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (HEAD, b"a"),
        (HEAD.replace(b"200 OK", b"500 Sorry"), b"a"),
    ],
    ids=["heads", "a status", "no last head", "a manifest", "a message"],
)
def test_what_comes_without_end_is_cut(first: bytes, then: bytes) -> None:
    with slow(first, then) as server, client_of(server.host) as client, pytest.raises(RegistryUnreachable):
        client.manifest(Reference.parse(f"{server.host}/group/tool:v1"))


def test_a_token() -> None:
    with slow(b"HTTP/1.1 200 OK\r\n\r\n", b"a") as server, Registry() as registry:
        registry.fail("/v2/", status=401, headers={"WWW-Authenticate": f'Bearer realm="http://{server.host}/t"'})
        with client_of(registry.host) as client, pytest.raises(RegistryUnreachable, match="no answer in time"):
            client.manifest(Reference.parse(f"{registry.host}/group/tool:v1"))


def test_a_layer(store: Store) -> None:
    """The deadline also holds when each read of the socket gives some bytes."""
    with Registry() as registry:
        registry.add_image("group/tool", "v1", [layer({"a": bytes(range(256)) * 4000}, compressed=False)])
        registry.fail("/blobs/", times=1000, bytes_per_second=70_000)
        reference = Reference.parse(f"{registry.host}/group/tool:v1")
        with pytest.raises(RegistryUnreachable, match="it sends too slowly"):
            pull.pull(reference, store, logins=Logins())
