"""Artifacts at web addresses: real servers, with TLS and client certificates, and the real platform."""

from __future__ import annotations

import base64
import datetime
import io
import ipaddress
import json
import ssl
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import toy_parts as toys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.pods.pod import web
from hera_utils.local_platform.pods.pod.errors import PodFault
from http_server import serve_http

SECRETS = {
    "user": "ada", "password": "pass:word", "id": "client id", "client-secret": "s3cr+t/=", "access-token": "unused",
}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    """Records the requests; the answer depends on the path."""

    def log_message(self, *_):
        pass

    def _answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        basic = "Basic " + base64.b64encode(b"ada:pass:word").decode()
        if self.path.startswith("/basic"):
            good = self.headers.get("Authorization") == basic
            self._answer(*((200, b"opened") if good else (401, b"")))
        elif self.path == "/bearer":
            good = self.headers.get("Authorization") == "Bearer token-1"
            self._answer(*((200, b"borne") if good else (401, b"")))
        elif self.path.startswith("/to/"):
            self._answer(302, Location=self.path.removeprefix("/to/"))
        elif self.path == "/round":
            self._answer(302, Location="/round")
        elif self.path == "/file":
            self._answer(302, Location="file:///etc/passwd")
        elif self.path == "/missing":
            self._answer(404)
        else:
            self._answer(200, json.dumps(dict(self.headers)).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.command, self.path, parse_qs(body.decode())))
        given = parse_qs(body.decode())
        if self.path == "/token" and "Authorization" in self.headers:
            # This server expects the client's credentials in the body.
            self._answer(401, b'{"error": "invalid_client"}')
        elif given.get("client_secret") == [SECRETS["client-secret"]]:
            self._answer(
                200, b'{"access_token": "token-1", "token_type": "bearer"}', **{"Content-Type": "application/json"}
            )
        else:
            self._answer(400, b'{"error": "invalid_client", "error_description": "who is that"}')

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        if self.path == "/webhdfs":
            self._answer(307, Location="/kept")
        elif self.path == "/refused":
            self._answer(403)
        else:
            self.server.kept[self.path] = body
            self._answer(201)


@pytest.fixture(scope="module")
def server():
    with serve_http(Handler, asked=[], kept={}) as server:
        yield server


@pytest.fixture(scope="module")
def url(server):
    return server.url


@pytest.fixture(scope="module")
def platform(tmp_path_factory, url):
    platform = LocalPlatform(tmp_path_factory.mktemp("web") / "state")
    data = {**SECRETS, "token-url": f"{url}/token"}
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
    platform.create("Secret", "default", {"metadata": {"name": "web"}, "data": encoded})
    yield platform
    platform.close()


def secret(key):
    return {"name": "web", "key": key}


BASIC = {"basicAuth": {"usernameSecret": secret("user"), "passwordSecret": secret("password")}}
OAUTH = {
    "oauth2": {
        "clientIDSecret": secret("id"), "clientSecretSecret": secret("client-secret"), "tokenURLSecret": secret("token-url"),
        "scopes": ["a", "b"], "endpointParams": [{"key": "audience", "value": "me"}],
    }
}  # fmt: skip


def run(platform, command, *, read=(), made=()):
    template = {"name": "main", "container": {"image": "busybox", "command": ["sh", "-c", command]}}
    template.update(inputs={"artifacts": list(read)}, outputs={"artifacts": list(made)})
    document = {"metadata": {"generateName": "web-"}, "spec": {"entrypoint": "main", "templates": [template]}}
    stored = platform.submit("default", document)
    last = toys.wait(platform, "default", stored.name, seconds=60)
    (node,) = last["status"]["nodes"].values()
    (pod,) = platform.pods("default", stored.name)
    lines = [line for _, line in platform.pod_log("default", pod.name, "main")] if node["phase"] == "Succeeded" else []
    return node, lines


