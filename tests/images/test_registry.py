"""Requests to registries that are busy, redirect, are behind a proxy or a mirror, or give wrong answers."""

import email.utils
import http.server
import json
import select
import shutil
import socket
import threading
import time

import pytest
from registry_server import Registry, layer, sha256

from hera_utils.errors import SettingsError
from hera_utils.images import endpoints, transport
from hera_utils.images.endpoints import Endpoint, endpoints_of
from hera_utils.images.faults import AccessDenied, ImageNotFound, RegistryUnreachable, TooManyPulls
from hera_utils.images.login import Logins
from hera_utils.images.manifest import this_platform
from hera_utils.images.pull import pull
from hera_utils.images.reference import Reference
from hera_utils.images.registry import RegistryClient, resolve
from hera_utils.local_platform.serving.certificate import certificate
from http_server import serve_http

ANYBODY = Logins()
NAME = "kubernetes.default.svc"  # a name in the certificate that does not resolve to the loopback address
LAYER = layer({"hello": "hello"})


def add(registry, repository="group/tool"):
    return registry.add_image(repository, "v1", [LAYER], platform=this_platform())


def reference_of(registry, host=None):
    return Reference.parse(f"{host or registry.host}/group/tool:v1")


@pytest.fixture
def registry():
    with Registry() as server:
        add(server)
        yield server


@pytest.fixture
def hub(monkeypatch):
    """A local registry that the client takes for Docker Hub."""
    with Registry() as server:
        add(server, "library/tool")
        monkeypatch.setattr(endpoints, "_HUB_ADDRESS", server.url)
        yield server


HUB_IMAGE = Reference.parse("tool:v1")


@pytest.fixture
def mirror(monkeypatch):
    with Registry() as server:
        add(server, "library/tool")
        monkeypatch.setenv(endpoints.MIRRORS, server.url)
        yield server


@pytest.fixture
def names(monkeypatch):
    """A function that lets a host name resolve to 127.0.0.1."""
    known, ask = {NAME}, socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: ask("127.0.0.1" if host in known else host, *rest, **more)
    )
    return known


# faults that are retried


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(registry, store, status):
    registry.fail("/manifests/", status=status, times=2)
    registry.fail("/blobs/", status=status, times=2)
    assert pull(reference_of(registry), store, logins=ANYBODY)


def test_a_connection_that_is_cut_is_made_again(registry, store):
    registry.fail("/manifests/", cut_after=0, times=2)
    assert pull(reference_of(registry), store, logins=ANYBODY)


def test_what_does_not_pass_is_a_sentence_with_what_the_registry_says(registry, store):
    body = json.dumps({"errors": [{"code": "UNKNOWN", "message": "the database\nis away"}]}).encode()
    registry.fail("/manifests/", status=503, body=body, times=-1)
    with pytest.raises(RegistryUnreachable) as caught:
        pull(reference_of(registry), store, logins=ANYBODY)
    assert str(caught.value) == f'the registry {registry.host} fails with status 503: "the database is away"'
    assert len(registry.asked("GET")) == 5


def test_the_registry_says_when_to_ask_again(registry):
    registry.fail("/manifests/", status=429, headers={"Retry-After": "1"})
    pauses = []

    class Clock(threading.Event):
        def wait(self, timeout=None):
            pauses.append(timeout)
            return False

    with RegistryClient(registry.host, ANYBODY, stop=Clock()) as client:
        assert client.digest(reference_of(registry))
    assert pauses == [1]


@pytest.mark.parametrize("when", ["\xb2", "-1", "Mon, 01 Jan 99999999999 00:00:00 GMT", "soon"])
def test_a_time_that_is_none_is_no_time(registry, when):
    limit = {"RateLimit-Limit": f"{'9' * 5000};w={'9' * 5000}"}
    registry.fail("/manifests/", status=503, headers={"Retry-After": when, **limit})
    with RegistryClient(registry.host, ANYBODY) as client:
        assert client.digest(reference_of(registry))


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_who_is_to_wait_for_long_is_told_at_once(registry, store, form):
    later = "3600" if form == "seconds" else email.utils.formatdate(time.time() + 3600, usegmt=True)
    registry.fail("/manifests/", status=429, headers={"Retry-After": later}, times=-1)
    with pytest.raises(TooManyPulls, match=f"the registry {registry.host} asks for fewer requests .429.") as caught:
        pull(reference_of(registry), store, logins=ANYBODY)
    assert 3500 < caught.value.seconds <= 3600
    assert len(registry.requests) == 1


