"""What a task costs in a real image, against the same task with this machine's programs, side by side in one run.

    python benchmarks/images.py [rounds] [layers]

The image is made of this machine's `sh` and its libraries, and lies in a store as a pulled one does; the others of its layers hold a file
each. Prints the medians of a task alone and of a hundred at once, in milliseconds from launch to the report of the end, and the medians
of the ratios of neighbours.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from process_runtime import Bench

from hera_utils.images.config import ImageConfig
from hera_utils.images.manifest import this_platform
from hera_utils.images.reference import Reference
from hera_utils.images.store import Store
from hera_utils.images.table import ImageTable

IMAGE = "bench.example/sh:1"


def first_layer() -> bytes:
    shell = os.path.realpath(shutil.which("sh") or "/bin/sh")
    listed = subprocess.run(["ldd", shell], capture_output=True, text=True, check=False).stdout
    files = {
        "bin/sh": shell,
        **{path.lstrip("/"): os.path.realpath(path) for path in re.findall(r"(/\S+\.so[^\s)]*)", listed)},
    }
    return layer({name: Path(path).read_bytes() for name, path in files.items()})


def layer(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = 0o755, len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def fill(store: Store, count: int, folder: Path) -> None:
    layers = [first_layer(), *(layer({f"opt/{number}": b"x"}) for number in range(count - 1))]
    system, architecture, *_ = this_platform().split("/")
    document = json.dumps(
        {
            "os": system,
            "architecture": architecture,
            "rootfs": {"type": "layers", "diff_ids": [digest(data) for data in layers]},
        }
    ).encode()
    config = ImageConfig.parse(document)
    for number, data in enumerate(layers):
        packed = folder / "layer.tar"
        packed.write_bytes(data)
        store.add_layer(config, number, packed)
    store.add_blob(digest(document), document)
    store.add_image(Reference.parse(IMAGE), digest=digest(document), config_digest=digest(document))


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(Store(folder / "image" / "images"), count, folder)
        benches = {
            "stand_in": Bench(folder / "stand-in", ImageTable({"*": {"policy": "stand-in"}}), "alpine:3"),
            "image": Bench(folder / "image", ImageTable({"*": {"policy": "never"}}), IMAGE),
        }
        for bench in benches.values():
            bench.tasks(30)
        alone: dict[str, list[float]] = {kind: [] for kind in benches}
        many: dict[str, list[float]] = {kind: [] for kind in benches}
        for number in range(rounds):
            pair = list(benches.items())
            for kind, bench in pair if number % 2 else reversed(pair):  # neither is always the first after a pause
                alone[kind].append(bench.tasks(1) * 1e3)
                if number % 5 == 0:
                    many[kind].append(bench.tasks(100) * 10)
        for bench in benches.values():
            bench.runtime.close()
    found: dict[str, object] = {"layers": count}
    for title, times in (("alone", alone), ("many", many)):
        medians = {kind: statistics.median(values) for kind, values in times.items()}
        found |= {f"ms_{title}_{kind}": round(value, 3) for kind, value in medians.items()}
        # each against the one measured beside it: on a busy machine times change from moment to moment
        pairs = zip(times["image"], times["stand_in"], strict=True)
        found[f"times_a_stand_in_{title}"] = round(statistics.median(image / stand_in for image, stand_in in pairs), 2)
    found["failed"] = sum(len(bench.bad) for bench in benches.values())
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