def fetched(platform, http):
    return run(platform, "cat /in", read=[{"name": "in", "path": "/in", "http": http}])


def test_a_password_opens_it(platform, url):
    node, lines = fetched(platform, {"url": f"{url}/basic", "auth": BASIC})
    assert (node["phase"], lines) == ("Succeeded", ["opened"])


def test_a_token_is_asked_for_and_borne(platform, server, url):
    server.asked.clear()
    node, lines = fetched(platform, {"url": f"{url}/bearer", "auth": OAUTH})
    assert (node["phase"], lines) == ("Succeeded", ["borne"])
    asked = [given for method, _, given in server.asked if method == "POST"][-1]
    assert (asked["grant_type"], asked["scope"], asked["audience"]) == (["client_credentials"], ["a b"], ["me"])


def test_a_refusal_fails_the_task_and_tells_no_secret(platform, url):
    wrong = {"basicAuth": {"usernameSecret": secret("user"), "passwordSecret": secret("client-secret")}}
    node, _ = fetched(platform, {"url": f"{url}/basic", "auth": wrong})
    assert node["phase"] == "Error"
    assert f"loading content from {url}/basic failed with reason: 401 Unauthorized" in node["message"]
    assert SECRETS["client-secret"] not in json.dumps(node)


def test_a_missing_secret_keeps_the_pod_waiting_and_then_fails_it_with_the_fix(platform, url, monkeypatch):
    monkeypatch.setattr(platform._launcher, "_patience", 0.3)
    absent = {"basicAuth": {"usernameSecret": {"name": "absent", "key": "u"}, "passwordSecret": secret("password")}}
    template = {"name": "main", "container": {"image": "busybox", "command": ["true"]}}
    template["inputs"] = {"artifacts": [{"name": "in", "path": "/in", "http": {"url": f"{url}/basic", "auth": absent}}]}
    document = {"metadata": {"generateName": "web-"}, "spec": {"entrypoint": "main", "templates": [template]}}
    stored = platform.submit("default", document)
    (node,) = toys.wait(platform, "default", stored.name)["status"]["nodes"].values()
    assert 'secret "absent" not found: create it in namespace default' in node["message"]


def test_an_output_is_put_with_its_headers_and_follows_a_redirect(platform, server, url):
    def made(path):
        http = {"url": f"{url}{path}", "headers": [{"name": "X-One", "value": "1"}], "auth": BASIC}
        return {"name": "out", "path": "/tmp/out", "archive": {"none": {}}, "http": http}

    node, _ = run(platform, "echo made > /tmp/out", made=[made("/webhdfs")])
    assert node["phase"] == "Succeeded", node
    assert server.kept["/kept"] == b"made\n"
    headers = next(given for method, path, given in reversed(server.asked) if method == "PUT" and path == "/webhdfs")
    assert headers["X-One"] == "1"
    assert headers["Authorization"].startswith("Basic ")
    node, _ = run(platform, "echo made > /tmp/out", made=[made("/refused")])
    assert f"saving file /tmp/out to {url}/refused failed with reason: 403 Forbidden" in node["message"]


def test_artifactory_is_the_web_with_a_password(platform, server, url):
    auth = {"usernameSecret": secret("user"), "passwordSecret": secret("password")}
    made = {"name": "out", "path": "/tmp/out", "artifactory": {"url": f"{url}/basic/x.tgz", **auth}}
    node, _ = run(platform, "echo made > /tmp/out", made=[made])
    assert node["phase"] == "Succeeded", node
    assert server.kept["/basic/x.tgz"][:2] == b"\x1f\x8b"


def test_the_servers_download_asks_with_the_secrets_too(platform, url, tmp_path):
    made = {"name": "in", "path": "/in", "http": {"url": f"{url}/basic", "auth": BASIC}}
    node, _ = run(platform, "true", read=[made])
    workflow = node["name"]
    path = platform.artifact("default", workflow, node["id"], "in", output=False, folder=str(tmp_path))
    assert Path(path).read_text() == "opened"