def test_the_limit_of_docker_hub_is_called_what_it_is(hub, store):
    limit = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "0;w=21600"}
    hub.fail("/manifests/", status=429, headers=limit, times=-1)
    with pytest.raises(TooManyPulls) as caught:
        pull(HUB_IMAGE, store, logins=ANYBODY)
    assert str(caught.value) == (
        "Docker Hub allows this address without a login no more pulls for now (its limit is 100 in 6 hours)"
    )
    assert "docker login" in caught.value.fix
    assert endpoints.MIRRORS in caught.value.fix
    assert len(hub.requests) == 1


def test_docker_hub_tells_nobody_what_is_private(monkeypatch):
    with Registry(login="bearer", public=True) as hub:
        monkeypatch.setattr(endpoints, "_HUB_ADDRESS", hub.url)
        hub.fail("/manifests/", status=401, headers={"WWW-Authenticate": f'Bearer realm="{hub.url}/token"'}, times=-1)
        with pytest.raises(AccessDenied) as caught:
            resolve(HUB_IMAGE, ANYBODY)
        assert str(caught.value).startswith(
            "pull access denied for docker.io/library/tool:v1: the repository does not exist"
        )
        assert "docker login (or podman login)" in caught.value.fix


def test_a_store_that_refuses_is_asked_by_a_new_address(store):
    with Registry(redirect=True) as registry:
        add(registry)
        registry.fail("/store/", status=403, times=2)
        assert pull(reference_of(registry), store, logins=ANYBODY)
        assert len(registry.asked(f"/blobs/{sha256(LAYER)}")) + len(registry.asked("/blobs/")) >= 4


def test_a_store_that_always_refuses_is_no_matter_of_logins(store):
    with Registry(redirect=True) as registry:
        add(registry)
        registry.fail("/store/", status=403, times=-1)
        with pytest.raises(
            RegistryUnreachable, match=f"where the registry {registry.host} keeps its content, answers 403"
        ):
            pull(reference_of(registry), store, logins=ANYBODY)


def test_a_circle_of_redirects(registry, store):
    registry.fail("/manifests/", status=307, headers={"Location": "/v2/group/tool/manifests/v1"}, times=-1)
    with pytest.raises(RegistryUnreachable, match="it redirects in a circle"):
        pull(reference_of(registry), store, logins=ANYBODY)


def test_a_redirect_to_a_file_of_this_machine(registry, store):
    registry.fail("/manifests/", status=307, headers={"Location": "file:///etc/passwd"}, times=-1)
    with pytest.raises(RegistryUnreachable, match="no address of the web"):
        pull(reference_of(registry), store, logins=ANYBODY)


# mirrors


def test_a_mirror_is_asked_before_docker_hub(hub, mirror, store):
    assert pull(HUB_IMAGE, store, logins=ANYBODY)
    assert hub.requests == []


def test_other_registries_have_no_mirror(registry, mirror, store):
    assert pull(reference_of(registry), store, logins=ANYBODY)
    assert mirror.requests == []


@pytest.mark.parametrize("status", [403, 404, 429])
def test_what_a_mirror_lacks_docker_hub_has(hub, mirror, store, status):
    mirror.fail("/", status=status, times=-1)
    assert pull(HUB_IMAGE, store, logins=ANYBODY)
    assert len(mirror.requests) == (2 if status == 429 else 1)


def test_a_mirror_that_is_away(hub, store, monkeypatch):
    with Registry() as gone:
        monkeypatch.setenv(endpoints.MIRRORS, gone.url)
    assert pull(HUB_IMAGE, store, logins=ANYBODY)


