"""The hosts that recorded cases ask for, on loopback: a web proxy that answers for them itself, and passes nothing on.

    hosts.py FOLDER [IMAGES]    FOLDER takes certificate.pem, credentials.json (the secret that the cases name) and, once it listens,
                                proxy (its address). IMAGES: what make_images.py made; the registries then serve it

The recordings were made beside stand-ins too: raw.githubusercontent.com, google.com and httpbin.org gave the answer below over TLS;
`httpbin:9100` was the go-httpbin that Argo's own tests run. The server under test reaches them as any server behind a firewall
reaches the world: by HTTP_PROXY, HTTPS_PROXY and the authorities of SSL_CERT_FILE.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import ssl
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

_HOSTS = ("raw.githubusercontent.com", "google.com", "httpbin.org")
_ANSWER = '{"swagger":"2.0","info":{"title":"google"}}'  # recorded as the result of every node that asked one of them
_REGISTRIES = ("registry-1.docker.io", "quay.io")
_SERVICE = "httpbin:9100"
_USER, _PASSWORD, _TOKEN = "admin", "password", "faketoken"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    context: ssl.SSLContext
    images: Path | None = None
    inside = ""  # the host to which this connection is a tunnel

    def do_CONNECT(self) -> None:
        host = self.path.partition(":")[0]
        if host not in _HOSTS + _REGISTRIES or (host in _REGISTRIES and self.images is None):
            self._say(502, f"{host} is not one of {', '.join(_HOSTS)}")
            return
        self.send_response(200)
        self.end_headers()
        self.connection = self.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.inside, self.close_connection = host, False

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        if self.inside in _REGISTRIES:
            self._serve_image(address.path)
        elif self.inside:
            found = re.fullmatch(r"/status/(\d{3})", address.path)
            self._say(int(found[1]) if found else 200, _ANSWER)
        elif address.netloc == _SERVICE:
            self._say(*self._service(address.path))
        else:
            self._say(502, f"{address.netloc} is not {_SERVICE}")

    do_POST = do_PUT = do_HEAD = do_GET

    def _serve_image(self, path: str) -> None:
        """A registry's answer: every tag that has no manifest of its own has the repository's."""
        assert self.images is not None
        found = re.fullmatch(r"/v2/(?:(.+)/(manifests|blobs)/([^/]+))?", path)
        if found is None:
            self._say(404, "")
            return
        repository, kind, reference = found.groups()
        if kind is None:
            self._say(200, "{}")
            return
        folder = self.images / repository
        places = [self.images / "blobs" / reference]
        if kind == "manifests":
            places = [folder / f"{reference}.json", folder / "_.json"]
            if reference.startswith("sha256:"):
                places = [one for one in folder.glob("*.json") if _digest(one) == reference]
        file = next((place for place in places if place.is_file()), None)
        if file is None:
            self._say(404, json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}))
            return
        self.send_response(200)
        self.send_header("Content-Length", str(file.stat().st_size))
        if kind == "manifests":
            self.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
            self.send_header("Docker-Content-Digest", _digest(file))
        self.end_headers()
        if self.command != "HEAD":
            with file.open("rb") as content:
                shutil.copyfileobj(content, self.wfile)

    def _service(self, path: str) -> tuple[int, str]:
        kind, _, rest = path.lstrip("/").partition("/")
        given = self.headers.get("Authorization") or ""
        if kind == "basic-auth":
            wanted = base64.b64encode(rest.replace("/", ":").encode()).decode()
            return (200, '{"authenticated": true}') if given == f"Basic {wanted}" else (401, "")
        if kind == "bearer":
            token = given.removeprefix("Bearer ")
            return (200, json.dumps({"authenticated": True, "token": token})) if token != given else (401, "")
        if kind == "base64":
            return 200, base64.b64decode(rest).decode()
        return (200, json.dumps({"url": self.path})) if kind in ("get", "post", "put") else (404, "")

    def _say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None: ...


def _digest(file: Path) -> str:
    return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for all the hosts that is its own authority, and its key."""
    found = folder / "certificate.pem", folder / "key.pem"
    names = ",".join(f"DNS:{host}" for host in _HOSTS + _REGISTRIES)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=conformance", "-addext", f"subjectAltName={names}"]
    subprocess.run([*command, "-out", str(found[0]), "-keyout", str(found[1])], check=True, capture_output=True)
    return found


def _credentials(certificate: Path, key: Path) -> dict[str, object]:
    token_form = base64.b64encode(f"access_token={_TOKEN}".encode()).decode()
    data = {
        "user": _USER,
        "pass": _PASSWORD,
        "clientID": _USER,
        "clientSecret": _PASSWORD,
        "tokenURL": f"http://{_SERVICE}/base64/{token_form}",
        "cert.pem": certificate.read_text(),
        "key.pem": key.read_text(),
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "my-httpbin-cred"}, "stringData": data}


def main(folder: Path, images: Path | None = None) -> None:
    certificate, key = _certificate(folder)
    (folder / "credentials.json").write_text(json.dumps(_credentials(certificate, key)))
    Handler.images = images
    Handler.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    Handler.context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    (folder / "starting").write_text(f"http://127.0.0.1:{server.server_port}\n")
    (folder / "starting").rename(folder / "proxy")  # it appears whole
    server.serve_forever()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
