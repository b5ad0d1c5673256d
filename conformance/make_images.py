"""Make the images that the recorded workflows name, and lay them out as a registry that hosts.py serves.

    make_images.py FOLDER RECORDINGS...      FOLDER takes REPOSITORY/TAG.json (a manifest; _.json: every other tag) and blobs/DIGEST

What a recorded image held is put together of this machine's own files: busybox with its applets, a Debian-like system of a few packages,
Python with what tasks import, and one program each. Images share their lower layers, as the real ones do. Python and the shells throw
the recorded dice: dice.py says which, and why.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import dice

Json = dict[str, Any]
_HERE = Path(__file__).resolve().parent
_PATH = "/loaded:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SYSTEM = (
    *(
        "base-files",
        "base-passwd",
        "bash",
        "coreutils",
        "dash",
        "debianutils",
        "diffutils",
        "findutils",
        "gawk",
        "grep",
        "gzip",
    ),
    *("hostname", "mawk", "ncurses-bin", "netbase", "openssl", "procps", "sed", "tar", "tzdata", "util-linux"),
)
_BESIDE = {"nginx": ["nginx-common"]}  # packages without which a program does not run
_MADE_LATER = {
    "nginx": ["/etc/nginx/sites-enabled/default", "/var/www/html/index.nginx-debian.html"]
}  # files that a package's installation makes
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"


class Layer(NamedTuple):
    """digest, size: of the compressed archive. diff: the digest of the archive itself."""

    digest: str
    size: int
    diff: str


class Images:
    """The registry's folder while it is filled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "blobs").mkdir(parents=True)

    def layer(self, root: Path) -> Layer:
        """The files below `root` as one layer."""
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
            diff = hashlib.sha256()
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0) as packed:
                through: Any = _Digesting(packed, diff)
                with tarfile.open(fileobj=through, mode="w|", format=tarfile.PAX_FORMAT) as archive:
                    for entry in sorted(os.listdir(root)):
                        archive.add(root / entry, entry, filter=_owned_by_root)
        return Layer(*self._keep(Path(file.name)), f"sha256:{diff.hexdigest()}")

    def image(self, name: str, layers: Iterable[Layer], config: Mapping[str, Any]) -> None:
        """name: REPOSITORY, for every tag, or REPOSITORY:TAG. config: Cmd, Entrypoint, Env… as Docker's configurations name them."""
        layers = list(layers)
        document = {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
            "os": "linux",
            "config": {**config, "Env": [f"PATH={_PATH}", "PYTHONPATH=/loaded", *config.get("Env", ())]},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff for layer in layers]},
        }
        digest, size = self._keep_text(document)
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _CONFIG, "digest": digest, "size": size},
            "layers": [{"mediaType": _LAYER, "digest": layer.digest, "size": layer.size} for layer in layers],
        }
        repository, _, tag = name.partition(":")
        place = self._folder / repository / f"{tag or '_'}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(manifest))

    def _keep_text(self, document: Json) -> tuple[str, int]:
        file = self._folder / "config"
        file.write_text(json.dumps(document))
        return self._keep(file)

    def _keep(self, file: Path) -> tuple[str, int]:
        """Move it to its place among the blobs. Its digest and size."""
        digest, size = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}", file.stat().st_size
        file.rename(self._folder / "blobs" / digest)
        return digest, size


class _Digesting:
    """A file object that digests what is written to another."""

    def __init__(self, file: gzip.GzipFile, digest: Any) -> None:
        self._file, self._digest = file, digest

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return self._file.write(data)


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


# --- what lies in the images -----------------------------------------------------------------------------------------------------


def _copy(path: Path, root: Path) -> None:
    """A file of this machine at its place below `root`, with the links on its way and what it is linked with."""
    place = root / path.resolve().relative_to("/")
    if path.is_symlink():
        link = root / _real_parent(path).relative_to("/") / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(path.resolve() if os.readlink(path).startswith("/") else os.readlink(path))
        if not path.exists():
            return
    if path.is_dir() and not path.is_symlink():
        place.mkdir(parents=True, exist_ok=True)
    if place.exists() or not path.is_file():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path.resolve(), place)
    if os.access(place, os.X_OK) or ".so" in path.name:
        for library in _libraries(path.resolve()):
            _copy(library, root)


def _real_parent(path: Path) -> Path:
    return path.parent.resolve()


def _libraries(program: Path) -> list[Path]:
    shown = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return [Path(path) for path in re.findall(r"(?:=> |^\t)(/\S+)", shown, re.MULTILINE)]


def _merged_usr(root: Path, *names: str) -> None:
    """Links of a Debian system: /bin → usr/bin…"""
    for name in names:
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")


def _packages(root: Path, names: Iterable[str]) -> None:
    for name in names:
        listed = subprocess.run(["dpkg", "-L", name], capture_output=True, text=True, check=False).stdout
        for line in listed.splitlines():
            if not line.startswith(("/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info")):
                _copy(Path(line), root)


