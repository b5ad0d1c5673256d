"""What lies on the way to an Argo server, and what it wants to see: proxies, client certificates, authorities; tokens of every source."""

import http.client
import json
import select
import socket
import ssl
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hera_utils.errors import AccessError, SettingsError
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.connect import connect
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.hera_binding import bind_hera
from hera_utils.platforms.token import expiry
from hera_utils.platforms.token_sources import CommandToken, FileToken
from hera_utils.settings.sources import Surroundings, read_settings
from http_server import serve_http

TOKEN = "planted-token-9c1e"
VERSION = "/api/v1/version"


@pytest.fixture
def settings(tmp_path):
    def made(**flags):
        return read_settings(flags, around=Surroundings(environ={}, directory=tmp_path, home=tmp_path))

    return made


# --- proxies ------------------------------------------------------------------------------------------------------------


class Relay(BaseHTTPRequestHandler):
    """An HTTP proxy that forwards plain requests, tunnels by CONNECT, and asks for its password if it has one."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def admitted(self):
        self.server.seen.append((self.command, self.path))
        if self.server.password in (None, self.headers.get("Proxy-Authorization")):
            return True
        self.send_response(407)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def do_GET(self):
        if not self.admitted():
            return
        host, _, path = self.path.removeprefix("http://").partition("/")
        there = http.client.HTTPConnection(host)
        there.request(
            "GET", "/" + path, headers={name: value for name, value in self.headers.items() if name != "Host"}
        )
        reply = there.getresponse()
        text = reply.read()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.headers["Content-Type"])
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.command, self.path))
        self.send_response(501)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_CONNECT(self):
        if not self.admitted():
            return
        host, _, port = self.path.partition(":")
        there = socket.create_connection((host, int(port)))
        self.send_response(200)
        self.end_headers()
        ends = [self.connection, there]
        while True:
            for one in select.select(ends, [], [])[0]:
                data = one.recv(65536)
                if not data:
                    there.close()
                    self.close_connection = True
                    return
                ends[1 - ends.index(one)].sendall(data)


@pytest.fixture
def relay():
    with serve_http(Relay, seen=[], password=None) as server:
        yield server


@pytest.fixture
def elsewhere(double):
    """A server that is not this machine's own platform, so that proxies lead to it."""
    double.on("GET", VERSION, {"version": "v4.1.2"})
    return replace(
        double.connection, argo_server=double.url.replace("127.0.0.1", "127.0.0.9").replace("127.0.0.9", "127.0.0.1")
    )


@pytest.fixture(autouse=True)
def _no_proxies_of_this_machine(monkeypatch):
    for word in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(word, raising=False)
        monkeypatch.delenv(word.upper(), raising=False)


@pytest.mark.parametrize("by", ["setting", "environment"])
def test_a_proxy_leads_there(relay, elsewhere, monkeypatch, by):
    if by == "environment":
        monkeypatch.setenv("HTTP_PROXY", relay.url)
        monkeypatch.setenv("http_proxy", relay.url)
    else:
        elsewhere = replace(elsewhere, proxy=relay.url)
    with ArgoClient(elsewhere) as client:
        assert client.version() == "v4.1.2"
    assert relay.seen == [("GET", elsewhere.argo_server + VERSION)]
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    monkeypatch.setenv("no_proxy", "127.0.0.0/8")
    with ArgoClient(elsewhere) as client:
        assert client.version() == "v4.1.2"
    assert len(relay.seen) == 1


def test_a_proxys_password_is_sent_and_never_told(relay, elsewhere):
    relay.password = "Basic bWU6cGxhbnRlZC05YzFl"  # me:planted-9c1e
    named = relay.url.replace("://", "://me:planted-9c1e@")
    with ArgoClient(replace(elsewhere, proxy=named)) as client:
        assert client.version() == "v4.1.2"
    broken = "http://me:planted-9c1e@127.0.0.1:9"
    with ArgoClient(replace(elsewhere, proxy=broken)) as client, pytest.raises(AccessError) as caught:
        client.version()
    assert "the HTTP proxy http://127.0.0.1:9 does not lead to" in str(caught.value)
    assert "planted" not in f"{caught.value} {caught.value.fix} {replace(elsewhere, proxy=broken)!r}"


