"""Faults between a researcher and a cluster's Argo server, drawn by a seed: no run twice, no line lost, nothing hangs.

HERA_UTILS_FAULTS says how many (`.ci/run --full`: 1,000), HERA_UTILS_SEED which.
"""

from __future__ import annotations

import os

import pytest

from hera_utils.platforms.argo_client import ArgoClient

from .walks import campaign

FAULTS = int(os.environ.get("HERA_UTILS_FAULTS", "60"))
SEED = int(os.environ.get("HERA_UTILS_SEED", "1"))


@pytest.mark.timeout(60 + 3 * FAULTS)
def test_what_lies_between_may_break_as_it_likes(between, straight) -> None:
    with ArgoClient(straight) as client:
        result = campaign(between, client, straight, faults=FAULTS, seed=SEED)
    assert result.wrong == []
    assert result.walks
