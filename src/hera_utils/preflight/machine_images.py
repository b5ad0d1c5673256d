"""The doctor's checks of what this machine can do with container images. The local platform runs whatever they find."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from hera_utils.errors import HeraUtilsError
from hera_utils.image_policies import ALL
from hera_utils.preflight.finding import Finding, Subject, good, problem, unknown, warning
from hera_utils.wording import counted

_CHECK = "images"
_HUB_SECONDS = 5.0  # seconds to wait for an answer of Docker Hub

# Runs in its own process, because its changes to the process cannot be undone.
_TRY_OVERLAY = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def check(answer, what):
    if answer:
        raise SystemExit(what + ": " + os.strerror(ctypes.get_errno()))
def mount(source, target, kind, flags, options):
    check(libc.mount(source, target.encode(), kind, flags, options), "an overlay" if kind == b"overlay" else "a mount")
user, group, more = os.geteuid(), os.getegid(), ""
if user or libc.unshare(0x20000):
    check(libc.unshare(0x20000 | 0x10000000), "a user namespace")
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    more = ",userxattr"
folder = sys.argv[1]
mount(None, "/", None, 0x4000 | 0x40000, None)
mount(b"tmpfs", folder, b"tmpfs", 0, None)
for name in ("lower", "upper", "work", "merged"):
    os.mkdir(f"{folder}/{name}")
mount(
    b"overlay", f"{folder}/merged", b"overlay", 0,
    f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work{more}".encode(),
)
"""


def check_images(subject: Subject) -> Iterator[Finding]:
    """Whether the programs and files that the image table names exist, and which features for images work here."""
    context = subject.context
    for pattern, entry in context.images.items():
        paths = [*entry.get("path", []), *entry.get("files", {}).values()]
        program = entry.get("python")
        if isinstance(program, str) and "/" in program:
            paths.append(program)
        for path in paths:
            if not os.path.exists(path):
                yield problem(
                    _CHECK,
                    f"the image `{pattern}` needs {path}, which does not exist",
                    f"correct it ({context.origin('images')})",
                )
    policy = (context.images.get(ALL) or {}).get("policy", "auto")
    count = len([pattern for pattern in context.images if pattern != ALL])
    named = f"; {counted(count, 'image')} in the settings' table" if count else ""
    yield good(_CHECK, f"the policy for images is {policy}{named}{_describe_store(Path(context.state))}")
    if policy == "stand-in" or not sys.platform.startswith("linux"):
        return
    yield from _check_layers()
    yield from _check_users()
    if policy != "never":
        yield from _check_docker_hub()


def _describe_store(state: Path) -> str:
    from hera_utils.images.store import Store

    stored = Store(state / "images").images()
    size = sum(image.size for image in stored) / 2**20
    return f"; {len(stored)} pulled or imported ({size:.0f} MiB)" if stored else ""


def _check_layers() -> Iterator[Finding]:
    """Whether the layers of an image can be mounted one over the other."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(
            [sys.executable, "-I", "-c", _TRY_OVERLAY, folder], capture_output=True, text=True, check=False, cwd="/"
        )
    if tried.returncode == 0:
        yield good(_CHECK, "the kernel mounts the layers of images")
        return
    why = (tried.stderr.strip().splitlines() or ["refused"])[-1].lower()
    yield warning(
        _CHECK,
        f"the kernel does not mount the layers of images ({why}): only stand-ins run",
        "use Linux 5.11 or newer, and allow user namespaces; or run with --images stand-in",
    )


def _check_users() -> Iterator[Finding]:
    """Whether images can run their program as the user that they name (decision 31)."""
    if os.geteuid() == 0:
        yield good(_CHECK, "images run as their own users")
    else:
        yield good(_CHECK, "images run as their own users for themselves; what they write in volumes is yours")


def _check_docker_hub() -> Iterator[Finding]:
    from hera_utils.images.availability import ask_registries
    from hera_utils.images.login import Logins
    from hera_utils.images.reference import Reference

    reference = Reference.parse("busybox")
    answer = ask_registries({"busybox": reference}, Logins.of_this_user, _HUB_SECONDS).get("busybox")
    if isinstance(answer, str):
        yield good(_CHECK, "Docker Hub answers: images can be pulled")
    else:
        why = str(answer) if isinstance(answer, HeraUtilsError) else f"no answer within {_HUB_SECONDS:g} s"
        fix = (answer.fix or "") if isinstance(answer, HeraUtilsError) else "check the network and its proxy"
        yield unknown(_CHECK, f"Docker Hub cannot be asked for images: {why}", fix)
