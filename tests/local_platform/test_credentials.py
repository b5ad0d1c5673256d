"""Who may call the servers: tokens, hosts, origins, this user's browser, other users."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from memory_platform import MemoryPlatform
from serving import served

from hera_utils.local_platform.argo_api import argo_app
from hera_utils.local_platform.kubernetes_api.app import kubernetes_app
from hera_utils.local_platform.serving import credentials
from hera_utils.local_platform.serving.credentials import Gate, claims_of, host_name, issue_token
from hera_utils.local_platform.socket_owner import peer_uid

TOKEN = "s3cret-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAGE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(argo_app(MemoryPlatform(), TOKEN)) as address:
        yield address


def ask(url: str, path: str = "/api/v1/version", **headers: str) -> requests.Response:
    return requests.get(url + path, headers=headers, timeout=5)


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        (None, "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/"),
        ("", "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/"),
        (TOKEN, "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/"),
        ("Bearer wrong", "Unauthorized"),
        ("Bearer ", "Unauthorized"),
        (f"Bearer {TOKEN}x", "Unauthorized"),
        ("Basic abc", "failed to create REST config: error parsing basic authentication"),
    ],
)
def test_without_the_token_the_answer_is_401(url, authorization, message):
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = requests.get(url + "/api/v1/version", headers=headers, timeout=5)
    assert (answer.status_code, answer.json()) == (401, {"code": 16, "message": message})


def test_the_token_opens_also_with_the_word_twice(url):
    assert ask(url, **BEARER).status_code == 200
    assert ask(url, Authorization=f"Bearer Bearer {TOKEN}").status_code == 200


def test_a_stream_is_refused_in_its_own_format(url):
    answer = ask(url, "/api/v1/workflow-events/argo", Accept="text/event-stream")
    assert answer.status_code == 401
    assert json.loads(answer.text.removeprefix("data: "))["error"]["grpc_code"] == 16


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:2746",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "localhost:1@evil",
        "127.0.0.1:.evil",
        "[::1].evil",
        "localhost:1:2",
    ],
)
def test_other_hosts_are_refused_even_with_the_token(url, host):
    for path in ("/api/v1/version", "/workflows", "/artifacts/a/b/c/d"):
        assert ask(url, path, Host=host, **BEARER).status_code in (400, 403)


def test_loopback_names_are_served(url):
    port = url.rpartition(":")[2]
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", f"LocalHost:{port}"):
        assert ask(url, Host=host, **BEARER).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"])
def test_other_origins_are_refused_even_with_the_token(url, origin):
    assert ask(url, Origin=origin, **BEARER).status_code == 403
    assert ask(url, Origin=origin, **PAGE).status_code == 403


_ASK = (
    "import json, sys, urllib.request, urllib.error\n"
    "request = urllib.request.Request(sys.argv[1], headers=json.loads(sys.argv[2]))\n"
    "try: print(urllib.request.urlopen(request, timeout=5).status)\n"
    "except urllib.error.HTTPError as error: print(error.code)"
)


def ask_from_another_process(url: str, *, user: int | None = None, **headers: str) -> int:
    command = ["/usr/bin/python3", "-c", _ASK, f"{url}/api/v1/version", json.dumps(headers)]
    done = subprocess.run(command, user=user, capture_output=True, text=True, timeout=20, check=True)
    return int(done.stdout)


def test_our_page_in_this_users_browser_needs_no_token(url):
    assert ask_from_another_process(url, **PAGE) == 200
    assert ask_from_another_process(url, Origin=url, **PAGE) == 200
    assert ask_from_another_process(url, **PAGE, Authorization="Bearer wrong") == 401


@pytest.mark.parametrize("name", ["localhost", "[::1]", "LOCALHOST"])
def test_a_page_at_a_name_that_may_be_anothers_is_not_ours(url, name):
    """A browser tries ::1 first for localhost. Another user could listen on our port there, serve a page with that origin, and stop: the
    page's next request would come to us, from our own user's browser.
    """
    host = f"{name}:{url.rpartition(':')[2]}"
    assert ask_from_another_process(url, Host=host, **PAGE) == 401
    assert ask_from_another_process(url, Host=host, **BEARER) == 200
    page = requests.get(
        f"{url}/workflows/a/b%20c?tab=workflow", headers={"Host": host}, allow_redirects=False, timeout=20
    )
    assert (page.status_code, page.headers["location"]) == (307, f"{url}/workflows/a/b%20c?tab=workflow")


def test_the_look_for_the_owner_of_a_connection_keeps_nobody_waiting(url, monkeypatch):
    """The look-up reads all processes of the machine."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: str) -> bool:
        begun.set()
        return go_on.wait(20)

    monkeypatch.setattr(credentials, "_is_elsewhere", slow)
    page = threading.Thread(target=ask_from_another_process, args=(url,), kwargs=PAGE)
    page.start()
    try:
        assert begun.wait(20)
        assert ask(url, **BEARER).status_code == 200
    finally:
        go_on.set()
        page.join()


def test_the_server_itself_is_no_browser(url):
    """An http template can make the server send any header to any address, also to its own."""
    assert ask(url, **PAGE).status_code == 401


@pytest.mark.parametrize("site", ["none", "same-site", "cross-site", "same-origin, cross-site", ""])
def test_no_other_page_does(url, site):
    assert ask(url, **{"Sec-Fetch-Site": site}).status_code == 401


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_with_the_same_headers_is_refused(url):
    assert ask_from_another_process(url, user=0, **PAGE) == 200
    assert ask_from_another_process(url, user=65534, **PAGE) == 401


def test_the_owner_of_a_connection():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname()) as client:
            accepted, _ = server.accept()
            with accepted:
                there, here = client.getsockname(), accepted.getsockname()
                assert peer_uid(there, here) == os.geteuid()
                assert peer_uid((there[0], 1), here) is None
                assert peer_uid(("::1", there[1]), here) is None
        assert peer_uid(there, here) is None  # the connection is closed: nobody owns it


def test_kubernetes_asks_for_the_token_only():
    with served(kubernetes_app(MemoryPlatform(), TOKEN)) as url:
        assert ask(url, "/version", **BEARER).status_code == 200
        refused = ask(url, "/version", **PAGE)
        assert (refused.status_code, refused.json()["reason"]) == (401, "Unauthorized")
        assert ask(url, "/version", Host="evil.example", **BEARER).json()["reason"] == "Forbidden"


def test_the_token_is_not_shown():
    assert TOKEN not in repr(Gate(TOKEN))


claims = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)


@given(claims)
def test_issued_tokens(extra):
    now = time.time()
    token = issue_token({**extra, "exp": now + 60}, TOKEN)
    assert claims_of(token, TOKEN, now=now) == {**extra, "exp": now + 60}
    assert claims_of(token, TOKEN, now=now + 61) is None
    assert claims_of(token, "another", now=now) is None


@given(st.text(max_size=80))
def test_any_other_text_is_no_token(text):
    assert claims_of(text, TOKEN) is None
    assert not Gate(TOKEN).check_token(f"Bearer {text}").passed or text.strip().removeprefix("Bearer ") == TOKEN


@given(st.text(max_size=40))
def test_host_names_never_fail(text):
    assert host_name(text) == host_name(text).lower()


def test_importing_the_servers_is_quick():
    script = "import sys, hera_utils.local_platform.argo_api.app, hera_utils.local_platform.kubernetes_api.app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"hera", "kubernetes", "requests", "pydantic"} & set(loaded)