def test_where_only_the_mirror_answers_both_answers_are_told(mirror, monkeypatch):
    with Registry() as gone:
        monkeypatch.setattr(endpoints, "_HUB_ADDRESS", gone.url)
    mirror.manifests.clear()
    with pytest.raises(
        RegistryUnreachable, match=f"Docker Hub does not answer .* .the mirror {mirror.host} has no image {HUB_IMAGE}"
    ):
        resolve(HUB_IMAGE, ANYBODY)


def test_a_mirror_gets_the_logins_of_its_own_host(store, monkeypatch, hub):
    with Registry(login="basic", users={"ann": "word"}) as mirror:
        add(mirror, "library/tool")
        monkeypatch.setenv(endpoints.MIRRORS, mirror.url)
        document = {
            mirror.host: {"username": "ann", "password": "word"},
            "docker.io": {"username": "hub", "password": "hub"},
        }
        secret = {"type": "kubernetes.io/dockercfg", "stringData": {".dockercfg": json.dumps(document)}}
        assert pull(HUB_IMAGE, store, logins=ANYBODY.with_pull_secrets([secret]))
        assert hub.requests == []
        assert not any("aHViOmh1Yg" in str(request.headers) for request in mirror.requests)


def test_a_mirror_may_be_a_path_of_a_proxy(hub, store, monkeypatch):
    with Registry() as proxy:
        add(proxy, "hub/library/tool")
        monkeypatch.setenv(endpoints.MIRRORS, f"{proxy.url}/v2/hub/")
        assert pull(HUB_IMAGE, store, logins=ANYBODY)
        assert hub.requests == []


def test_mirrors_of_docker_follow_those_of_the_variable(tmp_path):
    endpoints.DAEMON_JSON.write_text(json.dumps({"registry-mirrors": ["https://b.example/", "https://a.example:5000"]}))
    environ = {endpoints.MIRRORS: "https://a.example:5000, http://c.example/path c.example"}
    assert [endpoint.url for endpoint in endpoints_of("docker.io", environ)] == [
        "https://a.example:5000",
        "http://c.example/path",
        "https://c.example",
        "https://b.example",
        "https://registry-1.docker.io",
    ]
    assert endpoints_of("quay.io", environ) == (Endpoint("https://quay.io", "quay.io"),)


@pytest.mark.parametrize("text", ["ftp://a.example", "https://", "https://a.example?b=c"])
def test_a_mirror_that_is_no_address(text):
    with pytest.raises(SettingsError, match=f"the variable {endpoints.MIRRORS} names"):
        endpoints_of("docker.io", {endpoints.MIRRORS: text})


def test_a_mirror_with_a_password_is_refused_and_the_password_is_not_repeated():
    with pytest.raises(SettingsError) as caught:
        endpoints_of("docker.io", {endpoints.MIRRORS: "https://ann:s3cret@a.example"})
    assert "s3cret" not in f"{caught.value} {caught.value.fix}"
    assert "docker login a.example" in caught.value.fix


@pytest.mark.parametrize("document", ["", "[]", '{"registry-mirrors": "x"}', '{"insecure-registries": [5]}'])
def test_what_docker_does_not_understand_says_nothing(document):
    endpoints.DAEMON_JSON.write_text(document)
    assert len(endpoints_of("docker.io", {})) == 1


# TLS


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "127.1.2.3", "localhost:5000", "[::1]:5000"])
def test_on_this_machine_plain_http_is_enough(host):
    first, second = endpoints_of(host, {})
    assert (first.url, second.url) == (f"http://{host}", f"https://{host}")
    assert second.insecure


@pytest.mark.parametrize("entry", ["a.example:5000", "a.example"])
def test_a_registry_without_a_good_certificate_has_to_be_named(entry):
    assert endpoints_of("a.example:5000", {}) == (Endpoint("https://a.example:5000", "a.example:5000"),)
    urls = [e.url for e in endpoints_of("a.example:5000", {endpoints.INSECURE: entry}) if e.insecure]
    assert urls == ["https://a.example:5000", "http://a.example:5000"]


def test_a_range_of_addresses_may_be_named():
    endpoints.DAEMON_JSON.write_text(json.dumps({"insecure-registries": ["10.0.0.0/8"]}))
    assert len(endpoints_of("10.1.2.3:5000", {})) == 2
    assert len(endpoints_of("11.1.2.3:5000", {})) == 1


