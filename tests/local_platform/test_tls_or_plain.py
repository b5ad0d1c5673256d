"""The local Argo address answers both http:// and https://."""

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import warnings

import pytest
import requests
import urllib3.exceptions

from hera_utils.local_platform import daemon
from hera_utils.local_platform.serving.certificate import certificate


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    state = tmp_path_factory.mktemp("home") / "state"
    yield {**daemon.start_or_join(state), "state": state}
    daemon.stop(state)


def place(known):
    return known["argo_server"].removeprefix("http://")


def asked(known, scheme, verify):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        headers = {"Authorization": f"Bearer {known['token']}"}
        with requests.Session() as session:
            session.trust_env = False
            return [
                session.get(f"{scheme}://{place(known)}/api/v1/{path}", headers=headers, verify=verify, timeout=20)
                for path in ("version", "workflows/default", "version")
            ]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_same_answer_however_it_is_asked(known, scheme):
    replies = asked(known, scheme, str(known["state"] / "tls" / "ca.pem"))
    assert [reply.status_code for reply in replies] == [200, 200, 200]
    assert replies[0].json()["version"].startswith("v")
    unchecked, checked = asked(known, scheme, False)[1].json(), replies[1].json()
    for answer in (unchecked, checked):
        del answer["metadata"]["resourceVersion"]  # a new server may still write its own objects
    assert unchecked == checked


def test_who_checks_certificates_and_does_not_know_ours_is_told_so(known):
    with pytest.raises(requests.exceptions.SSLError, match="certificate verify failed"):
        asked(known, "https", True)


def test_a_token_is_wanted_with_tls_too(known):
    context = ssl.create_default_context(cafile=str(known["state"] / "tls" / "ca.pem"))
    request = urllib.request.Request(f"https://{place(known)}/api/v1/workflows/default", headers={"Authorization": "x"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, context=context, timeout=20)
    assert refused.value.code == 401


def test_silent_cut_and_foolish_clients_stop_nobody(known):
    host, port = place(known).split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(50)]
    try:
        for begin in (b"", b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x00\xff", b"G"):
            with socket.create_connection((host, int(port))) as one:
                one.sendall(begin)
        assert all(reply.status_code == 200 for reply in asked(known, "http", False))
        assert all(reply.status_code == 200 for reply in asked(known, "https", False))
    finally:
        for one in silent:
            one.close()


def test_a_first_byte_that_comes_late_is_waited_for(known):
    host, port = place(known).split(":")
    with socket.create_connection((host, int(port)), 20) as one:
        time.sleep(0.2)
        one.sendall(b"G")
        time.sleep(0.2)
        one.sendall(f"ET /api/v1/version HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        assert one.recv(1 << 16).startswith(b"HTTP/1.1 ")


def test_many_at_once_of_both_kinds(known):
    seen = []

    def ask(number):
        seen.extend(reply.status_code for reply in asked(known, "https" if number % 2 else "http", False))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == [200] * 36


HABIT = """
import os
from hera.shared import global_config
from hera.workflows import WorkflowsService
service = WorkflowsService(
    host=f"https://{os.environ['ARGO_SERVER']}", token=os.environ["ARGO_TOKEN"], verify_ssl=False, namespace="default"
)
print(service.get_version().version)
"""


def test_a_script_with_the_habits_of_a_cluster(known):
    variables = {"ARGO_SERVER": place(known), "ARGO_TOKEN": f"Bearer {known['token']}"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HABIT], capture_output=True, text=True, check=False,
        env={**os.environ, **variables},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.dumps(done.stdout).startswith('"v')


@pytest.mark.parametrize("name", ["ca.pem", "server.pem", "server.key"])
def test_a_certificate_that_a_loss_of_power_emptied_is_made_again(tmp_path, name):
    first = certificate(tmp_path / "tls")
    kept = first.server.read_bytes()
    assert certificate(tmp_path / "tls").server.read_bytes() == kept
    (tmp_path / "tls" / name).write_bytes(b"")
    again = certificate(tmp_path / "tls")
    assert again.server.read_bytes() != kept
    ssl.create_default_context(cafile=again.authority)
