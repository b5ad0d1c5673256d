"""The user of a container with an image: the image's, or the one in the pod's securityContext, looked up in the image's own files.

The rules are those of container runtimes and of the kubelet: a name must be in /etc/passwd, a number need not; runAsUser replaces the
image's user and its group; the default group is the user's own, or root's for a number that is not in /etc/passwd.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from .errors import PodFault

Json = dict[str, Any]
_CONFIG_ERROR = "CreateContainerConfigError"


class WantedUser(NamedTuple):
    """image: the image's USER (name or number, perhaps `:group`). user, group: runAsUser and runAsGroup. groups: further ones."""

    image: str = ""
    user: int | None = None
    group: int | None = None
    groups: tuple[int, ...] = ()
    must_not_be_root: bool = False
    container: str = "main"


class User(NamedTuple):
    """A user in a container. home: the home folder in the image's /etc/passwd."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str

    @property
    def is_root(self) -> bool:
        return (self.uid, self.gid, self.groups) == (0, 0, ())


def wanted_user(pod: Json, container: Json, image: str) -> WantedUser:
    """The user that the container's securityContext, else the pod's, requests. image: the image's USER."""
    of_pod = (pod.get("spec") or {}).get("securityContext") or {}
    of_container = container.get("securityContext") or {}

    def setting(field: str) -> Any:
        value = of_container.get(field)
        return of_pod.get(field) if value is None else value

    groups = [*(of_pod.get("supplementalGroups") or ()), *([of_pod["fsGroup"]] if of_pod.get("fsGroup") else ())]
    return WantedUser(
        image,
        None if setting("runAsUser") is None else int(setting("runAsUser")),
        None if setting("runAsGroup") is None else int(setting("runAsGroup")),
        tuple(dict.fromkeys(map(int, groups))),
        bool(setting("runAsNonRoot")),
        str(container.get("name") or "main"),
    )


def resolve(wish: WantedUser, passwd: str, group: str) -> User:
    """Look the user up. passwd, group: the texts of the image's files, "" where it has none. Raises PodFault."""
    name, _, group_name = wish.image.partition(":")
    if wish.user is not None:
        name, group_name = str(wish.user), ""
    if wish.group is not None:
        group_name = str(wish.group)
    if wish.must_not_be_root and wish.user is None and name and not name.isdecimal():
        raise PodFault(
            f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root (container: "
            f"{wish.container}): give the securityContext a runAsUser",
            _CONFIG_ERROR,
        )
    people = list(_lines(passwd, 7))
    entry = next((line for line in people if line[0] == name), None) if name else None
    if entry is None and (not name or name.isdecimal()):
        entry = next((line for line in people if line[2] == str(int(name or 0))), None)
    if entry is not None:
        uid, gid, home = int(entry[2]), int(entry[3]), entry[5] or "/"
    elif not name or name.isdecimal():
        uid, gid, home = int(name or 0), 0, "/"
    else:
        raise PodFault(f"unable to find user {name}: no matching entries in passwd file", "CreateContainerError")
    if wish.must_not_be_root and uid == 0:
        why = "container's runAsUser breaks non-root policy" if wish.user == 0 else (
            "container has runAsNonRoot and image will run as root"
        )  # fmt: skip
        raise PodFault(
            f"{why} (container: {wish.container}): give the securityContext another runAsUser", _CONFIG_ERROR
        )
    own = [int(line[2]) for line in _lines(group, 4) if entry is not None and entry[0] in line[3].split(",")]
    if group_name:
        gid = _group(group_name, group)
    groups = wish.groups if uid == 0 else tuple(dict.fromkeys((*own, *wish.groups)))
    return User(uid, gid, groups, home)


def _group(name: str, text: str) -> int:
    found = next((line for line in _lines(text, 4) if line[0] == name), None)
    if found is not None:
        return int(found[2])
    if name.isdecimal():
        return int(name)
    raise PodFault(f"unable to find group {name}: no matching entries in group file", "CreateContainerError")


def _lines(text: str, fields: int) -> list[list[str]]:
    lines = [line.split(":") for line in text.splitlines()]
    return [
        line for line in lines if len(line) >= fields and line[2].isdecimal() and (fields < 7 or line[3].isdecimal())
    ]


@functools.lru_cache(maxsize=2)
def _ranges(table: str) -> tuple[tuple[int, int], ...]:
    """The ranges (first, count) of users or groups in this process's user namespace. table: uid_map or gid_map."""
    with open(f"/proc/self/{table}") as file:
        lines = [line.split() for line in file]
    return tuple((int(first), int(count)) for first, _, count in lines)


def is_possible(user: User) -> bool:
    """Whether this process can become that user. It cannot in a user namespace that has only one user."""
    return _knows("uid_map", user.uid) and all(map(knows_group, (user.gid, *user.groups)))


def knows_group(number: int) -> bool:
    """Whether this process's user namespace has that group."""
    return _knows("gid_map", number)


def _knows(table: str, number: int) -> bool:
    return any(first <= number < first + count for first, count in _ranges(table))


def impossible(image: str, user: User) -> str:
    """The warning for a container that the kernel does not even let appear as another user (program.py)."""
    return (
        f'the image "{image}" runs as root of its container instead of user {user.uid}, because this kernel refuses one more user '
        "namespace: allow more of them (sysctl -w user.max_user_namespaces=10000)"
    )
