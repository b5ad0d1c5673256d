"""The state folder is its owner's alone: what others could have written is not believed, and nothing is left for them to read."""

import contextlib
import os
import stat
import subprocess
import sys
import time

import pytest

from hera_utils.errors import PlatformError
from hera_utils.local_platform import daemon
from hera_utils.local_platform.state_folder import check_state_folder, open_state_folder

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def state(tmp_path):
    yield tmp_path / "state"
    with contextlib.suppress(PlatformError):  # refused: then none was started
        daemon.stop(tmp_path / "state")


def test_it_is_made_for_its_owner_alone_whatever_the_umask(state):
    before = os.umask(0)
    try:
        open_state_folder(state)
    finally:
        os.umask(before)
    assert mode(state) == 0o700


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
@pytest.mark.parametrize("name", ["tls/server.key", "pods/a", "pods/a/supervisor.jsonl"])
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
    state.chmod(0o700)  # nobody came so far
    open_state_folder(state)
    assert mode(journal) == 0o600


def test_a_link_to_a_folder_is_fine(state, tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    state.symlink_to(tmp_path / "real")
    open_state_folder(state)


def test_nothing_in_it_can_be_read_by_others_whatever_the_umask(state, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from hera.workflows import *\n"
        "with Workflow(generate_name='a-', entrypoint='c') as w:\n"
        "    Container(name='c', image='busybox', command=['sh', '-c', 'echo said; umask'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "hera_utils", "run", script],
        env=os.environ | {"HERA_UTILS_STATE": str(state), "HOME": str(tmp_path)},
        cwd=tmp_path,
        umask=0,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    time.sleep(0.1)
    files = [path for path in state.rglob("*") if path.is_file() and ".roots" not in path.parts]
    ours = [path for path in files if path.suffix in (".json", ".jsonl", ".log", ".lock", ".sqlite", ".key", ".pem")]
    assert {"journal.sqlite", "supervisor.jsonl", "main.log", "server.log"} <= {path.name for path in ours}
    ours += [path for path in files if path.name.startswith(("journal.sqlite-", "kubeconfig"))]
    assert [str(path) for path in ours if mode(path) & 0o077] == []
    assert [str(path) for path in state.iterdir() if path.is_dir() and mode(path) & 0o077] == []
    assert [str(path) for path in state.glob("pods/*-*") if mode(path) & 0o077] == []
