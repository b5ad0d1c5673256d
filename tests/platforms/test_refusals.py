"""What goes wrong on the way to a server: each one sentence with its fix, and no token in it."""

import contextlib
import socket
import ssl
import threading
from dataclasses import replace

import pytest

from hera_utils.errors import AccessError, HeraUtilsError, PlatformError, Refused
from hera_utils.local_platform.serving.certificate import certificate
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.token import bare_token

TOKEN = "planted-token-5e1f"
LOST = "dial tcp 10.0.0.1:443: connect: connection refused"


def failure(connection):
    with ArgoClient(connection) as client, pytest.raises(HeraUtilsError) as caught:
        client.version()
    error = caught.value
    assert TOKEN not in f"{error} {error.fix}"
    assert "\n" not in str(error)
    return error


@pytest.fixture
def closed_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def test_a_closed_port(closed_port):
    error = failure(Connection(closed_port, token=TOKEN))
    assert isinstance(error, AccessError)
    assert str(error) == f"no Argo server answers at {closed_port} (connection refused)"
    assert error.fix == (
        "start one, or name another with --argo_server or ARGO_SERVER; leave it out to run on this machine"
    )


def test_the_local_servers_closed_port(closed_port):
    error = failure(Connection(closed_port, token=TOKEN, local=True))
    assert isinstance(error, PlatformError)
    assert "connection refused" in str(error)
    assert "server.log" in error.fix


def test_a_host_that_does_not_exist():
    error = failure(Connection("http://argo.invalid:2746", token=TOKEN))
    assert "no host of that name" in str(error)


def test_tls_to_a_server_without(double):
    error = failure(replace(double.connection, argo_server=double.url.replace("http:", "https:")))
    assert "does not speak TLS" in str(error)
    assert double.url in error.fix


def test_a_server_that_says_nothing(monkeypatch):
    monkeypatch.setattr("hera_utils.platforms.argo_http.READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kept = []
        threading.Thread(target=lambda: kept.append(silent.accept()), daemon=True).start()
        error = failure(Connection(f"http://127.0.0.1:{silent.getsockname()[1]}", token=TOKEN))
    assert "no answer in time" in str(error)


@pytest.mark.parametrize(
    ("status", "document", "kind", "sentence"),
    [
        (200, b"<html>an ingress</html>", "text/html", "is not an Argo server (status 200, an HTML page)"),
        (404, b"<html>not found</html>", "text/html", "is not an Argo server (status 404, an HTML page)"),
        (404, b"404 page not found", "text/plain", "is not an Argo server (status 404, text/plain)"),
        (200, b"no json", "application/json", "is not an Argo server"),
        (429, b"<html>", "text/html", "accepts no more requests for now (429"),
        (502, b"<html>", "text/html", "finds no Argo server behind it (502"),
        (503, b"", "text/plain", "finds no Argo server behind it (503"),
        (401, b'{"code":16,"message":"Unauthorized"}', "application/json", "refuses the token"),
        (401, b'{"code":16,"message":"token is expired"}', "application/json", "has expired"),
        (401, b"", "text/plain", "refuses the token"),
        (403, b'{"code":7,"message":"workflows is forbidden"}', "application/json", "workflows is forbidden"),
        (403, b"<html>", "text/html", "the gateway at http://127.0.0.1"),
        (401, b"<html>", "text/html", "wants a login (401"),
        (413, b"<html>", "text/html", "accepts no request of this size (413"),
    ],
)
def test_what_a_server_may_answer(double, status, document, kind, sentence):
    double.on("GET", "/api/v1/version", lambda exchange: exchange.reply(document, status, kind))
    error = failure(double.connection)
    assert isinstance(error, AccessError)
    assert sentence in str(error)
    assert error.fix


@pytest.mark.parametrize(
    ("message", "sentence", "fix"),
    [
        (
            '"w" is forbidden: exceeded quota: few, requested: pods=1',
            "a quota of the namespace is used up",
            "delete NAME",
        ),
        ('"w" is forbidden: status unknown for quota: few', "the cluster has not counted yet", "wait some minutes"),
        ("you are not allowed to list workflows in namespace `lyno`", "forbids this", "--argo_namespace"),
    ],
)
def test_what_kubernetes_calls_forbidden_is_not_always_a_permission(double, message, sentence, fix):
    double.on("GET", "/api/v1/version", {"code": 7, "message": message}, 403)
    error = failure(double.connection)
    assert sentence in str(error)
    assert message in str(error)
    assert fix in error.fix


def test_a_server_that_starts_is_not_ready(double, monkeypatch):
    monkeypatch.setattr("hera_utils.platforms.argo_http._PAUSES", ())
    double.on("GET", "/api/v1/version", {"code": 14, "message": "Error while dialing"}, 503)
    error = failure(double.connection)
    assert str(error) == f"the Argo server at {double.url} is not ready (Error while dialing)"
    double.on("GET", "/api/v1/version", {"code": 13, "message": f'Get "https://10.0.0.1:443": {LOST}'}, 500)
    assert "does not reach its cluster (Get" in str(failure(double.connection))


def test_without_a_token_the_fix_is_to_give_one(double):
    double.on("GET", "/api/v1/version", {"code": 16, "message": "Unauthorized"}, 401)
    error = failure(replace(double.connection, token=""))
    assert "requires a token" in str(error)
    assert "ARGO_TOKEN" in error.fix
    assert double.seen[-1].headers["Authorization"] is None


def test_an_address_that_leads_elsewhere(double):
    double.on("GET", "/api/v1/version", {}, 302, Location="https://login.example/?token=" + TOKEN)
    error = failure(double.connection)
    assert "redirects (302) to https://login.example/" in str(error)
    assert "only browsers" in error.fix
    double.on("GET", "/api/v1/version", {}, 308, Location="https://argo.example/base/api/v1/version?a=b")
    error = failure(double.connection)
    assert str(error).endswith("redirects (308) to https://argo.example/base")
    assert error.fix == "name that address: --argo_server https://argo.example/base"


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [(404, 5, "NotFound"), (409, 6, "AlreadyExists"), (400, 3, ""), (500, 2, ""), (501, 12, "")],
)
def test_what_argo_says_is_repeated_as_it_is(double, status, code, reason):
    double.on("GET", "/api/v1/version", {"code": code, "message": f"Argo's own words, not {TOKEN}"}, status)
    error = failure(double.connection)
    assert isinstance(error, Refused)
    assert (error.code, error.reason) == (code, reason)
    assert str(error).startswith("Argo's own words")


