"""A registry of container images on loopback, as in the OCI distribution specification, that can also fail on demand.

    with Registry() as registry:
        registry.add_image("tools/hello", "v1", [layer({"hello.txt": "hello"})], config={"Cmd": ["cat", "/hello.txt"]})
        Reference.parse(f"{registry.host}/tools/hello:v1")

`login="basic"` or `"bearer"` requires one of `users`; `redirect=True` redirects blobs to a second server on another port, which refuses
requests with a token, as object stores do. `fail(…)` plants a fault; `requests` lists all requests.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import ssl
import tarfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from hera_utils.digests import sha256_of

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_CHUNK = 1 << 16


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def layer(files: Mapping[str, str | bytes | tarfile.TarInfo], *, compressed: bool = True) -> bytes:
    """A layer's tar from {path: content}; a path that ends in `/` is a folder; a TarInfo is used as it is (links, devices, modes)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(path.rstrip("/"))
            entry.mode = 0o755
            if path.endswith("/"):
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
            else:
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), compresslevel=1, mtime=0) if compressed else buffer.getvalue()


@dataclass
class Request:
    """A client's request."""

    method: str
    path: str
    headers: dict[str, str]
    server: str = "registry"  # or "store", which holds the blobs that are redirected to

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Fault:
    """A fault of the next `times` requests whose path matches. See Registry.fail."""

    path: re.Pattern[str]
    times: int
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: int | None = None
    truncate_to: int | None = None
    corrupt: bool = False
    ignore_range: bool = False
    bytes_per_second: int = 0
    wait_for: threading.Barrier | None = None
    method: str = ""


