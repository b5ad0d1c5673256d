"""An image without a registry: two layers made of programs of this machine and the libraries that they need."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

from hera_utils.images.table import ImageTable, TableEntry

Json = dict[str, Any]
_PROGRAMS = """
    sh bash cat chmod cp cut date dd df du echo env false grep head hostname id kill ln ls mkdir mkfifo mknod mktemp mount mv od printf ps
    pwd readlink rm rmdir sed seq setsid sleep sort stat tail tar tee test touch tr true truncate uname wc which whoami xargs gzip
    find sha256sum python3 getent tty umount unlink basename dirname expr timeout awk mawk unshare
"""
OS_RELEASE = 'ID=hand-made\nPRETTY_NAME="Hand-made 1"\n'
PASSWD = (
    "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n"
)
GROUP = "root:x:0:\napp:x:1000:\nhelpers:x:2000:app\nnogroup:x:65534:\n"
PYTHON = "/usr/bin/python3"


def make(folder: Path) -> Json:
    """The settings of the image, as the server writes them into a launch."""
    below, above = folder / "below", folder / "above"
    for path in ("usr/bin", "usr/lib", "usr/lib64", "etc", "run", "var", "root", "home/app", "mnt", "media", "opt/old"):
        (below / path).mkdir(parents=True)
    for path in ("tmp", "var/tmp"):
        (below / path).mkdir()
        (below / path).chmod(0o1777)
    (below / "root").chmod(0o700)
    for link, target in {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "var/run": "/run"}.items():
        (below / link).symlink_to(target)
    for name, text in {"os-release": OS_RELEASE, "passwd": PASSWD, "group": GROUP, "hostname": "nobody\n"}.items():
        (below / "etc" / name).write_text(text)
    for path in ("opt/gone", "opt/old/gone", "run/of-the-image"):
        (below / path).write_text("below\n")
    _programs(below)
    (above / "opt" / "old").mkdir(parents=True)
    (above / "opt" / "old" / "new").write_text("above\n")
    os.mknod(above / "opt" / "gone", stat.S_IFCHR | 0o600, 0)
    os.setxattr(above / "opt" / "old", f"{'trusted' if os.getuid() == 0 else 'user'}.overlay.opaque", b"y")
    if os.getuid() == 0:
        os.chown(below / "home" / "app", 1000, 1000)
    return {
        "layers": [str(below), str(above)],
        "env": {"PATH": "/usr/bin:/bin", "OF_THE_IMAGE": "yes"},
        "cmd": ["sh"],
        "digest": "sha256:" + "0" * 64,
    }


def _programs(layer: Path) -> None:
    needed: set[str] = set()
    for name in _PROGRAMS.split():
        path = shutil.which(name, path="/usr/bin:/bin")
        if path is None:
            continue
        shutil.copy2(os.path.realpath(path), layer / "usr" / "bin" / name)
        needed |= _libraries(path)
    (layer / "usr" / "bin" / "python").symlink_to("python3")
    version = subprocess.run(
        [PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"], capture_output=True, text=True, check=True
    ).stdout.strip()  # fmt: skip
    ignored = shutil.ignore_patterns(
        "test", "tests", "idlelib", "tkinter", "dist-packages", "site-packages", "config-*", "ensurepip"
    )
    shutil.copytree(version, layer / version.lstrip("/"), ignore=ignored, symlinks=False, ignore_dangling_symlinks=True)
    for extension in (layer / version.lstrip("/") / "lib-dynload").glob("*.so"):
        needed |= _libraries(str(extension))
    _put(needed, layer)


def put_libraries(layer: Path) -> None:
    """Copy the shared libraries that the extension modules of a layer need."""
    _put(set().union(*(_libraries(str(path)) for path in layer.rglob("*.so"))), layer)


def _put(libraries: set[str], layer: Path) -> None:
    for library in libraries:
        real = library.replace("/lib", "/usr/lib", 1) if library.startswith(("/lib/", "/lib64/")) else library
        place = layer / real.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(library), place)


def _libraries(program: str) -> set[str]:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return set(re.findall(r"(/\S+\.so[^\s)]*)", listed))


class HandMadeImages(ImageTable):
    """Every image is the hand-made one, with the settings of `entry` added."""

    def __init__(self, settings: Json, **entry: Any) -> None:
        super().__init__()
        self.settings = {**settings, **entry}

    def entry(self, image: str, annotation: str = "") -> TableEntry:
        return TableEntry(stand_in=self.settings)
