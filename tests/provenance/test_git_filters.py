"""A folder that was copied with its .git brings settings of git: none of the programs in them is run to look at its state."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize("place", [".git/hooks", "theirs"])
def test_no_hook_of_it_is_run(folder: Path, tmp_path: Path, place: str) -> None:
    """To look at a folder refreshes what git notes of its files, and calls a hook."""
    ran, hook = tmp_path / "ran", folder / place / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    git(folder, "config", "core.hooksPath", str(hook.parent))
    git(folder, "config", "core.trustctime", "true")
    (folder / "a.txt").write_text("as committed\n")
    os.utime(folder / "a.txt", (1, 1))
    commit = commit_of(folder)
    assert commit is not None
    assert not ran.exists()


@pytest.mark.parametrize("missing", ["HEAD", "HEAD^{tree}"])
@pytest.mark.parametrize("way", ["ext", "uploadpack", "ssh"])
def test_what_is_missing_in_it_is_fetched_from_nowhere(folder: Path, tmp_path: Path, way: str, missing: str) -> None:
    """A part of a clone may be left to a server, whose address in the settings may be a program."""
    ran = tmp_path / "ran"
    settings = {
        "ext": {"remote.o.url": f"ext::sh -c touch% {ran}", "protocol.ext.allow": "always"},
        "uploadpack": {"remote.o.url": str(folder), "remote.o.uploadpack": f"touch {ran};"},
        "ssh": {"remote.o.url": "ssh://host/x", "core.sshCommand": f"touch {ran};"},
    }[way]
    settings |= {"core.repositoryformatversion": "1", "extensions.partialClone": "o", "remote.o.promisor": "true"}
    digest = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", missing], capture_output=True, text=True, check=True
    ).stdout.strip()
    for name, value in settings.items():
        git(folder, "config", name, value)
    (folder / ".git" / "objects" / digest[:2] / digest[2:]).unlink()
    commit_of(folder)
    assert not ran.exists()