@pytest.fixture
def own(tmp_path):
    return certificate(tmp_path / "tls")


@pytest.fixture
def secure(own):
    with Registry(certificate=(own.server, own.key)) as server:
        add(server)
        yield server


@pytest.fixture
def host(secure, names):
    return f"{NAME}:{secure.host.rpartition(':')[2]}"


def test_tls_on_this_machine_needs_no_authority(secure, store):
    assert pull(reference_of(secure), store, logins=ANYBODY)


def test_a_certificate_that_nobody_knows_is_said_with_where_to_put_its_authority(secure, host):
    with pytest.raises(
        RegistryUnreachable, match=f"the certificate of the registry {host} is not one that this machine trusts"
    ) as caught:
        resolve(reference_of(secure, host), ANYBODY)
    assert f"/etc/docker/certs.d/{host}/ca.crt" in caught.value.fix


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_variable_names_the_authority(secure, host, own, store, monkeypatch, variable):
    monkeypatch.setenv(variable, str(own.authority))
    assert pull(reference_of(secure, host), store, logins=ANYBODY)


@pytest.mark.parametrize("number", [0, 1])
def test_the_authority_of_one_registry(secure, host, own, store, monkeypatch, tmp_path, number):
    folders = (tmp_path / "docker", tmp_path / "containers")
    (folders[number] / host).mkdir(parents=True)
    shutil.copy(own.authority, folders[number] / host / "ca.crt")
    monkeypatch.setattr(transport, "CERTIFICATE_FOLDERS", folders)
    assert pull(reference_of(secure, host), store, logins=ANYBODY)


