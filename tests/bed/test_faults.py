"""Faults between a researcher and a cluster's Argo server, drawn by a seed: no run twice, no line lost, nothing hangs.

HERA_UTILS_FAULTS says how many (`.ci/run --full`: 1,000), HERA_UTILS_SEED which.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connection import Connection

from .faulty_proxy import FaultyProxy, faulty_proxy
from .walks import campaign

FAULTS = int(os.environ.get("HERA_UTILS_FAULTS", "60"))
SEED = int(os.environ.get("HERA_UTILS_SEED", "1"))


@pytest.fixture
def straight(place) -> Connection:
    """The Argo server of the bed as the researcher of this namespace has it."""
    return Connection(
        place.bed.argo_server, place.name, token=place.token(seconds=7200), ca_file=str(place.bed.authority)
    )


@pytest.fixture
def between(place, straight) -> Iterator[FaultyProxy]:
    """A proxy before the bed's Argo server that can speak for it."""
    tls = Path(place.bed.folder) / "tls"
    as_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    as_server.load_cert_chain(tls / "argo-server.pem", tls / "argo-server.key")
    as_client = ssl.create_default_context(cafile=str(place.bed.authority))
    with faulty_proxy(straight.argo_server, (as_server, as_client)) as proxy:
        yield proxy


@pytest.mark.timeout(60 + 3 * FAULTS)
def test_what_lies_between_may_break_as_it_likes(between, straight) -> None:
    with ArgoClient(straight) as client:
        result = campaign(between, client, straight, faults=FAULTS, seed=SEED)
    assert result.wrong == []
    assert result.walks
