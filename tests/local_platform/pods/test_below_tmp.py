"""Folders of this machine below /tmp, which is empty in every container: they are there for each pod, not for the first alone."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

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