def test_a_tunnel_and_this_machine_need_no_proxy(elsewhere, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with ArgoClient(replace(elsewhere, tunnel=object())) as client:
        assert client.version() == "v4.1.2"


def test_hera_goes_by_the_proxy_of_the_settings(relay, elsewhere):
    from hera.workflows import Container, Workflow

    where = f"{elsewhere.argo_server}/api/v1/workflows/lyon"
    with bind_hera(replace(elsewhere, proxy=relay.url)):
        with Workflow(generate_name="a-", entrypoint="c") as workflow:
            Container(name="c", image="alpine:3", command=["true"])
        with pytest.raises(Exception, match="501|Not Implemented|NotImplemented|Expecting value"):
            workflow.create()
    assert relay.seen == [("POST", where)]


def test_a_cluster_and_its_tunnel_go_by_the_proxy(place, relay, settings, tmp_path):
    """TLS through CONNECT, for what is asked and for the websocket; the kubeconfig's own proxy wins over the setting's."""
    import yaml

    document = yaml.safe_load(place.kubeconfig().read_text())
    document["clusters"][0]["cluster"]["proxy-url"] = relay.url
    (tmp_path / "config").write_text(yaml.safe_dump(document))
    flags = {"platform": "remote", "k8s_context": "researcher-token", "proxy": "http://127.0.0.1:9"}
    context = settings(k8s_config_file=str(tmp_path / "config"), **flags)
    context.argo_base_href = "argo"
    connection = connect(context)
    assert {command for command, _ in relay.seen} == {"CONNECT"}
    before = len(relay.seen)
    with ArgoClient(connection) as client:
        assert client.list() == []
    assert len(relay.seen) > before
    assert Cluster(connection).exists("ConfigMap", "cluster")


# --- TLS ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    """The files, by name, of an authority, a server's certificate for 127.0.0.1 and a client's certificate."""
    folder = tmp_path_factory.mktemp("papers")
    now = datetime.now(timezone.utc)

    def signed(name, issuer=None, *, days=1, host=None):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
        builder = builder.issuer_name(issuer[0].subject if issuer else subject).serial_number(
            x509.random_serial_number()
        )
        builder = builder.not_valid_before(now - timedelta(days=9)).not_valid_after(now + timedelta(days=days))
        builder = builder.add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        if host:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False
            )
        made = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
        (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return made, key

    authority = signed("authority")
    for name, days, host in (
        ("server", 1, "127.0.0.1"),
        ("old", -1, "127.0.0.1"),
        ("other", 1, "10.9.8.7"),
        ("me", 1, None),
    ):
        signed(name, authority, days=days, host=host)
    signed("stranger")
    return folder


@pytest.fixture
def secure(double, papers):
    """Makes the double use TLS; returns a connection to it. client: whether it requires a client certificate."""

    def made(certificate="server", *, client=False, **more):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(papers / f"{certificate}.pem", papers / f"{certificate}.key")
        if client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(papers / "authority.pem")
        double.socket = context.wrap_socket(double.socket, server_side=True)
        double.on("GET", VERSION, {"version": "v4.1.2"})
        url = double.url.replace("http://", "https://")
        return Connection(url, namespace="lyon", token=TOKEN, **{"ca_file": str(papers / "authority.pem"), **more})

    return made


def refused(connection):
    with ArgoClient(connection) as client, pytest.raises((AccessError, SettingsError)) as caught:
        client.version()
    assert TOKEN not in f"{caught.value} {caught.value.fix}"
    return f"{caught.value}", caught.value.fix


def test_ones_own_authority(secure):
    with ArgoClient(secure()) as client:
        assert client.version() == "v4.1.2"


@pytest.mark.parametrize(
    ("certificate", "sentence", "fix"),
    [
        ("old", "has expired", "clock"),
        ("other", "is not for `127.0.0.1`", "--no_verify_tls"),
        ("stranger", "is not trusted by", "--ca_file"),
    ],
)
def test_certificates_that_are_not_good(secure, papers, certificate, sentence, fix):
    said, told = refused(secure(certificate))
    assert sentence in said
    assert fix in told
    if certificate == "stranger":
        assert str(papers / "authority.pem") in said


def test_a_variable_does_not_win_over_what_was_said(secure, monkeypatch):
    connection = secure()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    with ArgoClient(connection) as client:
        assert client.version() == "v4.1.2"
    with ArgoClient(replace(connection, ca_file=None, verify_tls=False)) as client:
        assert client.version() == "v4.1.2"


def test_a_client_certificate(secure, papers):
    connection = secure(client=True)
    pair = (str(papers / "me.pem"), str(papers / "me.key"))
    with ArgoClient(replace(connection, client_certificate=pair)) as client:
        assert client.version() == "v4.1.2"
    said, fix = refused(connection)
    assert "requires a client certificate" in said or "closed without an answer" in said, said
    mixed = (str(papers / "me.pem"), str(papers / "server.key"))
    said, fix = refused(replace(connection, client_certificate=mixed))
    assert "cannot be used" in said
    assert "--client_key" in fix


def test_certificates_of_the_settings(settings, papers, tmp_path):
    flags = {"argo_server": "a.example", "client_certificate": str(papers / "me.pem")}
    assert connect(settings(**flags)).client_certificate == (str(papers / "me.pem"), str(papers / "me.pem"))
    both = connect(settings(client_key=str(papers / "me.key"), **flags))
    assert both.client_certificate == (str(papers / "me.pem"), str(papers / "me.key"))
    with pytest.raises(SettingsError, match="without a client_certificate"):
        connect(settings(argo_server="a.example", client_key=str(papers / "me.key")))


# --- tokens -------------------------------------------------------------------------------------------------------------


def test_a_file_is_read_again_when_it_changes(tmp_path):
    path = tmp_path / "token"
    source = FileToken(str(path), "flag --argo_token_file")
    with pytest.raises(AccessError, match=r"cannot be read: no such file or directory .flag --argo_token_file"):
        source()
    path.write_text(f"Bearer {TOKEN}\n")
    assert source() == TOKEN
    path.write_text("other")
    assert source() == "other"
    path.write_text("\n")
    with pytest.raises(AccessError, match="is empty"):
        source()


def test_a_command_is_run_when_it_has_to_be(tmp_path):
    counted = tmp_path / "counted"
    program = tmp_path / "token.py"
    program.write_text(f"open({str(counted)!r}, 'a').write('x'); print('Bearer {TOKEN}')")
    source = CommandToken(f"'{sys.executable}' {program}", "variable X")
    assert [source(), source()] == [TOKEN, TOKEN]
    assert counted.read_text() == "x"
    assert source.forget()
    assert source() == TOKEN
    assert counted.read_text() == "xx"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("no-such-program --password planted-9c1e", "no such file"),
        ("false planted-9c1e", "ended with status 1"),
        ("true planted-9c1e", "one line"),
        ("printf 'planted-9c1e\\nplanted'", "one line"),
        ("sh -c 'echo planted-9c1e; exit 3'", "ended with status 3"),
    ],
)
def test_a_command_that_gives_none(command, why):
    with pytest.raises(AccessError, match=why) as caught:
        CommandToken(command, "variable X")()
    assert "planted" not in f"{caught.value} {caught.value.fix}"
    with pytest.raises(SettingsError, match="is not a command"):
        CommandToken("'unclosed", "variable X")


