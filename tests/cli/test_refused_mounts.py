"""A machine whose kernel refuses private mounts: a user namespace in which no other one can be created, without capabilities."""

import subprocess
import sys

import pytest

SHELL = """
allow() { echo $1 > /proc/sys/user/max_user_namespaces; }
hera_utils() { setpriv --inh-caps=-all --bounding-set=-all $PYTHON -m hera_utils "$@"; }
allow 0 || exit 77
"""
TASK = """
metadata: {generateName: hello-}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: busybox, command: [echo, hello]}
"""
PAUSE = """
metadata: {generateName: pause-}
spec:
  entrypoint: main
  templates:
  - name: main
    suspend: {duration: "1"}
"""


@pytest.fixture
def typed(tmp_path):
    """Types lines into a shell of such a machine; gives what they print."""
    (tmp_path / "task.yaml").write_text(TASK)
    (tmp_path / "pause.yaml").write_text(PAUSE)

    def type_(lines):
        environ = {
            "PYTHON": sys.executable,
            "HOME": str(tmp_path),
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        }
        command = ["unshare", "--user", "--map-root-user", "sh", "-c", SHELL + lines]
        done = subprocess.run(
            command, cwd=tmp_path, env=environ, text=True, check=False, timeout=200,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode == 77 or "unshare: " in done.stdout:
            pytest.skip("no user namespace of our own")
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    return type_


def test_a_run_is_refused_before_it_begins(typed):
    told = typed(
        """
        hera_utils serve --detach >/dev/null
        for attempt in 1 2; do hera_utils run task.yaml; echo "status $?"; done
        hera_utils run pause.yaml; echo "status $?"
        hera_utils ls --output name
        allow 1000
        hera_utils run task.yaml; echo "then status $?"
        hera_utils serve --stop
        """
    )
    why = "refuses private mounts for tasks (no more user namespaces can be created)\n  fix: "
    assert told.count(why) == told.count("\nstatus 2\n") == 2, told
    assert told.count("\nstatus 0\n") == 1, "a workflow without containers runs"
    assert told.count("hello-") == told.partition("then")[2].count("hello-"), "what was refused is not recorded"
    assert "then status" in told, "the kernel was asked again, and gave another answer"
