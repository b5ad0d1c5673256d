"""What a user does wrong gets one clear sentence with its fix, an exit status, and nothing is lost. Never a traceback."""

import os
import socket
import subprocess

import pytest

HELLO = """
from hera.workflows import Container, Workflow

with Workflow(generate_name="hello-", entrypoint="hello") as w:
    Container(name="hello", image={image!r}, command=["echo"], args=["hello"]{more})
w.create()
"""


def script(machine, image="busybox", more="", text=None):
    path = machine.folder / "script.py"
    path.write_text(text or HELLO.format(image=image, more=more))
    return path


def refused(answer, *words, status=2):
    """One sentence with these words, its fix, the exit status, and no traceback."""
    said = answer.stderr + answer.stdout
    assert "Traceback" not in said, said
    assert answer.returncode == status, said
    for word in words:
        assert word in said, said
    return said


def test_an_unknown_image(machine):
    said = refused(
        machine.run("run", script(machine, image="registry.example.org/lab/solver:3")),
        "registry.example.org/lab/solver:3",
        "nothing was submitted",
    )
    assert "HERA_UTILS_IMAGES" in said or "images" in said


def test_a_missing_claim(machine):
    text = """
from hera.workflows import Container, ExistingVolume, Workflow

with Workflow(generate_name="claim-", entrypoint="hello") as w:
    Container(
        name="hello", image="busybox", command=["echo"], args=["hello"],
        volumes=[ExistingVolume(name="data", claim_name="no-such-claim", mount_path="/data")],
    )
w.create()
"""
    refused(machine.run("run", script(machine, text=text)), "no-such-claim", "nothing was submitted")


def test_a_wrong_token(machine):
    address = machine.serve()["argo_server"]
    answer = machine.run("ls", "--argo_server", address, "--argo_token", "not-the-token", "--platform", "remote")
    said = refused(answer, "token")
    assert "not-the-token" not in said


def test_nothing_listens_there(machine):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    refused(
        machine.run("run", script(machine), "--argo_server", f"http://127.0.0.1:{port}"), f"127.0.0.1:{port}", "fix:"
    )


@pytest.mark.parametrize("text", ["a: [1, 2", "just words", "kind: Workflow\nspec: 3\n", ""])
def test_an_illegal_yaml(machine, text):
    path = machine.folder / "workflow.yaml"
    path.write_text(text)
    refused(machine.run("run", path), "workflow.yaml")


def test_a_template_that_does_not_exist(machine):
    text = """
from hera.workflows import Container, Step, Steps, Workflow

with Workflow(generate_name="nowhere-", entrypoint="main") as w:
    with Steps(name="main"):
        Step(name="a", template="nope")
w.create()
"""
    refused(machine.run("run", script(machine, text=text)), "nope")


def test_a_port_in_use(machine):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(machine.run("serve", "--detach", "--port", port), str(port), "fix:")


def test_a_state_folder_that_is_a_file(machine):
    machine.state.write_text("not a folder")
    refused(machine.run("run", script(machine)), str(machine.state), "fix:")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
@pytest.mark.parametrize("options", ["size=16k", "ro"], ids=["full", "read-only"])
def test_a_state_folder_that_cannot_be_written(machine, options):
    machine.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(machine.state)], check=True)
    try:
        refused(machine.run("run", script(machine)), str(machine.state), "fix:")
    finally:
        machine.run("serve", "--stop")
        subprocess.run(["umount", "-l", str(machine.state)], check=True)


def test_a_script_that_raises(machine):
    answer = machine.run("run", script(machine, text="raise ValueError('the third city has no boroughs')"))
    said = answer.stderr + answer.stdout
    assert answer.returncode == 2
    assert "the third city has no boroughs" in said
    assert "hera_utils/cli" not in said, "our own frames are no news to the user"


def test_a_script_that_is_not_there(machine):
    refused(machine.run("run", "absent.py"), "absent.py")


def test_a_run_that_is_not_there(machine):
    machine.serve()
    for command in ("get", "logs", "watch", "stop", "results", "retry", "delete"):
        refused(machine.run(command, "no-such-run"), "no-such-run")


def test_a_task_that_fails(machine):
    text = HELLO.format(image="busybox", more="").replace(
        '["echo"], args=["hello"]', '["sh", "-c"], args=["echo told you; exit 3"]'
    )
    said = refused(machine.run("run", script(machine, text=text)), "exit code 3", status=1)
    assert "told you" in said, "the last lines of the failed task's log tell why"
