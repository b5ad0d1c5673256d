"""Print the image table for a run of the recordings: theirs, with what the recorded images held beyond it.

    images.py [--pull] FOLDER RECORDINGS...     FOLDER (it exists) takes what the table names; the first recordings' table and
                                                programs serve. --pull: every image is pulled, but for Argo's own command line

The recorded alpine, busybox and curl images have busybox's shell (`>&`, $RANDOM) and its nslookup; the recorded argosay:v2 has cowsay;
Argo's own command line is stood in for by `argo`. Python and the shells throw the recorded dice: dice.py says which, and why.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import dice
import yaml

_HERE = Path(__file__).resolve().parent
_BUSYBOX_IMAGES = ("alpine*", "busybox*", "curlimages/curl*")
_PYTHON_IMAGES = ("python:*", "my-image-with-python*")
_COWSAY_IMAGES = ("argoproj/argosay:v2", "quay.io/argoproj/argosay:v2")


def main(folder: Path, every: list[Path], *, pull: bool) -> None:
    table = {"*": "pull"} if pull else _stand_ins(folder, every)
    (folder / "tools").mkdir()  # the connection is put beside it, once there is one
    argo = shutil.copy(_HERE / "argo", folder / "tools")
    table["quay.io/argoproj/argocli*"] = {"entrypoint": ["python3", str(argo)], "path": [str(folder / "tools")]}
    yaml.safe_dump(table, sys.stdout)


def _stand_ins(folder: Path, every: list[Path]) -> dict[str, Any]:
    recordings = every[0]
    table: dict[str, Any] = yaml.safe_load((recordings / "images.yaml").read_text())
    for entry in table.values():  # relative paths are relative to the file that holds the table
        if "path" in entry:
            entry["path"] = [str(recordings / path) for path in entry["path"]]
        if "files" in entry:
            entry["files"] = {inside: str(recordings / outside) for inside, outside in entry["files"].items()}
    loaded = _loaded(every, folder)
    more = {name: [_shells(folder / "shells", loaded, "/bin/sh"), recordings / "bin"] for name in _COWSAY_IMAGES}
    if busybox := shutil.which("busybox"):
        applets = _shells(folder / "applets", loaded, f"{busybox} sh")
        (applets / "nslookup").symlink_to(busybox)
        more |= {name: [applets] for name in _BUSYBOX_IMAGES}
    more |= {name: [] for name in _PYTHON_IMAGES}
    for name, paths in more.items():
        entry = table.setdefault(name, {})
        entry["path"] = [*entry.get("path", []), *map(str, paths), str(loaded)]
        entry["env"] = {"PYTHONPATH": str(loaded)}
    return table


def _loaded(recordings: list[Path], folder: Path) -> Path:
    loaded = Path(shutil.copytree(_HERE / "loaded", folder / "loaded", ignore=shutil.ignore_patterns("__pycache__")))
    dice.load(recordings, loaded)
    return loaded


def _shells(folder: Path, loaded: Path, shell: str) -> Path:
    """A folder with a `sh` (and an `ash`) that throws the recorded dice."""
    folder.mkdir(exist_ok=True)
    for name in ("sh", "ash"):
        (folder / name).write_text(f"#!/bin/sh\nloaded='{loaded}' shell='{shell}'\n{(loaded / 'sh').read_text()}")
        (folder / name).chmod(0o755)
    return folder


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--pull"]
    main(Path(arguments[0]), [Path(name) for name in arguments[1:]], pull="--pull" in sys.argv)
