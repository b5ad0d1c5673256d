"""A planted token and a planted secret are nowhere: not in what is printed, logged, recorded, reported, raised, or in `ps`.

Where they may be, because that is the place's purpose, all of it readable by this user alone (0600, or in a folder that is 0700):
the user's own credentials.toml; of the local platform server.json and kubeconfig (its own token), and the secret's row in
journal.sqlite, as Kubernetes has it in etcd. What a task itself prints is not looked at (it is the task's to keep silent), nor what
`hera-utils connection` prints (which is the token, for other clients).
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import secrets
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from hera_utils.errors import HeraUtilsError
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connection import Connection

pytestmark = pytest.mark.timeout(600)  # some thirty commands, one after the other, on a machine that may be busy

EXPERIMENT = Path(__file__).with_name("planted_experiment.py")
OWN_PLACES = {"credentials.toml", "server.json", "kubeconfig"}


@dataclass
class Hunt:
    """Looks for planted texts, as they are and in base64 (at any alignment). found: where they were."""

    planted: dict[str, str]
    found: list[str] = field(default_factory=list)

    def needles(self) -> Iterator[tuple[str, bytes]]:
        for name, text in self.planted.items():
            raw = text.encode()
            yield name, raw
            for shift in range(3):
                coded = base64.b64encode(raw[shift : shift + (len(raw) - shift) // 3 * 3])
                yield f"{name} in base64", coded

    def look(self, where: str, data: bytes | str) -> None:
        data = data.encode() if isinstance(data, str) else data
        for name, needle in self.needles():
            if needle in data:
                self.found.append(f"{name}: {where}")

    def look_below(self, folder: Path, *, spare: frozenset[str] = frozenset()) -> int:
        """All files below a folder; gives their number. spare: names of files whose purpose it is, which must be private."""
        count = 0
        # not rglob: it fails where a folder of a pod that ended goes while it is read
        for path in (Path(parent, name) for parent, _, names in os.walk(folder) for name in names):
            if not path.is_file() or path.is_symlink():
                continue
            count += 1
            if path.name in spare:
                private = not stat.S_IMODE(path.stat().st_mode) & 0o077
                assert private or not stat.S_IMODE(path.parent.stat().st_mode) & 0o077, f"{path} can be read by others"
            elif path.name == "journal.sqlite":
                self._look_in_journal(path)
            elif not path.name.startswith("journal.sqlite-"):  # what has not been merged yet: read through the journal
                self._look_deeply(str(path), path.read_bytes())
        return count

    def _look_deeply(self, where: str, data: bytes) -> None:
        self.look(where, data)
        for unpack in (zlib.decompress, gzip.decompress):
            with contextlib.suppress(zlib.error, OSError, EOFError):
                self.look(f"{where}, unpacked", unpack(data))

    def _look_in_journal(self, path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path)) as journal:
            tables = [row[0] for row in journal.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                for row in journal.execute(f"SELECT * FROM {table}"):
                    if table == "objects" and "Secret" in row:
                        continue  # the secret's own row
                    for cell in row:
                        if isinstance(cell, str | bytes):
                            self._look_deeply(
                                f"{path.name}, table {table}", cell if isinstance(cell, bytes) else cell.encode()
                            )


@contextlib.contextmanager
def watching_processes(hunt: Hunt) -> Iterator[None]:
    """What `ps` shows to everybody, looked at all the time."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    hunt.look(f"ps: {path}", path.read_bytes())
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@dataclass
class User:
    """Someone at a terminal. home: also where they are."""

    home: Path
    variables: dict[str, str]
    hunt: Hunt

    def types(self, *words: object, expect: tuple[int, ...] = (0,)) -> str:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("ARGO", "KUBE", "HERA", "XDG"))
        }
        answer = subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=self.home,
            env=kept | {"HOME": str(self.home)} | self.variables,
            capture_output=True,
            text=True,
            timeout=120,
        )
        told = " ".join(map(str, words))
        self.hunt.look(f"stdout of {told}", answer.stdout)
        self.hunt.look(f"stderr of {told}", answer.stderr)
        assert answer.returncode in expect, answer.stdout + answer.stderr
        return answer.stdout

    def looks_around(self) -> None:
        """Runs the experiment (one of its points fails), and asks for everything that can be asked."""
        script = self.home / EXPERIMENT.name
        script.write_text(EXPERIMENT.read_text())
        self.types(script, expect=(1,))
        for words in (
            "doctor",
            "ls",
            "get @latest",
            "get @latest -o json",
            "get @latest -o yaml",
            "logs @latest",
            "results @latest",
            "results @latest -o json",
            "report @latest",
            "settings",
            "settings -o json",
            "profile ls",
            "profile show lab",
            "profile check lab",
            "version",
            "retry @latest",
        ):
            self.types("-m", "hera_utils", *words.split(), expect=(0, 1, 2))
        self.types("-m", "hera_utils", "doctor", script, expect=(0, 1, 2))
        self.types("-m", "hera_utils", "run", script, "--plan", expect=(0, 1, 2))