def _accounts(root: Path) -> None:
    for folder in ("etc", "root", "tmp", "var/tmp", "var/log", "home", "mnt", "opt", "srv", "usr/local/bin"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for folder in ("tmp", "var/tmp"):
        (root / folder).chmod(0o1777)
    for file in ("os-release", "passwd", "group"):
        shutil.copy2(f"/etc/{file}", root / f"etc/{file}")
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")


def _busybox(root: Path) -> None:
    program = Path(shutil.which("busybox") or "")
    (root / "bin").mkdir(parents=True)
    shutil.copy2(program, root / "bin/busybox")
    for name in subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split():
        if not (root / "bin" / name).exists():
            (root / "bin" / name).symlink_to("busybox")
    _accounts(root)


def _system(root: Path) -> None:
    _merged_usr(root, "bin", "sbin", "lib", "lib64")
    _packages(root, _SYSTEM)
    _copy(Path("/bin/sh"), root)
    _accounts(root)


def _python(root: Path) -> None:
    """This program's interpreter as /usr/local/bin/python3, with its library and what tasks import."""
    base, version = Path(sys.base_prefix), f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = root / "usr/local/lib" / version
    ignored = shutil.ignore_patterns(
        "__pycache__", "test", "tests", "idlelib", "ensurepip", "config-*", "site-packages"
    )
    shutil.copytree(base / "lib" / version, library, ignore=ignored, symlinks=True)
    (library / "site-packages").mkdir()
    for file in _files_of("hera", set()):
        place = library / "site-packages" / file
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(Path(sysconfig.get_paths()["purelib"], file), place)
    program = root / "usr/local/bin/python3"
    program.parent.mkdir(parents=True)
    shutil.copy2(Path(sys.executable).resolve(), program)
    (program.parent / "python").symlink_to("python3")
    for file in (program, *library.rglob("*.so"), *library.rglob("*.so.*")):
        for needed in _libraries(file):
            if not needed.is_relative_to(root):
                _copy(needed, root)


def _files_of(distribution: str, seen: set[str]) -> list[Path]:
    """The files of an installed distribution and of all that it requires, relative to where packages lie."""
    if distribution in seen:
        return []
    seen.add(distribution)
    try:
        known = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return []  # required on another system or Python
    files = [Path(file) for file in known.files or () if ".." not in file.parts and file.suffix != ".pyc"]
    for requirement in known.requires or ():
        name, _, condition = requirement.partition(";")
        if "extra ==" not in condition:
            files += _files_of(re.split(r"[^\w.-]", name.strip())[0], seen)
    return files


def _program(name: str, root: Path) -> None:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if not found:
        sys.stderr.write(f"missing, so some cases will differ: {name}\n")
        return
    package = subprocess.run(["dpkg", "-S", found], capture_output=True, text=True, check=False).stdout.partition(":")[
        0
    ]
    _merged_usr(root, "lib", "lib64")  # busybox has none, and a program's loader lies there
    _packages(root, [package, *_BESIDE.get(name, ())] if package else [])
    for path in (found, *_MADE_LATER.get(name, ())):
        _copy(Path(path), root)


def _loaded(root: Path, recordings: list[Path], shell: str) -> None:
    """/loaded: the dice that the recordings threw, and a `sh` (and an `ash`) that throws them again."""
    folder = root / "loaded"
    shutil.copytree(_HERE / "loaded", folder, ignore=shutil.ignore_patterns("__pycache__", "sh"))
    dice.load(recordings, folder)
    for name in ("sh", "ash"):
        (folder / name).write_text(f"#!/bin/sh\nloaded=/loaded shell='{shell}'\n{(_HERE / 'loaded/sh').read_text()}")
        (folder / name).chmod(0o755)


def main(folder: Path, recordings: list[Path]) -> None:
    images = Images(folder)
    bin_of_recordings = recordings[0] / "bin"
    with tempfile.TemporaryDirectory() as work:

        def layer(name: str, fill: Any, *arguments: Any) -> Layer:
            root = Path(work, name)
            root.mkdir()
            fill(*arguments, root) if arguments else fill(root)
            return images.layer(root)

        def say(root: Path) -> None:
            shutil.copy2(bin_of_recordings / "argosay", root / "argosay")
            (root / "usr/local/bin").mkdir(parents=True)
            shutil.copy2(bin_of_recordings / "cowsay", root / "usr/local/bin/cowsay")

        busybox, system, python = layer("busybox", _busybox), layer("system", _system), layer("python", _python)
        dice_of_busybox = layer("dice-busybox", lambda root: _loaded(root, recordings, "/bin/busybox sh"))
        dice_of_system = layer("dice-system", lambda root: _loaded(root, recordings, "/bin/sh"))
        small, full = [busybox, dice_of_busybox], [system, dice_of_system]
        says = [system, python, layer("say", say), dice_of_system]
        for name in ("library/busybox", "library/alpine"):
            images.image(name, small, {"Cmd": ["sh"]})
        for name in ("library/debian", "library/ubuntu", "library/bash"):
            images.image(name, full, {"Cmd": ["bash"]})
        images.image("library/python", [system, python, dice_of_system], {"Cmd": ["python3"]})
        own = "library/my-image-with-python-source-code-and-dependencies"
        images.image(own, [system, python, dice_of_system], {"Cmd": ["python3"]})
        for name in ("argoproj/argosay:v1", "docker/whalesay"):
            images.image(name, says, {"Cmd": ["cowsay"]})
        images.image("argoproj/argosay:v2", says, {"Entrypoint": ["/argosay"]})
        images.image("argoproj/argoexec", [layer("empty", lambda root: _accounts(root))], {"Cmd": ["argoexec"]})
        for name, program, config in (
            ("curlimages/curl", "curl", {"Entrypoint": ["curl"]}),
            ("stedolan/jq", "jq", {"Entrypoint": ["jq"]}),
            ("library/nginx", "nginx", {"Cmd": ["nginx", "-g", "daemon off;"]}),
            ("library/influxdb", "influxd", {"Cmd": ["influxd"]}),
            ("library/node", "node", {"Cmd": ["node"]}),
        ):
            base = small if program == "curl" else full
            images.image(name, [base[0], layer(program, _program, program), base[1]], config)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
