"""The state folder is private to its owner: files that others could have written are not trusted, and others can read nothing."""

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys

import pytest
from toy_parts import ToyRuntime

from hera_utils.errors import PlatformError
from hera_utils.local_platform import daemon
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.state_folder import check_state_folder, open_state_folder

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def state(tmp_path):
    yield tmp_path / "state"
    with contextlib.suppress(PlatformError):  # it may be refused: then no server was started
        daemon.stop(tmp_path / "state")


def test_it_is_made_for_its_owner_alone_whatever_the_umask(state):
    before = os.umask(0)
    try:
        open_state_folder(state)
    finally:
        os.umask(before)
    assert mode(state) == 0o700


def test_what_is_made_in_an_empty_home_is_its_owners_alone_whatever_the_umask(tmp_path):
    """The folders above ours too: Python and the shell would run files that others put into ~/.local."""
    home, code = tmp_path / "home", tmp_path / "code"
    home.mkdir()
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("HERA_UTILS_", "XDG_", "PYTHON"))
    }
    environ |= {"HOME": str(home), "PYTHONPYCACHEPREFIX": str(code)}
    state = home / ".local" / "state" / "hera-utils"
    (home / "hera-utils.toml").write_text('argo_namespace = "default"\n')
    try:
        for words in ("connection", "profile add p --argo_server https://a.example", "trust"):
            command = [sys.executable, "-m", "hera_utils", *words.split()]
            done = subprocess.run(
                command, env=environ, cwd=home, umask=0, capture_output=True, text=True, timeout=120, check=False
            )
            assert done.returncode == 0, done.stderr
    finally:
        daemon.stop(state)
    made = {path: bits for path, bits in modes_in(home).items() if path != f"{home}/hera-utils.toml"}
    assert {".local", "state", ".config", "server.log"} <= {os.path.basename(path) for path in made}
    assert [path for path, bits in made.items() if bits & 0o022 and not stat.S_ISLNK(bits)] == []
    written = [path for path in modes_in(code) if path.endswith((".pyc", ".commands", ".serve"))]
    assert {path.rpartition(".")[2] for path in written} == {"pyc", "commands", "serve"}
    assert [path for path in written if os.stat(path).st_mode & 0o022] == [], "code is written by its owner alone"


@pytest.mark.parametrize("loose", [0o755, 0o777, 0o750, 0o711])
def test_a_looser_mode_is_tightened_and_that_is_said(state, loose, caplog):
    state.mkdir()
    (state / "journal.sqlite").touch(0o644)
    (state / "pods").mkdir(mode=0o755)
    state.chmod(loose)
    open_state_folder(state)
    assert (mode(state), mode(state / "journal.sqlite"), mode(state / "pods")) == (0o700, 0o600, 0o700)
    assert f"other users could read the state folder {state}: its mode is now 0700" in caplog.text
    caplog.clear()
    open_state_folder(state)
    assert caplog.text == ""


@as_root
def test_a_folder_of_another_user_is_refused(state):
    state.mkdir(mode=0o777)
    os.chown(state, NOBODY, NOBODY)
    for use in (open_state_folder, daemon.status, daemon.stop, daemon.start_or_join):
        with pytest.raises(PlatformError, match="belongs to another user") as refused:
            use(state)
        assert "HERA_UTILS_STATE" in refused.value.fix


@as_root
@pytest.mark.parametrize("name", ["token", "server.json", "journal.sqlite", "tls", "server.lock"])
@pytest.mark.parametrize("loose", [0o700, 0o777])
def test_what_another_user_wrote_is_refused(state, name, loose):
    state.mkdir()
    state.chmod(loose)
    (state / "tls").mkdir()
    path = state / name
    path.touch() if name != "tls" else None
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(PlatformError, match=f"{name} in the state folder was written by another user"):
        daemon.start_or_join(state)


@as_root
@pytest.mark.parametrize(
    "name",
    ["tls/server.key", "pods/a", "pods/a/supervisor.jsonl", "images/references/busybox.json", "python/abc/pyvenv.cfg"],
)
def test_also_below_the_folder_when_it_was_open(state, name):
    path = state / name
    path.parent.mkdir(parents=True)
    path.touch()
    os.chown(path, NOBODY, NOBODY)
    state.chmod(0o777)
    with pytest.raises(PlatformError, match="was written by another user"):
        check_state_folder(state)
    assert mode(state) == 0o777


def test_what_others_could_write_to_is_refused(state):
    state.mkdir()
    state.chmod(0o755)
    journal = state / "journal.sqlite"
    journal.touch()
    journal.chmod(0o666)
    with pytest.raises(
        PlatformError, match=r"journal.sqlite in the state folder could be written to by other"
    ) as refused:
        check_state_folder(state)
    assert f"chmod -R go= {state}" in refused.value.fix
    state.chmod(0o700)  # now nobody else can enter
    open_state_folder(state)
    assert mode(journal) == 0o600