def test_on_a_cluster(place, tmp_path) -> None:
    planted = {"secret": f"planted-{secrets.token_hex(16)}", "token": place.token("researcher")}
    planted["token's signature"] = planted["token"].rpartition(".")[2]
    hunt = Hunt(planted)
    encoded = base64.b64encode(planted["secret"].encode()).decode()
    place.bed.admin.merge("Secret", "credentials", {"data": {"password": encoded}}, place.name)
    settings = tmp_path / ".config" / "hera-utils"
    settings.mkdir(parents=True)
    profile = {
        "argo_server": place.bed.argo_server,
        "ca_file": place.bed.authority,
        "argo_namespace": place.name,
        "k8s_config_file": place.kubeconfig("researcher"),
    }
    lines = [f'{name} = "{value}"\n' for name, value in profile.items()]
    (settings / "config.toml").write_text('profile = "lab"\n[profiles.lab]\n' + "".join(lines))
    credentials = settings / "credentials.toml"
    credentials.touch(mode=0o600)
    credentials.write_text(f'[profiles.lab]\nargo_token = "{planted["token"]}"\n')
    user = User(tmp_path, {"HERA_UTILS_STATE": str(tmp_path / "state")}, hunt)
    with watching_processes(hunt):
        user.looks_around()
        user.variables["ARGO_TOKEN"] = planted["token"]
        for wrong in (
            ("--argo_server", "https://127.0.0.1:1/argo"),
            ("--argo_server", place.bed.kubernetes),
            ("--ca_file", EXPERIMENT),
            ("--argo_namespace", "kube-system"),
        ):
            user.types("-m", "hera_utils", "ls", *wrong, expect=(1, 2))
        user.types(tmp_path / EXPERIMENT.name, "--argo_server", place.bed.kubernetes, expect=(1, 2))
    assert hunt.look_below(tmp_path, spare=frozenset(OWN_PLACES)) > 5
    # what stands behind the bed's Argo server never gets the caller's token; the secret it must have, to run with it
    behind = Hunt({name: text for name, text in planted.items() if name != "secret"})
    behind.look_below(place.bed.folder / "local", spare=frozenset(OWN_PLACES))
    assert hunt.found + behind.found == []


def test_on_this_machine(tmp_path) -> None:
    state = tmp_path / "state"
    hunt = Hunt({"secret": f"planted-{secrets.token_hex(16)}"})
    user = User(tmp_path, {"HERA_UTILS_STATE": str(state), "PLANTED_PASSWORD": hunt.planted["secret"]}, hunt)
    try:
        with watching_processes(hunt):
            user.types("-m", "hera_utils", "ls")  # which starts the server
            hunt.planted["token"] = json.loads((state / "server.json").read_text())["token"]
            user.looks_around()
            crash(state)
            user.types("-m", "hera_utils", "get", "@latest")
        assert "used" in (next(state.glob("pods/*/main.log"))).read_text()
        assert hunt.look_below(tmp_path, spare=frozenset(OWN_PLACES)) > 10
    finally:
        user.types("-m", "hera_utils", "serve", "--stop", expect=(0, 1, 2))
    assert hunt.look_below(tmp_path, spare=frozenset(OWN_PLACES)) > 10
    assert hunt.found == []


def crash(state: Path) -> None:
    """Kill the server: the next command rebuilds everything from what is on the disk."""
    os.kill(json.loads((state / "server.json").read_text())["pid"], signal.SIGKILL)


def test_in_exceptions(place) -> None:
    """Neither messages nor tracebacks nor the texts of objects that a debugger shows."""
    token = place.token("researcher")
    hunt = Hunt({"token": token, "token's signature": token.rpartition(".")[2]})
    right = Connection(place.bed.argo_server, place.name, token=token, ca_file=str(place.bed.authority))
    wrong = {
        "address": replace(right, argo_server="https://127.0.0.1:1/argo"),
        "no TLS": replace(right, argo_server=right.argo_server.replace("https", "http")),
        "authority": replace(right, ca_file=None),
        "base path": replace(right, argo_server=right.argo_server + "/else"),
        "cluster's own API": replace(right, argo_server=place.bed.kubernetes),
        "namespace": replace(right, namespace="kube-system"),
        "token with a line break": replace(right, token=token + "\n"),
    }
    for name, connection in wrong.items():
        with ArgoClient(connection) as client:
            try:
                client.list()
            except HeraUtilsError as error:
                told = "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())
                hunt.look(name, f"{told} {error!r} {error.fix} {vars(error)}")
            else:
                assert name == "token with a line break"
            hunt.look(f"{name}, the objects", f"{connection!r} {connection} {client!r}")
    with pytest.raises(HeraUtilsError), ArgoClient(replace(right, token=place.brief_token(seconds=-1))) as client:
        client.list()
    assert hunt.found == []