def test_a_proxy_is_not_asked_for_this_machine(double, monkeypatch, closed_port):
    monkeypatch.setenv("HTTP_PROXY", closed_port)
    monkeypatch.setenv("http_proxy", closed_port)
    double.on("GET", "/api/v1/version", {"version": "v4.1.2"})
    with ArgoClient(replace(double.connection, local=True)) as client:
        assert client.version() == "v4.1.2"
    assert "proxy" in str(failure(double.connection))


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("abc", "abc"),
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Bearer v2:abc", "v2:abc"),
        ("Basic abc", "Basic abc"),
        ("", ""),
    ],
)
def test_tokens_as_people_have_them(text, bare):
    assert bare_token(text) == bare


def test_a_certificate_that_nobody_knows(local_platform):
    import json
    from pathlib import Path

    known = json.loads((Path(local_platform.context.state) / "server.json").read_text())
    error = failure(Connection(known["kubernetes_tls"], token=TOKEN))
    assert "certificate" in str(error)
    assert "--no_verify_tls" in error.fix
    with (
        ArgoClient(Connection(known["kubernetes_tls"], token=TOKEN, verify_tls=False)) as client,
        pytest.raises(AccessError),
    ):
        client.version()


STATUS = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "not this", "code": 404}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_kubernetes_api_is_no_argo_server(double, status):
    double.on("GET", "/api/v1/version", STATUS | {"code": status}, status)
    error = failure(double.connection)
    assert "is the Kubernetes API, not an Argo server" in str(error)
    assert "--argo_server" in error.fix


def test_plain_http_to_a_server_that_speaks_tls(tmp_path):
    paths = certificate(tmp_path / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(paths.server, paths.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), connection:
                    context.wrap_socket(connection, server_side=True).close()

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        error = failure(Connection(url, token=TOKEN))
    assert str(error) == f"what answers at {url} speaks TLS"
    assert url.replace("http", "https") in error.fix


def test_go_s_and_nginx_words_for_plain_http_before_tls(double):
    for words in (
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"<html>The plain HTTP request was sent to HTTPS port",
    ):
        double.on("GET", "/api/v1/version", lambda exchange, words=words: exchange.reply(words, 400, "text/html"))
        assert "speaks TLS" in str(failure(double.connection))


def test_a_missing_right_is_told_as_that(double):
    double.on("GET", "/api/v1/version", {"code": 7, "message": "workflows is forbidden"}, 403)
    error = failure(double.connection)
    assert "permission" in error.fix
    assert "token" not in error.fix
    double.on("GET", "/api/v1/version", lambda exchange: exchange.reply(b"Forbidden", 403, "text/plain"))
    assert "permission" in failure(double.connection).fix


def test_json_of_another_kind_of_server(double):
    double.on("GET", "/api/v1/version", {"foo": 1})
    double.on("GET", f"/api/v1/workflows/{double.connection.namespace}", {"foo": 1})
    assert "is not an Argo server" in str(failure(double.connection))
    with ArgoClient(double.connection) as client, pytest.raises(AccessError, match="is not an Argo server"):
        client.list()


@pytest.mark.parametrize(
    ("named_by", "fix"),
    [
        ("variable ARGO_SERVER", "unset it to run on this machine"),
        ("profile lab in ~/.config/hera-utils/config.toml", "hera-utils profile use --none"),
        ("./hera.config", "correct its address (./hera.config); to run on this machine add --platform local"),
        ("flag --argo_server", "leave it out to run on this machine"),
    ],
)
def test_who_named_a_server_that_is_not_there_is_told(closed_port, named_by, fix):
    error = failure(Connection(closed_port, named_by=named_by))
    assert fix in error.fix
