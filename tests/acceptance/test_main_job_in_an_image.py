"""The README's main command with nothing configured but a registry: its image is pulled, and every task runs in it."""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from pathlib import Path

import pytest
from registry_server import Registry

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "local_platform" / "pods"))
import hand_made_image  # noqa: E402

from hera_utils.images.manifest import this_platform  # noqa: E402


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """It has lab/python:3.11, made of this machine's Python and shell."""
    folder = tmp_path_factory.mktemp("image")
    hand_made_image.make(folder / "files")
    with tarfile.open(folder / "layer.tar", "w") as layer:
        layer.add(folder / "files" / "below", arcname=".")
    with Registry() as server:
        server.digest = server.add_image(
            "lab/python", "3.11", [folder / "layer.tar"], config={"Cmd": ["python3"]}, platform=this_platform()
        )
        yield server


def test_the_main_job_runs_in_the_image_that_its_registry_has(machine, registry):
    folder = machine.folder / "experiment"
    shutil.copytree(HERE.parents[1] / "examples" / "experiment", folder)
    asked = len(registry.requests)
    for _ in range(5):
        run = machine.python(folder / "experiment.py", "--registry", f"{registry.host}/lab", timeout=600)
        # the registry is this very process, on a machine that may be busy
        if "did not answer within" not in run.stderr:
            break
    assert run.returncode == 0, run.stderr
    assert "vintage,states,mean,theil,between,within" in run.stdout
    assert "stands in" not in run.stderr
    assert len(registry.requests) > asked
    assert any(registry.digest in record.read_text() for record in folder.glob("runs/*/run.json"))
    images = machine.run("image", "ls", "--output", "json")
    assert [image["digest"] for image in json.loads(images.stdout)] == [registry.digest]
