"""Runs tests as an ordinary user in a user namespace, as on most machines. Needs root to change the user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
USER = 4242
PYTHON = "/usr/bin/python3"
_CAN = "import sys; assert sys.version_info >= (3, 10); import yaml, pytest, hypothesis, pytest_timeout"


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hera-utils-", dir="/var/tmp"))
    os.chown(folder, USER, USER)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def environment(home: Path) -> dict[str, str]:
    import hera_utils

    paths = [str(Path(hera_utils.__file__).parents[1]), *(p for p in sys.path if p.endswith("site-packages"))]
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/home/somebody",
        "PYTHONPATH": ":".join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.mark.skipif(os.getuid() != 0, reason="already an ordinary user: the other tests show it")
@pytest.mark.parametrize(
    "tests",
    [
        "test_containers.py",
        "test_odd_files.py",
        "test_links_in_claims.py",
        "test_executor.py",
        "test_images.py",
        "test_image_roots.py",
        "test_image_pulls.py",
        "test_users.py",
        "test_root_rights.py",
        "test_tasks_stay_inside.py",
        "test_paths_stay_inside.py",
        "test_network.py",
        "test_root_fs.py",
        "test_warm_python.py::test_nothing_is_left_of_how_a_fork_server_is_made",
        pytest.param("test_pods.py", marks=pytest.mark.slow),
        pytest.param("test_crashes.py", marks=pytest.mark.slow),
    ],
)
def test_as_an_ordinary_user(home: Path, tests: str) -> None:
    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PYTHON, *words], user=USER, group=USER, extra_groups=[], cwd=home, env=environment(home),
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    if not os.path.exists(PYTHON) or command("-c", _CAN).returncode != 0:
        pytest.skip(f"{PYTHON} cannot use these packages as another user")
    found = command(
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        "--rootdir",
        str(HERE),
        str(HERE / tests),
        f"--basetemp={home}/t",
    )
    assert found.returncode == 0, found.stdout[-6000:]
