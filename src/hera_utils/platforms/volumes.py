"""Copies files to and from claims of the local platform: `cp FILE results:inputs/` and back."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hera_utils.errors import LayoutError, Refused, ResourceError, SettingsError
from hera_utils.local_platform.pods.pod import open_beneath
from hera_utils.local_platform.pods.pod.errors import LeadsOut
from hera_utils.platforms.claim_folders import claim_folder, make_folder
from hera_utils.platforms.cluster import Cluster
from hera_utils.wording import system_reason


@dataclass(frozen=True)
class CopyResult:
    """The result of a copy. files, bytes: how many; target: a path of this machine."""

    files: int
    bytes: int
    target: str


@dataclass(frozen=True)
class ClaimPath:
    """A place inside a claim, written `claim:path`."""

    claim: str
    path: str

    @property
    def name(self) -> str:
        """The name of what is there: the last part of the path, or the claim's name."""
        return PurePosixPath(self.path).name if self.path.strip("./") else self.claim

    def check(self) -> None:
        """Raise LayoutError for a path that leaves the claim."""
        path = PurePosixPath(self.path)
        if path.is_absolute() or ".." in path.parts or "\x00" in self.path:
            raise LayoutError(
                f"`{self.claim}:{self.path}` leaves the claim", fix="give a path relative to the claim, without `..`"
            )


def place(text: str) -> ClaimPath | Path:
    """`claim:path`, or a path of this machine (write `./a:b` for a file with a colon in its name)."""
    head, colon, tail = text.partition(":")
    if colon and head and "/" not in head and head not in (".", "..", "~"):
        return ClaimPath(head, tail.lstrip("/"))  # `claim:/a` is relative to the claim's root
    return Path(os.path.expanduser(text))  # Path.expanduser would fail for `~nobody`


def copy(cluster: Cluster, source: str, target: str, *, state: str) -> CopyResult:
    """Copy a file or a folder (with what is in it) between this machine and a claim, or between two claims.

    In an existing folder it keeps its own name, as with cp -r. Links are copied as links if they stay inside the copied folder; a link
    that leads out of a claim is refused. Raises ResourceError if something is missing, LayoutError for a path that leaves the claim.
    """
    origin, goal = place(source), place(target)
    if not isinstance(origin, ClaimPath) and not isinstance(goal, ClaimPath):
        raise SettingsError(
            f"neither `{source}` nor `{target}` names a claim", fix="write claim:path, e.g. results:inputs/a.csv"
        )
    here = _path_on_this_machine(cluster, origin, state)
    if not os.path.lexists(here):
        raise ResourceError(
            f"there is no `{source}`", fix="hera-utils cp claim:path folder; the path is relative to the claim"
        )
    there = _path_on_this_machine(cluster, goal, state)
    if there.is_dir() or target.endswith("/") or (isinstance(goal, ClaimPath) and goal.path in ("", ".")):
        there = there / (origin.name if isinstance(origin, ClaimPath) else here.name)
    if there == here or here in there.parents:
        raise SettingsError(f"`{source}` would be copied into itself", fix="name a target outside of it")
    # Neither reading nor writing may leave these folders, which are the claims' if a claim is involved.
    inside = _root(cluster, origin, state) if isinstance(origin, ClaimPath) else None
    goal_root = _root(cluster, goal, state) if isinstance(goal, ClaimPath) else _users_folder(there.parent)
    return _copy_tree(here, there, inside, goal_root)


def copy_downloaded(folder: Path, name: str, target: str) -> CopyResult:
    """Copy the file or folder `name` in `folder` to a path of this machine, as `copy` does. Raises ResourceError, LayoutError."""
    there = Path(os.path.expanduser(target)).absolute()
    if there.is_dir() or target.endswith("/"):
        there = there / name
    return _copy_tree(folder / name, there, None, _users_folder(there.parent))


