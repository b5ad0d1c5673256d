"""Following a run through what happens on a cluster in its course: tokens end, the server crashes and comes again."""

from __future__ import annotations

import os
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hera_utils.argo.phases import phase_of
from hera_utils.errors import AccessError
from hera_utils.local_platform import daemon
from hera_utils.local_platform.server import Serving
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connection import Connection

from .faulty_proxy import faulty_proxy
from .front import front
from .keeper import behind_of


def counting(turns: int, pause: float) -> dict:
    """A run that writes 1, 2, 3… with a pause after each."""
    script = f"for i in $(seq 1 {turns}); do echo $i; sleep {pause}; done"
    template = {"name": "m", "container": {"image": "busybox", "command": ["sh", "-c", script]}}
    return {"metadata": {"generateName": "count-"}, "spec": {"entrypoint": "m", "templates": [template]}}


def connection_of(place, **more) -> Connection:
    given = {"token": place.token(), "ca_file": str(place.bed.authority), **more}
    return Connection(given.pop("argo_server", place.bed.argo_server), place.name, **given)


@contextmanager
def numbers_of(client: ArgoClient, name: str) -> Iterator[list[str]]:
    """The numbers that a run says, gathered beside what the block does; whole when the block is over."""
    said: list[str] = []
    gathering = threading.Thread(
        target=lambda: said.extend(line for _, line in client.logs(name, follow=True)), daemon=True
    )
    gathering.start()
    yield said
    gathering.join(60)
    assert not gathering.is_alive(), "the log is still followed"


@contextmanager
def cut_again_and_again(place) -> Iterator[str]:
    """The bed's Argo server behind something that lets no connection live long: each request is a new one, with its token."""
    with faulty_proxy(place.bed.argo_server) as proxy:
        proxy.draw = lambda: ("life", 1.0)
        yield proxy.url.replace("http://", "https://")


def test_a_token_that_ends_is_replaced_by_the_newer_one_of_its_file(place, tmp_path) -> None:
    """The cluster may believe in a token it has seen for ten seconds more: the run lasts longer than both."""
    from hera_utils.platforms.token_sources import token_source
    from hera_utils.settings.sources import Surroundings, read_settings

    held = tmp_path / "token"
    held.touch(mode=0o600)
    held.write_text(place.brief_token(seconds=3))
    around = Surroundings(environ={}, directory=tmp_path, home=tmp_path)
    with cut_again_and_again(place) as url:
        given = {"platform": "remote", "argo_server": url, "argo_token_file": str(held), "argo_namespace": place.name}
        bare = connection_of(place, argo_server=url, token="")
        fresh = replace(bare, fresh_token=token_source(read_settings(given, around=around), bare))
        with ArgoClient(fresh) as client, ArgoClient(fresh) as reader:
            name = client.create(counting(18, 1))["metadata"]["name"]
            threading.Timer(2, lambda: held.write_text(place.token())).start()
            with numbers_of(reader, name) as said:
                assert phase_of([one for _, one in client.watch(name, timeout=90)][-1]) == "Succeeded"
        assert said == [str(number) for number in range(1, 19)]


def test_a_token_that_ends_and_has_no_successor_is_told(place, monkeypatch) -> None:
    monkeypatch.setattr("hera_utils.platforms.reconnect.MAX_SILENCE", 2.0)
    with cut_again_and_again(place) as url, ArgoClient(connection_of(place)) as straight:
        name = straight.create(counting(60, 1))["metadata"]["name"]
        brief = connection_of(place, argo_server=url, token=place.brief_token(seconds=1))
        begun = time.monotonic()
        with ArgoClient(brief) as client, pytest.raises(AccessError, match="token"):
            list(client.watch(name, timeout=60))
        assert time.monotonic() - begun < 30
        straight.act(name, "terminate")


@pytest.fixture
def own_server(place, tmp_path) -> Iterator[tuple[Path, dict]]:
    """A local platform of the test's own, to stand behind a front: it may be killed."""
    state = tmp_path / "state"
    known = dict(daemon.start_or_join(state, Serving(port=0)))
    yield state, known
    daemon.stop(state)


def test_the_server_crashes_and_comes_again(place, own_server) -> None:
    state, known = own_server
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder = place.bed.folder / "tls"
    tls.load_cert_chain(folder / "argo-server.pem", folder / "argo-server.key")
    with front(behind_of(place.bed, known), tls) as (url, server):
        through = connection_of(place, argo_server=url)
        port = server.server_address[1]
        with ArgoClient(through) as client, ArgoClient(through) as reader:
            name = client.create(counting(16, 0.5))["metadata"]["name"]
            states = client.watch(name, timeout=90)
            next(states)
            gathering = numbers_of(reader, name)
            said = gathering.__enter__()
            time.sleep(1)
            os.kill(known["pid"], signal.SIGKILL)
            server.shutdown()
            server.cut()
            server.server_close()
            time.sleep(1.5)  # nobody listens there now
            again = dict(daemon.start_or_join(state, Serving(port=0)))
            with front(behind_of(place.bed, again), tls, port):
                assert phase_of([one for _, one in states][-1]) == "Succeeded"
                gathering.__exit__(None, None, None)
    assert said == [str(number) for number in range(1, 17)]
