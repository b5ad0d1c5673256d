"""Carries out command lines as a user of an example would."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def copied(local_platform, tmp_path):
    """Copies an example's folder, so that it can be changed; returns the folder and a function that runs command lines in it."""

    def copied_(name):
        folder = tmp_path / name
        shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__", "runs"))
        environment = {
            "HOME": str(tmp_path),
            "PATH": os.defpath,
            "PYTHONUTF8": "1",
            "HERA_UTILS_STATE": local_platform.context.state,
            "ARGO_NAMESPACE": local_platform.connection.namespace,
        }

        def typed(*words):
            answer = subprocess.run(
                [sys.executable, *map(str, words)],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=240,
            )
            assert answer.returncode == 0, answer.stdout + answer.stderr
            return answer.stdout

        return folder, typed

    return copied_
