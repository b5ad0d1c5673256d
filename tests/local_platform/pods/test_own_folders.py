"""A container's own folders are reset for the next container, whatever changes the previous one made."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hera_utils.local_platform.pods.pod.own_folders import OwnFolders


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, OwnFolders]:
    return tmp_path, OwnFolders({f"{tmp_path}/run": None, f"{tmp_path}/run/lock": 0o1777, f"{tmp_path}/tmp": 0o1777})


def content(top: Path) -> dict[str, int]:
    return {str(path.relative_to(top)): path.lstat().st_mode for path in sorted(top.rglob("*"))}


def dated_back(top: Path) -> None:
    """Set a folder's times back, as a task does that hides its changes, or tar when it restores a folder's time."""
    status = (top / "tmp").stat()
    (top / "tmp" / "left").touch()
    os.utime(top / "tmp", ns=(status.st_atime_ns, status.st_mtime_ns))


def replaced(top: Path) -> None:
    (top / "run" / "lock").rmdir()
    (top / "run" / "lock").symlink_to("/")


@pytest.mark.parametrize(
    "change",
    [
        lambda top: (top / "tmp" / "left").touch(),
        lambda top: (top / "run" / "lock" / "left").mkdir(),
        lambda top: shutil.rmtree(top / "run" / "lock"),
        lambda top: ((top / "tmp" / "left").touch(), (top / "tmp" / "left").unlink()),
        replaced,
        dated_back,
    ],
    ids=["file", "folder", "gone", "nothing", "link", "hidden"],
)
def test_the_next_one_finds_what_the_first_one_found(folders: tuple[Path, OwnFolders], change: object) -> None:
    top, own = folders
    first = content(top)
    for _ in range(3):
        assert own.is_untouched(f"{top}/tmp")
        assert own.is_untouched(f"{top}/run/lock")
        change(top)  # type: ignore[operator]
        assert not (own.is_untouched(f"{top}/tmp") and own.is_untouched(f"{top}/run/lock"))
        own.empty()
        assert content(top) == first
    own.empty()
    assert content(top) == first


@pytest.mark.parametrize(
    "change",
    [
        lambda top: (top / "tmp").chmod(0o700),
        lambda top: (top / "run").chmod(0o777),
        lambda top: os.setxattr(top / "tmp", "user.left", b"for the next one"),
    ],
    ids=["mode", "mode of none", "attribute"],
)
def test_a_folder_that_was_opened_to_others_or_given_away_is_not_used_again(
    folders: tuple[Path, OwnFolders], change: object
) -> None:
    top, own = folders
    try:
        change(top)  # type: ignore[operator]
    except OSError:
        pytest.skip("this file system keeps no attributes")
    with pytest.raises(OSError, match="Stale"):
        own.empty()


@pytest.fixture
def pinned(folders: tuple[Path, OwnFolders]) -> tuple[Path, OwnFolders]:
    """A file such as /run/systemd/resolve/stub-resolv.conf, on which the machine's own file is mounted."""
    top, own = folders
    (top / "run" / "a" / "b").mkdir(parents=True)
    (top / "run" / "a" / "b" / "mounted").touch()
    own.pin(f"{top}/run/a/b/mounted")
    return top, own


@pytest.mark.parametrize("place", ["run", "run/a", "run/a/b", "run/lock"])
def test_nothing_is_left_beside_what_is_pinned(pinned: tuple[Path, OwnFolders], place: str) -> None:
    top, own = pinned
    first = content(top)
    for _ in range(2):
        (top / place / "left").write_text("for the next one")
        (top / place / "folder").mkdir()
        own.empty()
        assert content(top) == first


@pytest.mark.parametrize(
    "change",
    [
        lambda run: (run / "a").rename(run / "other"),
        lambda run: ((run / "a").rename(run / "other"), shutil.copytree(run / "other", run / "a")),
        lambda run: (run / "a" / "b").chmod(0o700),
        lambda run: shutil.rmtree(run / "a"),
    ],
    ids=["moved", "replaced", "mode", "gone"],
)
def test_what_is_pinned_must_stay_where_it_is(pinned: tuple[Path, OwnFolders], change: object) -> None:
    """Otherwise its root is not used again."""
    top, own = pinned
    change(top / "run")  # type: ignore[operator]
    with pytest.raises(OSError, match="mounted"):
        own.empty()
