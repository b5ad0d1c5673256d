"""Kills, full disks and clocks that jump: no run is lost, nothing runs twice, no run ends wrongly. Each campaign prints its figures.

Few of each here; HERA_UTILS_KILLS, HERA_UTILS_DISKS and HERA_UTILS_JUMPS say how many (`.ci/run --full`: 1,000 kills, 100 full disks, 200
jumps), HERA_UTILS_SEED which. What lies between client and server breaks in tests/bed/test_faults.py.
"""

from __future__ import annotations

import os
from pathlib import Path

import clocks
import disks
import kills
import pytest
from small_world import Findings, World

from small_disk import Disk, disk, needs_root

__all__ = ["disk"]
KILLS = int(os.environ.get("HERA_UTILS_KILLS", "6"))
DISKS = int(os.environ.get("HERA_UTILS_DISKS", "2"))
JUMPS = int(os.environ.get("HERA_UTILS_JUMPS", "4"))
SEED = int(os.environ.get("HERA_UTILS_SEED", "1"))


def held(findings: Findings) -> None:
    print(findings.text())
    assert (findings.lost, findings.twice, findings.wrong) == ([], [], []), findings.text()


@pytest.mark.timeout(600 + 10 * KILLS)
def test_kills_of_server_workers_spawners_and_clients(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    with World(tmp_path / "world", SEED) as world:
        held(kills.campaign(world, KILLS, say=KILLS > 100))


@needs_root
@pytest.mark.timeout(600 + 20 * DISKS)
def test_full_disks(tmp_path: Path, disk: Disk) -> None:
    with World(tmp_path / "world", SEED, disk.folder / "state") as world:
        held(disks.campaign(world, disk, DISKS, say=DISKS > 20))


@pytest.mark.timeout(600 + 10 * JUMPS)
def test_clocks_that_jump(tmp_path: Path) -> None:
    with World(tmp_path / "world", SEED) as world:
        held(clocks.campaign(world, JUMPS, say=JUMPS > 20))