def test_the_keyring(tmp_path, settings, monkeypatch):
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend

    class Held(KeyringBackend):
        priority = 1

        def get_password(self, service, username):
            return {("argo", "me"): f"Bearer {TOKEN}"}.get((service, username))

        set_password = delete_password = None

    before = keyring.get_keyring()
    keyring.set_keyring(Held())
    try:
        connection = connect(settings(argo_server="a.example", argo_token_keyring="argo/me"))
        assert connection.current_token() == TOKEN
        assert TOKEN not in repr(connection)
        with pytest.raises(AccessError, match="the keyring has no token `argo/token`") as caught:
            connect(settings(argo_server="a.example", argo_token_keyring="argo")).current_token()
        assert caught.value.fix == "keyring set argo token"
    finally:
        keyring.set_keyring(before)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SettingsError, match="library is not installed") as caught:
        connect(settings(argo_server="a.example", argo_token_keyring="argo/me")).current_token()
    assert caught.value.fix == "pip install 'hera_utils[keyring]'"


@pytest.mark.parametrize("token", ["eyJhbGci…", "a\tb", "é"])
def test_a_token_that_was_copied_in_short(double, token):
    with ArgoClient(replace(double.connection, token=token)) as client, pytest.raises(AccessError) as caught:
        client.version()
    assert "contains characters that no token has" in str(caught.value)
    assert token not in str(caught.value)
    assert double.seen == []


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("Bearer v2:abc.def", "Bearer v2:abc.def"),
        ("v2:abc", "Bearer v2:abc"),
        ("Basic bWU6cHc=", "Basic bWU6cHc="),
        ("bearer x", "Bearer x"),
    ],
)
def test_tokens_are_sent_as_they_are(double, settings, given, sent):
    double.on("GET", VERSION, {"version": "v4.1.2"})
    with ArgoClient(connect(settings(argo_server=double.url, argo_token=given, platform="remote"))) as client:
        client.version()
    assert double.seen[0].headers["Authorization"] == sent


def test_a_refused_token_is_asked_for_once_more(double, tmp_path):
    held = tmp_path / "token"
    held.write_text("stale")

    def answer(exchange):
        if exchange.headers["Authorization"] == "Bearer fresh":
            exchange.reply({"version": "v4.1.2"})
        else:
            held.write_text("fresh")  # the token is renewed meanwhile
            exchange.reply({"code": 16, "message": "token expired"}, 401)

    double.on("GET", VERSION, answer)
    with ArgoClient(replace(double.connection, fresh_token=FileToken(str(held), "x"))) as client:
        assert client.version() == "v4.1.2"
    double.on("GET", VERSION, {"code": 16, "message": "no"}, 401)
    same = replace(double.connection, fresh_token=FileToken(str(held), "x"))
    with ArgoClient(same) as client, pytest.raises(AccessError, match="refuses the token"):
        client.version()
    assert len(double.seen) == 3, "the file still says the same: it is not asked again"


def test_hera_is_given_what_renews_itself(double, tmp_path):
    from hera.shared import global_config

    held = tmp_path / "token"
    held.write_text("one")
    with bind_hera(replace(double.connection, token="", fresh_token=FileToken(str(held), "x"))):
        assert global_config.token == "one"
        held.write_text("two")
        assert global_config.token == "two"


def test_when_a_token_ends():
    import base64

    claims = base64.urlsafe_b64encode(json.dumps({"exp": 1_900_000_000}).encode()).decode().rstrip("=")
    assert expiry(f"Bearer h.{claims}.s") == 1_900_000_000
    assert [expiry(text) for text in ("", "v2:abc", "a.b.c", "a.e30.c", "opaque")] == [None] * 5
    assert time.time() < 1_900_000_000
