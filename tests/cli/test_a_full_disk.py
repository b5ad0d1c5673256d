"""What a user sees when the state folder's disk is full: runs wait, submitting says why, gc works, and all goes on by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from small_disk import Disk, disk, needs_root
from waiting import until

__all__ = ["disk"]
pytestmark = needs_root
WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: NAME}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: busybox, command: [sh, -c], args: ['COMMAND']}
    outputs: {artifacts: [{name: a, path: /dev/shm/a, optional: true}]}
"""
HERA = """
from hera.workflows import Container, Workflow
with Workflow(name="by-hera", entrypoint="c") as w:
    Container(name="c", image="busybox", command=["true"])
w.create()
"""


class Home:
    """A user whose state folder is on a small disk."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.folder, self.disk = folder, disk
        self.state = disk.folder / "state"

    def __call__(self, *words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        environment = {
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "HERA_UTILS_STATE": str(self.state),
            "NO_COLOR": "1",
        }
        command = [sys.executable, "-m", "hera_utils", *words]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=seconds
        )

    def run(self, name: str, command: str = "true", *more: str) -> subprocess.CompletedProcess[str]:
        file = self.folder / f"{name}.yaml"
        file.write_text(WORKFLOW.replace("NAME", name).replace("COMMAND", command))
        return self("run", str(file), *more)

    def workflow(self, name: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self("get", name, "-o", "json").stdout)
        return found

    def phase(self, name: str) -> object:
        return self.workflow(name)["status"]["phase"]  # type: ignore[index]

    def fill_to_the_last_byte(self) -> None:
        """Fill the reserve, too, as a task that keeps writing would."""
        (self.state / "reserve").unlink(missing_ok=True)
        self.disk.fill()


@pytest.fixture
def home(tmp_path: Path, disk: Disk) -> Iterator[Home]:
    folder = tmp_path / "home"
    folder.mkdir()
    found = Home(folder, disk)
    yield found
    disk.empty()
    found("serve", "--stop")


def test_a_run_waits_and_goes_on(home: Home) -> None:
    assert home.run("first").returncode == 0
    time.sleep(1)  # until the garbage of the first run is removed and the journal has its final size
    home.disk.fill(100 << 10)
    assert home.run("second", "true", "--detach").returncode == 0
    words = "1 node(s) had disk pressure: the disk with"
    until(lambda: words in json.dumps(home.workflow("second")))
    until(lambda: [one for one in json.loads(home_events(home)) if words in one["message"]])
    events = json.loads(home_events(home))
    assert [one["reason"] for one in events if words in one["message"]] == ["FailedScheduling"]
    told = home("doctor")
    assert f"no task starts: the disk with {home.state} is full" in told.stdout
    assert "1 problem" in told.stdout
    home.disk.empty()
    until(lambda: home.phase("second") == "Succeeded")


def home_events(home: Home) -> str:
    import urllib.request

    known = json.loads((home.state / "server.json").read_text())
    request = urllib.request.Request(
        f"{known['kubernetes']}/api/v1/namespaces/default/events", headers={"Authorization": f"Bearer {known['token']}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.dumps(json.load(answer)["items"])


def test_submitting_blames_the_disk(home: Home) -> None:
    assert home.run("first").returncode == 0
    home.fill_to_the_last_byte()
    refused = home.run("second", "x" * 200000, "--no-preflight")
    script = home.folder / "script.py"
    script.write_text(HERA.replace("true", "x" * 200000))
    of_script = home("run", "--no-preflight", str(script))
    for done, place in ((refused, ""), (of_script, "script.py, line 5: ")):
        assert done.returncode == 2
        said = done.stderr.splitlines()
        assert said[-2:] == [
            f"hera-utils: {place}the disk with {home.state} is full",
            "  fix: free some space (`hera-utils gc` removes old runs)",
        ], done
    home.disk.empty()
    assert home.run("third").returncode == 0


def test_gc_works_on_a_full_disk(home: Home) -> None:
    assert home.run("old", "head -c 2000000 /dev/urandom > /dev/shm/a").returncode == 0
    home.fill_to_the_last_byte()
    done = home("gc", "--older-than", "0s", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 run deleted" in done.stdout
    assert not list((home.state / "artifacts").rglob("*.tgz"))
    assert home("get", "old").returncode == 2
    until(lambda: home.run("new").returncode == 0)


def test_a_server_starts_on_a_full_disk(home: Home) -> None:
    assert home.run("old", "head -c 2000000 /dev/urandom > /dev/shm/a").returncode == 0
    until(lambda: (home.state / "reserve").exists())
    home("serve", "--stop")
    home.disk.fill()
    assert "old" in home("ls").stdout
    assert not (home.state / "reserve").exists()
    assert home("gc", "--older-than", "0s", "--yes").returncode == 0
    home.disk.empty()
    assert home.run("new").returncode == 0
    until(lambda: home.run(f"n{time.monotonic_ns()}").returncode == 0 and (home.state / "reserve").exists())