@pytest.mark.parametrize(
    ("path", "said"), [("/round", "stopped after 10 redirects"), ("/file", "is not http or https")]
)
def test_redirects_end(url, tmp_path, path, said):
    with pytest.raises(PodFault, match=said):
        web.download({"kind": "http", "at": {"url": url + path}}, str(tmp_path / "x"))


def test_what_is_not_there_is_said_to_be_missing(url, tmp_path):
    with pytest.raises(FileNotFoundError):
        web.download({"kind": "http", "at": {"url": f"{url}/missing"}}, str(tmp_path / "x"))


def test_a_closed_port_is_told_as_go_does(tmp_path):
    closed = {"kind": "http", "at": {"url": "http://127.0.0.1:1/x"}}
    with pytest.raises(PodFault) as fault:
        web.download(closed, str(tmp_path / "got"))
    assert str(fault.value) == 'Get "http://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused'


def test_another_host_never_learns_the_password(server, url, tmp_path):
    with serve_http(Handler, asked=[]) as other:
        at = {"url": f"{url}/to/{other.url}/echo", "auth": BASIC}
        held = {"auth.basicAuth.usernameSecret": "ada", "auth.basicAuth.passwordSecret": "pass:word"}
        web.download({"kind": "http", "at": at, "secrets": held}, str(tmp_path / "x"))
        assert "Authorization" in server.asked[-1][2]
        assert "Authorization" not in other.asked[-1][2]


def test_proxies_are_those_of_the_environment(server, url, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", url)
    web.download({"kind": "http", "at": {"url": "http://somewhere.test/x"}}, str(tmp_path / "x"))
    assert server.asked[-1][1] == "http://somewhere.test/x"


def test_a_client_certificate_is_shown(tmp_path, monkeypatch):
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    auth = {"clientCert": {"clientCertSecret": {"name": "c", "key": "c"}, "clientKeySecret": {"name": "c", "key": "k"}}}
    held = {
        "auth.clientCert.clientCertSecret": certificate.read_text(),
        "auth.clientCert.clientKeySecret": key.read_text(),
    }
    with serve_http(Handler, context, asked=[]) as server:
        place = {"kind": "http", "at": {"url": f"https://127.0.0.1:{server.server_port}/x", "auth": auth}}
        web.download({**place, "secrets": held}, str(tmp_path / "x"))
        assert "Host" in json.loads((tmp_path / "x").read_text())
        with pytest.raises(PodFault):
            web.download({"kind": "http", "at": {"url": place["at"]["url"]}}, str(tmp_path / "x"))
        with pytest.raises(PodFault, match="failed to read the client certificate"):
            web.download({**place, "secrets": dict.fromkeys(held, "no certificate")}, str(tmp_path / "x"))


def _certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(built.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths[1].write_bytes(key.private_bytes(*plain))
    return paths


def test_a_password_that_was_asked_for_with_tls_is_not_sent_without(tmp_path, monkeypatch):
    """http and https on their default ports have the same host in their URLs."""
    told = []

    class Answer(io.BytesIO):
        def __init__(self, status, **headers):
            super().__init__(b"body")
            self.status, self.reason, self.headers = status, "", headers

    class Opener:
        def open(self, request, timeout):
            told.append((request.full_url, "Authorization" in request.unredirected_hdrs))
            return Answer(200) if len(told) > 1 else Answer(302, Location="http://store.example/x")

    monkeypatch.setattr(web, "_opener", lambda place, url: Opener())
    held = {"auth.basicAuth.usernameSecret": "ada", "auth.basicAuth.passwordSecret": "pass:word"}
    web.download(
        {"kind": "http", "at": {"url": "https://store.example/x", "auth": BASIC}, "secrets": held}, str(tmp_path / "x")
    )
    assert told == [("https://store.example/x", True), ("http://store.example/x", False)]