def test_nor_is_a_folder_that_others_could_change(state):
    (state / "images").mkdir(parents=True)
    (state / "images").chmod(0o777)
    state.chmod(0o755)
    with pytest.raises(PlatformError, match="images in the state folder could be written to by other"):
        check_state_folder(state)


@as_root
def test_a_link_of_another_user_leads_nowhere(state, tmp_path):
    """Not even to a folder of this user, which would be taken for the state folder."""
    (tmp_path / "real").mkdir(mode=0o700)
    state.symlink_to(tmp_path / "real")
    os.chown(state, NOBODY, NOBODY, follow_symlinks=False)
    for use in (open_state_folder, daemon.status, daemon.start_or_join):
        with pytest.raises(PlatformError, match="belongs to another user"):
            use(state)


def test_where_modes_are_not_kept_it_is_refused(state, monkeypatch):
    """As on FAT, or on a Windows folder that is mounted in Linux."""
    state.mkdir(mode=0o755)
    monkeypatch.setattr(os, "chmod", lambda *_: None)
    with pytest.raises(PlatformError, match="does not keep modes") as refused:
        open_state_folder(state)
    assert "HERA_UTILS_STATE" in refused.value.fix


def test_a_link_to_a_folder_is_fine(state, tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    state.symlink_to(tmp_path / "real")
    open_state_folder(state)


WORK = """
from hera.workflows import *
with Workflow(generate_name='a-', entrypoint='main', archive_logs=True) as w:
    first = Container(name='first', image='busybox', command=['sh', '-c', 'umask; echo said > /tmp/x; mkdir /tmp/y; cp /tmp/x /tmp/y'],
        outputs=[Artifact(name='tar', path='/tmp/x'), Artifact(name='zip', path='/tmp/y', archive=ZipArchiveStrategy())])
    @script(image='python:3.11', inputs=[Artifact(name='tar', path='/tmp/in')])
    def second():
        import os
        print(oct(os.umask(0)), open('/tmp/in').read())
    with Steps(name='main'):
        one = first()
        second(arguments={'tar': one.get_artifact('tar')})
"""


@pytest.mark.parametrize("umask", [0, 0o077])
def test_nothing_in_it_can_be_read_by_others_whatever_the_umask(state, tmp_path, umask):
    script = tmp_path / "script.py"
    script.write_text(WORK)
    environ = os.environ | {"HERA_UTILS_STATE": str(state), "HOME": str(tmp_path)}
    commands = ([sys.executable, "-m", "hera_utils", *words] for words in (["run", script], ["logs", "@latest"]))
    done, logs = (
        subprocess.run(
            command, env=environ, cwd=tmp_path, umask=umask, capture_output=True, text=True, timeout=120, check=False
        )
        for command in commands
    )
    assert done.returncode == 0, done.stderr
    assert "first: 0022" in logs.stdout, "tasks have the umask of a container"
    assert "0o22 said" in logs.stdout
    daemon.stop(state)
    modes = modes_in(state)
    files = {path: bits for path, bits in modes.items() if stat.S_ISREG(bits) or stat.S_ISFIFO(bits)}
    assert {"journal.sqlite", "supervisor.jsonl", "main.log", "server.log", "tar.tgz", "zip.zip"} <= {
        os.path.basename(path) for path in files
    }
    assert [path for path, bits in files.items() if bits & 0o077] == []
    folders = {path: bits for path, bits in modes.items() if stat.S_ISDIR(bits)}
    theirs = [path for path in folders if os.path.dirname(path) in (str(state), f"{state}/pods") and "/." not in path]
    assert len(theirs) > 3
    assert [path for path in theirs if folders[path] & 0o077] == []


def modes_in(state):
    """The modes of all files except the root file systems of containers, which workers remove meanwhile."""
    modes = {}
    for folder, folders, files in os.walk(state):
        folders[:] = [name for name in folders if name not in (".roots", ".shared")]
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):
                modes[f"{folder}/{name}"] = os.lstat(f"{folder}/{name}").st_mode
    return modes


@pytest.mark.parametrize(("mode", "refused"), [(0o777, True), (0o1777, False), (0o755, False), (0o775, False)])
def test_where_everybody_could_put_another_folder_in_its_place(tmp_path, mode, refused):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    state = shared / "deeper" / "state"
    state.mkdir(parents=True, mode=0o700)
    if refused:
        with pytest.raises(PlatformError, match="everybody may put another folder in the place"):
            open_state_folder(state)
    else:
        open_state_folder(state)


@pytest.mark.parametrize("table", ["objects", "runs", "timers", "outbox", "meta"])
def test_a_journal_that_is_damaged_somewhere_inside_is_told_as_that(tmp_path, table):
    LocalPlatform(tmp_path, runtime=ToyRuntime).close()
    journal = tmp_path / "journal.sqlite"
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with journal.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xaa" * size)
    with pytest.raises(PlatformError, match="journal.* is damaged"):
        LocalPlatform(tmp_path, runtime=ToyRuntime)


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "pods").touch()
    with pytest.raises(PlatformError, match="/pods cannot be used .*exists"):
        LocalPlatform(tmp_path, runtime=ToyRuntime)