def _users_folder(folder: Path) -> Path:
    """The target folder outside of a claim, created if it is missing. Links in its own path are the user's, and are followed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"cannot copy to {folder} ({system_reason(error)})", fix="check permissions and free space"
        ) from None
    return folder


def _root(cluster: Cluster, where: ClaimPath, state: str) -> Path:
    try:
        folder = claim_folder(cluster, where.claim, state)
        make_folder(folder, where.claim)  # the first task that uses a claim creates its folder
        return folder.resolve()
    except Refused as error:
        if error.reason != "NotFound":
            raise
        names = ", ".join(sorted(str(claim["metadata"]["name"]) for claim in cluster.list("PersistentVolumeClaim")))
        raise ResourceError(
            f"there is no claim `{where.claim}` in the namespace {cluster.namespace}",
            fix=f"the claims there: {names or 'none yet; a run of the experiment creates its own'}",
        ) from None


def _path_on_this_machine(cluster: Cluster, where: ClaimPath | Path, state: str) -> Path:
    if isinstance(where, Path):
        return where.absolute()
    where.check()
    root = _root(cluster, where, state)
    folder = root / where.path
    _check_stays_inside(folder, root, f"{where.claim}:{where.path}")
    return folder


def _check_stays_inside(path: Path, root: Path, what: str) -> None:
    """Raise LayoutError if a path leads out of the claim through a link."""
    if not path.resolve().is_relative_to(root):
        raise LayoutError(f"`{what}` leads out of the claim through a link", fix="copy the target of the link instead")


def _copy_tree(here: Path, there: Path, inside: Path | None, goal_root: Path) -> CopyResult:
    files = size = 0
    try:
        for source, target in _walk(here, there):
            if source.is_symlink() and not _stays_inside(source, inside or here):
                raise LayoutError(
                    f"`{source}` is a link that leads out of the copied folder", fix="remove it, or copy its target"
                )
            mode = source.lstat().st_mode
            if stat.S_ISDIR(mode):
                with _folder(target, goal_root):
                    pass
            elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                with _folder(target.parent, goal_root) as folder:
                    size += _copy_one(source, Path(folder) / target.name, inside)
                files += 1
    except LeadsOut as error:
        raise LayoutError(
            f"`{error.filename}` leads out of its folder through a link", fix="copy the target of the link instead"
        ) from None
    except OSError as error:
        raise ResourceError(
            f"cannot copy to {there} ({system_reason(error)}: {error.filename})", fix="check permissions and free space"
        ) from None
    return CopyResult(files, size, str(there))


def _folder(path: Path, confines: Path) -> AbstractContextManager[str]:
    """A folder, created if it is missing, and held open, because a task may replace it by a link meanwhile."""
    return open_beneath.at(str(confines), os.path.relpath(path, confines), make=True)


def _copy_one(source: Path, target: Path, confines: Path | None) -> int:
    """Copy a file or a link; returns its bytes. Follows no link that was created meanwhile."""
    if target.is_symlink():
        target.unlink()  # otherwise the file would be written to the link's target
    if source.is_symlink():
        shutil.copy2(source, target, follow_symlinks=False)
        return source.lstat().st_size
    with ExitStack() as held:
        above = held.enter_context(
            open_beneath.at(str(confines), os.path.relpath(source.parent, confines))
            if confines
            else nullcontext(source.parent)
        )
        reading = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
        given = held.enter_context(open(os.open(f"{above}/{source.name}", reading), "rb"))
        status = os.fstat(given.fileno())
        writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        copied = held.enter_context(open(os.open(target, writing, 0o600), "wb"))
        shutil.copyfileobj(given, copied, 1 << 20)
        copied.flush()
        os.fchmod(copied.fileno(), stat.S_IMODE(status.st_mode))
        os.utime(copied.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
    return status.st_size


def _walk(here: Path, there: Path) -> list[tuple[Path, Path]]:
    pairs = [(here, there)]
    if here.is_dir() and not here.is_symlink():
        for folder, folders, names in os.walk(here):
            near = Path(folder)
            pairs += [(near / name, there / (near / name).relative_to(here)) for name in sorted([*folders, *names])]
    return pairs


def _stays_inside(link: Path, confines: Path) -> bool:
    return link.resolve().is_relative_to(confines.resolve())
