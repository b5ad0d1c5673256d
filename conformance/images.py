"""Print the image table for a run of the recordings: theirs, with what the recorded images held beyond it.

    images.py RECORDINGS FOLDER      FOLDER (it exists) takes the links that the table names

The recorded alpine, busybox and curl images have busybox's shell (`>&`, $RANDOM) and its nslookup; the recorded argosay:v2 has cowsay;
Argo's own command line is stood in for by `argo`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import yaml

_BUSYBOX_IMAGES = ("alpine*", "busybox*", "curlimages/curl*")
_APPLETS = ("sh", "ash", "nslookup")
_COWSAY_IMAGES = ("argoproj/argosay:v2", "quay.io/argoproj/argosay:v2")


def main(recordings: Path, folder: Path) -> None:
    table = yaml.safe_load((recordings / "images.yaml").read_text())
    for entry in table.values():  # relative paths are relative to the file that holds the table
        if "path" in entry:
            entry["path"] = [str(recordings / path) for path in entry["path"]]
        if "files" in entry:
            entry["files"] = {inside: str(recordings / outside) for inside, outside in entry["files"].items()}
    more = {name: str(recordings / "bin") for name in _COWSAY_IMAGES}
    if busybox := shutil.which("busybox"):
        applets = folder / "applets"
        applets.mkdir()
        for name in _APPLETS:
            (applets / name).symlink_to(busybox)
        more |= {name: str(applets) for name in _BUSYBOX_IMAGES}
    for name, path in more.items():
        entry = table.setdefault(name, {})
        entry["path"] = [*entry.get("path", []), path]
    (folder / "tools").mkdir()  # the connection is put beside it, once there is one
    argo = shutil.copy(Path(__file__).parent / "argo", folder / "tools")
    table["quay.io/argoproj/argocli*"] = {"entrypoint": ["python3", str(argo)], "path": [str(folder / "tools")]}
    yaml.safe_dump(table, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
