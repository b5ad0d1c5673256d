"""A folder that was copied with its .git brings settings of git: none of the programs in them is run to look at its state."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hera_utils.provenance.git import commit_of


def git(folder: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@b", *words], check=True, capture_output=True
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "theirs"
    folder.mkdir()
    git(folder, "init", "--quiet", "-b", "main")
    (folder / ".gitattributes").write_text("*.txt filter=theirs\n")
    (folder / "a.txt").write_text("as committed\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    (folder / "a.txt").write_text("changed\n")
    return folder


def test_what_is_changed_is_counted(folder: Path) -> None:
    commit = commit_of(folder)
    assert commit is not None
    assert (len(commit.commit), commit.branch, commit.changed) == (40, "main", 1)


@pytest.mark.parametrize(
    "setting", ["filter.theirs.clean", "filter.theirs.process", "core.fsmonitor", "FILTER.theirs.CLEAN"]
)
@pytest.mark.parametrize("where", ["config", "included", "worktree"])
def test_no_program_of_its_settings_is_run(folder: Path, tmp_path: Path, setting: str, where: str) -> None:
    ran = tmp_path / "ran"
    file = folder / ".git" / {"config": "config", "included": "more", "worktree": "config.worktree"}[where]
    if where == "included":
        git(folder, "config", "include.path", "more")
    if where == "worktree":
        git(folder, "config", "extensions.worktreeConfig", "true")
    git(folder, "config", "--file", str(file), setting, f"touch {ran}; cat")
    commit = commit_of(folder)
    assert commit is not None
    assert commit.branch == "main"
    assert not ran.exists()
