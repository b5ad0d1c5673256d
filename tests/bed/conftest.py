"""What tests of the bed share: a user at a terminal, the bed's Argo server as a connection, a proxy before it."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from hera_utils.platforms.connection import Connection

from .faulty_proxy import FaultyProxy, faulty_proxy

Typed = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def typed(place, local_platform, tmp_path) -> Typed:
    """Types a command in an empty folder of a user whose profile `bed` is this test's namespace of the bed."""
    settings = tmp_path / ".config" / "hera-utils"
    settings.mkdir(parents=True)
    profile = {
        "argo_server": place.bed.argo_server,
        "ca_file": place.bed.authority,
        "argo_namespace": place.name,
        "k8s_config_file": place.kubeconfig("researcher"),
        "argo_service_account": "runner",
    }
    lines = [f'{name} = "{value}"\n' for name, value in profile.items()]
    (settings / "config.toml").write_text("[profiles.bed]\n" + "".join(lines))
    credentials = settings / "credentials.toml"
    credentials.touch(mode=0o600)
    credentials.write_text(f'[profiles.bed]\nargo_token = "{place.token("researcher")}"\n')
    around = {name: value for name, value in os.environ.items() if not name.startswith(("ARGO", "KUBE", "HERA", "XDG"))}
    around |= {"HOME": str(tmp_path), "HERA_UTILS_STATE": local_platform.context.state}

    def type_(*words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        answer = subprocess.run(
            [sys.executable, *map(str, words)], cwd=tmp_path, env=around, capture_output=True, text=True, timeout=200
        )
        assert answer.returncode == status, answer.stdout + answer.stderr
        return answer

    return type_


@pytest.fixture
def straight(place) -> Connection:
    """The Argo server of the bed as the researcher of this namespace has it."""
    return Connection(
        place.bed.argo_server, place.name, token=place.token(seconds=7200), ca_file=str(place.bed.authority)
    )


@pytest.fixture
def between(place, straight) -> Iterator[FaultyProxy]:
    """A proxy before the bed's Argo server that can speak for it."""
    tls = place.bed.folder / "tls"
    as_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    as_server.load_cert_chain(tls / "argo-server.pem", tls / "argo-server.key")
    as_client = ssl.create_default_context(cafile=str(place.bed.authority))
    with faulty_proxy(straight.argo_server, (as_server, as_client)) as proxy:
        yield proxy