def test_an_authority_that_is_no_file(secure, host, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(RegistryUnreachable, match="REQUESTS_CA_BUNDLE names a file that does not exist"):
        resolve(reference_of(secure, host), ANYBODY)


def test_a_registry_that_is_named_as_insecure(secure, host, store, monkeypatch):
    monkeypatch.setenv(endpoints.INSECURE, NAME)
    assert pull(reference_of(secure, host), store, logins=ANYBODY)


def test_plain_http_where_it_was_named(registry, names, store, monkeypatch):
    host = f"{NAME}:{registry.host.rpartition(':')[2]}"
    with pytest.raises(RegistryUnreachable, match=f"the registry {host} does not answer"):
        resolve(reference_of(registry, host), ANYBODY)
    monkeypatch.setenv(endpoints.INSECURE, host)
    assert pull(reference_of(registry, host), store, logins=ANYBODY)


def test_a_redirect_that_leaves_tls(secure, host, own, monkeypatch, names):
    names.add("store.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(own.authority))
    secure.fail("/manifests/", status=307, headers={"Location": "http://store.example/x"}, times=-1)
    with pytest.raises(RegistryUnreachable, match="it redirects to store.example without TLS"):
        resolve(reference_of(secure, host), ANYBODY)


def test_a_registry_without_tls_leads_to_another_one(registry, names, monkeypatch):
    """The other registry's login is not sent without TLS, because only the first registry was configured as insecure."""
    names.add("store.example")
    with Registry(login="basic", users={"ann": "s3cret-word"}) as store:
        host, other = (
            f"{name}:{one.host.rpartition(':')[2]}" for name, one in ((NAME, registry), ("store.example", store))
        )
        monkeypatch.setenv(endpoints.INSECURE, host)
        registry.fail("/manifests/", status=307, headers={"Location": f"http://{other}/v2/a/manifests/v1"}, times=-1)
        document = {other: {"username": "ann", "password": "s3cret-word"}}
        secret = {"type": "kubernetes.io/dockercfg", "stringData": {".dockercfg": json.dumps(document)}}
        with pytest.raises(RegistryUnreachable, match=f"leads to {other} without TLS, which is given no login"):
            resolve(reference_of(registry, host), ANYBODY.with_pull_secrets([secret]))
        assert store.requests
        assert not any("Authorization" in request.headers for request in store.requests)


def test_a_password_is_not_sent_without_tls(secure, host, own, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(own.authority))
    challenge = 'Bearer realm="http://tokens.example/token"'
    secure.fail("/manifests/", status=401, headers={"WWW-Authenticate": challenge}, times=-1)
    document = {host: {"username": "ann", "password": "word"}}
    secret = {"type": "kubernetes.io/dockercfg", "stringData": {".dockercfg": json.dumps(document)}}
    with pytest.raises(AccessDenied, match="to be sent to tokens.example without TLS, which is not done"):
        resolve(reference_of(secure, host), ANYBODY.with_pull_secrets([secret]))


# proxies


class Proxy(http.server.BaseHTTPRequestHandler):
    """Opens tunnels to this machine for any host name."""

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        self.server.asked.append((self.path, self.headers.get("Proxy-Authorization")))
        if self.server.refuses:
            self.send_error(self.server.refuses)
            return
        self.send_response(200)
        self.end_headers()
        with socket.create_connection(("127.0.0.1", int(self.path.rpartition(":")[2]))) as there:
            ways = {self.connection: there, there: self.connection}
            while ways:
                for source in select.select(list(ways), [], [], 10)[0]:
                    data = source.recv(1 << 16)
                    if not data:
                        return
                    ways[source].sendall(data)


@pytest.fixture
def proxy():
    with serve_http(Proxy, asked=[], refuses=0) as server:
        yield server


def test_the_way_through_a_proxy(secure, own, proxy, store, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://ann:s3cret@127.0.0.1:{proxy.server_port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(own.authority))
    port = secure.host.rpartition(":")[2]
    assert pull(reference_of(secure, f"{NAME}:{port}"), store, logins=ANYBODY)  # the proxy resolves the name
    assert proxy.asked[0] == (f"{NAME}:{port}", "Basic YW5uOnMzY3JldA==")


def test_no_proxy_leads_to_this_machine(registry, proxy, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_port}")
    assert resolve(reference_of(registry), ANYBODY)
    assert proxy.asked == []


def test_a_proxy_that_refuses_is_named_without_its_password(secure, own, proxy, monkeypatch):
    proxy.refuses = 407
    monkeypatch.setenv("HTTPS_PROXY", f"http://ann:s3cret@127.0.0.1:{proxy.server_port}")
    with pytest.raises(RegistryUnreachable) as caught:
        resolve(Reference.parse("registry.example/a"), ANYBODY)
    assert str(caught.value) == (
        f"the proxy http://127.0.0.1:{proxy.server_port} does not lead to the registry registry.example"
    )
    assert "s3cret" not in repr(caught.value) + caught.value.fix


# names


@pytest.mark.parametrize(
    ("proxy", "why"),
    [
        ("socks5://127.0.0.1:1", "the proxy speaks SOCKS, for which the package PySocks is missing"),
        ("http://", "the proxy's address is none"),
    ],
)
def test_a_proxy_that_cannot_be_used(monkeypatch, proxy, why):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(RegistryUnreachable, match=f"registry.example does not answer .{why}."):
        resolve(Reference.parse("registry.example/a"), ANYBODY)


def test_an_authority_that_is_no_certificate(secure, host, monkeypatch, tmp_path):
    folder = tmp_path / "certs.d" / host
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_text("no certificate")
    monkeypatch.setattr(transport, "CERTIFICATE_FOLDERS", (tmp_path / "certs.d",))
    with pytest.raises(RegistryUnreachable, match="a file of certificates cannot be used"):
        resolve(reference_of(secure, host), ANYBODY)


def test_a_host_that_does_not_exist(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(RegistryUnreachable, match="registry.example does not answer .there is no host of that name."):
        resolve(Reference.parse("registry.example/a"), ANYBODY)


def test_an_answer_that_is_no_registrys(registry):
    registry.fail("/manifests/", status=200, body=b"<html>", headers={"Content-Type": "text/html"}, times=-1)
    digest = resolve(reference_of(registry), ANYBODY)
    assert digest == sha256(b"<html>")


def test_an_image_that_does_not_exist_is_told_apart(registry):
    with pytest.raises(ImageNotFound):
        resolve(Reference.parse(f"{registry.host}/group/nothing"), ANYBODY)
