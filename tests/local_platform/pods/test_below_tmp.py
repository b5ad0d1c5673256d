"""/tmp is empty in every container, but folders of this machine below it are visible to each pod that needs them, not only to the first."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest
from stage import Stage

PODS = 12


def test_a_program_of_an_image_below_tmp(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        tool = Path(folder, "bin", "their-tool")
        tool.parent.mkdir()
        tool.write_text("#!/bin/sh\necho theirs\n")
        tool.chmod(0o755)
        os.chmod(folder, 0o755)
        images = json.dumps({"alpine*": {"cmd": ["sh"], "path": [str(tool.parent)]}})
        stage = Stage(tmp_path / "state", cores=1)
        try:
            for _ in range(PODS):
                end = stage.run(stage.shell("their-tool", annotations={"hera-utils/images": images}))
                assert end.phase == "Succeeded", end
        finally:
            stage.close()


def test_a_claim_mounted_below_tmp(tmp_path: Path) -> None:
    claim = tmp_path / "claim"
    claim.mkdir()
    stage = Stage(tmp_path / "state", cores=1)
    try:
        for number in range(PODS):
            pod = stage.shell(
                f"echo {number} > /tmp/data/{number}",
                main={"volumeMounts": [{"name": "c", "mountPath": "/tmp/data"}]},
                spec={"volumes": [{"name": "c", "persistentVolumeClaim": {"claimName": "c"}}]},
                claims={"c": str(claim)},
            )
            assert stage.run(pod).phase == "Succeeded"
        assert sorted(int(file.name) for file in claim.iterdir()) == list(range(PODS))
    finally:
        stage.close()


def claim_below_tmp(stage: Stage, claim: Path, script: str) -> list[str]:
    pod = stage.shell(
        script,
        main={"volumeMounts": [{"name": "c", "mountPath": "/tmp/way/further/data"}]},
        spec={"volumes": [{"name": "c", "persistentVolumeClaim": {"claimName": "c"}}]},
        claims={"c": str(claim)},
    )
    stage.run(pod)
    return stage.log(pod)


LOOK = """
find /tmp -path /tmp/way/further/data -prune -o -print | sort
stat -c %a:%u /tmp /tmp/way /tmp/way/further
cat /tmp/way/further/data/mark
"""


@pytest.mark.parametrize(
    "change",
    [
        "touch /tmp/x /tmp/way/x; mkdir /tmp/way/further/more; touch /tmp/way/further/more/x",
        "chmod 700 /tmp/way; touch /tmp/way/x",
        "chown 1:1 /tmp/way/further; touch /tmp/way/further/x",
        "mv /tmp/way /tmp/other",
        "mv /tmp/way /tmp/other; mkdir -p /tmp/way/further/data; touch /tmp/way/further/data/x",
        "mv /tmp/way/further /tmp/way/x; ln -s /etc /tmp/way/further",
        "rmdir /tmp/way/further/data; mv /tmp/way/further/data /tmp/x",
    ],
)
def test_what_leads_to_a_mount_is_empty_for_each_pod(tmp_path: Path, change: str) -> None:
    claim = tmp_path / "claim"
    claim.mkdir()
    (claim / "mark").write_text("mounted\n")
    stage = Stage(tmp_path / "state", cores=1)
    try:
        new = claim_below_tmp(stage, claim, LOOK)
        assert new[-1] == "mounted"
        for _ in range(2):
            for _ in range(2):  # both workers
                claim_below_tmp(stage, claim, change)
            assert [claim_below_tmp(stage, claim, LOOK) for _ in range(2)] == [new] * 2
    finally:
        stage.close()


def test_a_mount_below_tmp_is_made_once(tmp_path: Path) -> None:
    claim = tmp_path / "claim"
    claim.mkdir()
    stage = Stage(tmp_path / "state", cores=1)
    try:
        namespaces = {claim_below_tmp(stage, claim, "touch /tmp/x; readlink /proc/self/ns/mnt")[0] for _ in range(PODS)}
        assert len(namespaces) <= 3  # there were at most three workers
    finally:
        stage.close()
