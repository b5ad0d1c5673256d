"""A disk with errors: the kernel makes its file system read-only while a server and tasks use it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hera_utils.local_platform import daemon
from small_disk import needs_root
from waiting import until

READ_ONLY = "is read-only: make it writable again"


def waiting_for(folder: Path) -> dict[str, Any]:
    """A workflow with one task, which ends when the folder has a file `go`."""
    container = {
        "image": "busybox",
        "command": ["sh", "-c", "until test -e /from/go; do sleep 0.05; done"],
        "volumeMounts": [{"name": "from", "mountPath": "/from"}],
    }
    volume = {"name": "from", "hostPath": {"path": str(folder)}}
    spec = {"entrypoint": "m", "volumes": [volume], "templates": [{"name": "m", "container": container}]}
    return {"kind": "Workflow", "metadata": {"name": "one"}, "spec": spec}


class Failing:
    """An ext4 file system in a file."""

    def __init__(self, folder: Path) -> None:
        self.image, self.folder = folder / "image", folder / "disk"
        self.folder.mkdir()
        self.image.write_bytes(b"")
        os.truncate(self.image, 64 << 20)
        made = subprocess.run(["mkfs.ext4", "-q", str(self.image)], capture_output=True, text=True, check=False)
        self.problem = made.stderr if made.returncode else self.mount()

    def mount(self) -> str:
        command = ["mount", "-o", "loop,errors=remount-ro", str(self.image), str(self.folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    def fail(self) -> None:
        """Make it read-only, as the kernel does when it finds an error on the disk."""
        found = subprocess.run(
            ["findmnt", "-no", "SOURCE", str(self.folder)], capture_output=True, text=True, check=True
        )
        Path(f"/sys/fs/ext4/{os.path.basename(found.stdout.strip())}/trigger_fs_error").write_text("x")

    def unmount(self) -> None:
        """Unmount it, and kill the processes that still use it: workers wait until they can write their pods' outcomes."""
        for number in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.fsencode(self.folder) in Path(f"/proc/{number}/cmdline").read_bytes():
                    os.kill(int(number), signal.SIGKILL)
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False)


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Failing]:
    if shutil.which("mkfs.ext4") is None or not Path("/sys/fs/ext4").is_dir():
        pytest.skip("this machine makes no ext4 file systems")
    disk = Failing(tmp_path)
    if disk.problem:
        pytest.skip(f"this machine mounts no file in a file: {disk.problem.strip()}")
    yield disk
    disk.unmount()


@needs_root
def test_the_run_waits_and_says_why_and_clients_are_answered(failing: Failing, tmp_path: Path) -> None:
    state = failing.folder / "state"
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "HERA_UTILS_STATE": str(state),
        "HERA_UTILS_IMAGES": "stand-in",
    }

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hera_utils", *words]
        return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    (tmp_path / "one.yaml").write_text(json.dumps(waiting_for(tmp_path)))
    try:
        assert ask("run", "one.yaml", "--detach", "--no-preflight").returncode == 0
        until(lambda: '"Running"' in ask("get", "one", "-o", "json").stdout.partition('"nodes"')[2])
        failing.fail()
        (tmp_path / "go").touch()
        until(lambda: READ_ONLY in ask("get", "one", "-o", "json").stdout)
        listed = ask("ls")
        assert (listed.returncode, "Running" in listed.stdout) == (0, True)
        refused = ask("delete", "one")
        assert (refused.returncode, "read-only" in refused.stderr) == (2, True)
    finally:
        assert daemon.stop(state)
    stopped = ask("ls")
    assert (stopped.returncode, "is read-only" in stopped.stderr) == (2, True)