class Registry:
    """Serves until the `with` block ends. host: the part before the repository in an image's name."""

    def __init__(
        self,
        *,
        login: str = "",
        users: Mapping[str, str] | None = None,
        public: bool = False,
        redirect: bool = False,
        certificate: tuple[Path, Path] | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        """login: "", "basic" or "bearer". users: name → password. public: everybody gets bearer tokens for reading.

        certificate: the files of a certificate and its key, to serve with TLS.
        """
        self.login, self.users, self.public = login, dict(users or {}), public
        self.blobs: dict[str, bytes | Path] = {}
        # (repository, tag or digest) → (media type, content).
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.tokens: dict[str, str] = {}  # token → scope
        self.forbidden: set[str] = set()  # users with a valid token who may not pull: 403
        self._users_of_tokens: dict[str, str] = {}
        # Identity token, which `docker login` keeps instead of a password → user.
        self.identity_tokens: dict[str, str] = {}
        self.token_seconds = 300.0
        self.digest_header = True
        self.leads_to = ""  # the URL of another registry to which each request is redirected
        self._lock = threading.Lock()
        self._server = _server(self, _RegistryHandler, address, certificate)
        self._store = _server(self, _StoreHandler, address, certificate) if redirect else None
        self._scheme = "https" if certificate else "http"

    @property
    def host(self) -> str:
        return f"{self._server.server_address[0]}:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self.host}"

    def __enter__(self) -> Registry:
        for server in filter(None, (self._server, self._store)):
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in filter(None, (self._server, self._store)):
            server.shutdown()
            server.server_close()

    # content

    def add_blob(self, content: bytes | Path) -> tuple[str, int]:
        """Returns digest and size. A Path is read piece by piece at each request, for blobs that are too large for memory."""
        if isinstance(content, bytes):
            digest, size = sha256(content), len(content)
        else:
            digest, size = f"sha256:{sha256_of(content)}", content.stat().st_size
        self.blobs[digest] = content
        return digest, size

    def add_image(
        self,
        repository: str,
        tag: str,
        layers: list[bytes | Path],
        *,
        config: Mapping[str, object] | None = None,
        platform: str = "linux/amd64",
        docker: bool = False,
    ) -> str:
        """Returns the digest of a manifest with these layers. config: Cmd, Entrypoint, Env, User, WorkingDir, Labels. tag: "" for none.

        platform: system/architecture[/variant]. docker: with Docker's media types, else those of the OCI.
        """
        system, architecture, *variant = platform.split("/")
        descriptors, contents = [], []
        for content in layers:
            digest, size = self.add_blob(content)
            plain = isinstance(content, bytes) and content[:2] != b"\x1f\x8b"
            kind = LAYER.removesuffix("+gzip") if plain else DOCKER_LAYER if docker else LAYER
            descriptors.append({"mediaType": kind, "digest": digest, "size": size})
            contents.append(_uncompressed_digest(content))
        image = {
            "os": system,
            "architecture": architecture,
            **({"variant": variant[0]} if variant else {}),
            "config": dict(config or {}),
            "rootfs": {"type": "layers", "diff_ids": contents},
        }
        digest, size = self.add_blob(json.dumps(image).encode())
        kind = DOCKER_MANIFEST if docker else MANIFEST
        document = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {"mediaType": DOCKER_CONFIG if docker else CONFIG, "digest": digest, "size": size},
            "layers": descriptors,
        }
        return self.add_manifest(repository, tag, kind, json.dumps(document).encode())

    def add_index(self, repository: str, tag: str, images: Mapping[str, str], *, docker: bool = False) -> str:
        """Returns the digest of an index. images: platform → digest of a manifest from add_image; "unknown/unknown" for an attestation."""
        entries = []
        for platform, digest in images.items():
            kind, content = self.manifests[repository, digest]
            system, architecture, *variant = platform.split("/")
            described = {"os": system, "architecture": architecture} | ({"variant": variant[0]} if variant else {})
            entries.append({"mediaType": kind, "digest": digest, "size": len(content), "platform": described})
        kind = DOCKER_INDEX if docker else INDEX
        document = {"schemaVersion": 2, "mediaType": kind, "manifests": entries}
        return self.add_manifest(repository, tag, kind, json.dumps(document).encode())

    def add_manifest(self, repository: str, tag: str, media_type: str, content: bytes) -> str:
        digest = sha256(content)
        for name in filter(None, (digest, tag)):
            self.manifests[repository, name] = (media_type, content)
        return digest

    # faults and requests

    def fail(self, path: str, *, times: int = 1, **fault: object) -> None:
        """Make the next `times` requests whose path matches the pattern fail (-1: all of them), by one or several of:

        status, headers, body: this answer. cut_after: the connection ends after so many bytes of the body. truncate_to: a shorter body
        that looks complete. corrupt: one bit is wrong. ignore_range: the whole body instead of the part. bytes_per_second: a slow body.
        wait_for: the body is sent when so many requests wait for one. method: only requests with this method.
        """
        self.faults.append(Fault(re.compile(path), times, **fault))  # type: ignore[arg-type]

    def fault_of(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.times and fault.path.search(path) and fault.method in ("", method):
                    fault.times -= 1
                    return fault
        return None

    def asked(self, text: str = "") -> list[Request]:
        """The requests whose method and path contain the text."""
        return [request for request in self.requests if text in str(request)]

    def revoke_tokens(self) -> None:
        self.tokens.clear()

    def may_pull(self, token: str) -> bool:
        return self._users_of_tokens.get(token) not in self.forbidden

    def new_token(self, scope: str, user: str = "") -> str:
        token = (
            f"token-{len(self.requests)}-{base64.urlsafe_b64encode(hashlib.sha256(scope.encode()).digest()).decode()}"
        )
        self.tokens[token] = scope
        self._users_of_tokens[token] = user
        return token

    @property
    def store_url(self) -> str:
        assert self._store is not None
        return f"{self._scheme}://{self._store.server_address[0]}:{self._store.server_address[1]}"

    @property
    def redirects(self) -> bool:
        return self._store is not None


def _uncompressed_digest(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return sha256(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
    digest = hashlib.sha256()
    with content.open("rb") as file:
        packed = file.peek(2)[:2] == b"\x1f\x8b"
    with gzip.open(content) if packed else content.open("rb") as source:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: the traceback of a client that has disconnected appeared in the output of another test."""


def _server(
    registry: Registry, handler: type[_Handler], address: str, certificate: tuple[Path, Path] | None
) -> ThreadingHTTPServer:
    server = _Server((address, 0), type(handler.__name__, (handler,), {"registry": registry}))
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


class _Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"
    name = "registry"
    timeout = 30

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the client refuses the certificate, or was killed
            self.close_connection = True

    def do_GET(self) -> None:
        self.registry.requests.append(Request(self.command, self.path, dict(self.headers), self.name))
        fault = self.registry.fault_of(self.command, self.path)
        if fault and fault.status:
            self.answer(fault.status, fault.body, dict(fault.headers))
            return
        self.fault = fault
        self.serve()

    do_HEAD = do_GET

    def serve(self) -> None:
        raise NotImplementedError

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer(status, body, {"Content-Type": "application/json", **(headers or {})})

    def send_content(self, content: bytes | Path, headers: Mapping[str, str]) -> None:
        """Send the content, or the requested range, changed by a planted fault."""
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        fault = self.fault or Fault(re.compile(""), 0)
        start, status = 0, 200
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and not fault.ignore_range:
            start, status = int(wanted[1]), 206
            if start >= size:
                self.answer(416, b"", {"Content-Range": f"bytes */{size}"})
                return
        end = size if fault.truncate_to is None else min(size, start + fault.truncate_to)
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if self.command != "HEAD":
            self._send_part(content, start, end, fault)

    def _send_part(self, content: bytes | Path, start: int, end: int, fault: Fault) -> None:
        stop = end if fault.cut_after is None else min(end, start + fault.cut_after)
        source = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
        if fault.wait_for:
            fault.wait_for.wait()
        with source:
            source.seek(start)
            position = start
            while position < stop:
                chunk = source.read(min(_CHUNK, stop - position))
                if fault.corrupt and position == start:
                    chunk = bytes([chunk[0] ^ 1]) + chunk[1:]
                self.wfile.write(chunk)
                position += len(chunk)
                if fault.bytes_per_second:
                    time.sleep(len(chunk) / fault.bytes_per_second)
        if stop < end:
            self.wfile.flush()
            self.close_connection = True


class _RegistryHandler(_Handler):
    def serve(self) -> None:
        path = urlsplit(self.path).path
        if path == "/token":
            self._give_token()
        elif self.registry.leads_to:
            self.answer(307, b"", {"Location": self.registry.leads_to + self.path})
        elif path == "/v2/":
            if self._let_in(""):
                self.answer(200, b"{}")
        elif found := re.fullmatch(r"/v2/(.+)/(manifests|blobs)/([^/]+)", path):
            repository, kind, name = found.groups()
            if self._let_in(repository):
                (self._manifest if kind == "manifests" else self._blob)(repository, name)
        else:
            self.error(404, "UNSUPPORTED", "no such page")

    def do_POST(self) -> None:
        self.registry.requests.append(Request("POST", self.path, dict(self.headers)))
        fault = self.registry.fault_of("POST", self.path)
        if fault and fault.status:
            self.answer(fault.status, fault.body, dict(fault.headers))
            self.close_connection = True
            return
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        user = self.registry.identity_tokens.get(form.get("refresh_token", [""])[0])
        if urlsplit(self.path).path != "/token" or user is None:
            self.error(401, "UNAUTHORIZED", "incorrect username or password")
            return
        body = {
            "access_token": self.registry.new_token(form.get("scope", [""])[0]),
            "expires_in": self.registry.token_seconds,
        }
        self.answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _basic_user(self) -> str | None:
        """The user that an Authorization header proves; "" without a header, None when it is wrong."""
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if not kind:
            return ""
        user, _, password = base64.b64decode(value).decode().partition(":") if kind == "Basic" else ("", "", "")
        return user if user and self.registry.users.get(user) == password else None

    def _give_token(self) -> None:
        user = self._basic_user()
        if user is None or (not user and not self.registry.public):
            self.error(401, "UNAUTHORIZED", "incorrect username or password")
            return
        scope = parse_qs(urlsplit(self.path).query).get("scope", [""])[0]
        body = {"token": self.registry.new_token(scope, user), "expires_in": self.registry.token_seconds}
        self.send_content(json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _let_in(self, repository: str) -> bool:
        """Whether this request may read; if not, answer 401 with the address of the token server."""
        if self.registry.login == "basic":
            if self._basic_user():
                return True
            challenge = 'Basic realm="Registry"'
        elif self.registry.login == "bearer":
            kind, _, token = self.headers.get("Authorization", "").partition(" ")
            scope = f"repository:{repository}:pull"
            if kind == "Bearer" and token in self.registry.tokens and self.registry.tokens[token] in (scope, ""):
                if self.registry.may_pull(token):
                    return True
                self.error(403, "DENIED", "requested access to the resource is denied")
                return False
            challenge = f'Bearer realm="{self.registry.url}/token",service="registry.test"'
            challenge += f',scope="{scope}"' if repository else ""
        else:
            return True
        self.error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})
        return False

    def _manifest(self, repository: str, name: str) -> None:
        media_type, content = self.registry.manifests.get((repository, name), ("", b""))
        if not content:
            known = any(name == repository for name, _ in self.registry.manifests)
            code = "MANIFEST_UNKNOWN" if known else "NAME_UNKNOWN"
            self.error(404, code, "manifest unknown" if known else "repository name not known to registry")
            return
        digest = {"Docker-Content-Digest": sha256(content)} if self.registry.digest_header else {}
        self.send_content(content, {"Content-Type": media_type, **digest})

    def _blob(self, repository: str, digest: str) -> None:
        content = self.registry.blobs.get(digest)
        if content is None:
            self.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        elif self.registry.redirects:
            self.answer(307, b"", {"Location": f"{self.registry.store_url}/store/{digest}?signature=0815"})
        else:
            self.send_content(content, {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest})


class _StoreHandler(_Handler):
    """The server that blobs are redirected to: it accepts a signature in the URL, and refuses any other credentials."""

    name = "store"

    def serve(self) -> None:
        address = urlsplit(self.path)
        content = self.registry.blobs.get(address.path.removeprefix("/store/"))
        if "Authorization" in self.headers:
            self.answer(
                400, b"<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>"
            )
        elif content is None or address.query != "signature=0815":
            self.answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        else:
            self.send_content(content, {"Content-Type": "application/octet-stream"})
