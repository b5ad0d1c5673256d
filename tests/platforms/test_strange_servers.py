"""What a user is told, in one sentence, by a server that is none, that fails, that forbids, or that breaks off."""

import os
import subprocess
import sys

import pytest
from hera.workflows import Container, Workflow, WorkflowsService
from hera.workflows.models import WorkflowCreateRequest

from hera_utils.platforms.hera_errors import explain_error

HELLO = """
from hera.workflows import Container, Workflow

with Workflow(generate_name="h-", entrypoint="m") as w:
    Container(name="m", image="busybox", command=["true"])
w.create()
"""
NO = {"code": 7, "message": 'workflows.argoproj.io is forbidden: User "u" cannot list'}


@pytest.fixture
def typed(double, tmp_path):
    """Run a command against the double; returns (exit status, output)."""
    (tmp_path / "hello.py").write_text(HELLO)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ARGO", "HERA_UTILS", "KUBE"))}

    def run(*words):
        done = subprocess.run(
            [sys.executable, "-m", "hera_utils", *words, "--argo_server", double.url, "--argo_token", "t"],
            capture_output=True, text=True, check=False, cwd=tmp_path, env={**kept, "HOME": str(tmp_path)},
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout + done.stderr

    return run


SUBMIT = ("run", "hello.py", "--no_preflight")


LOOKS = (("ls",), ("ls", "--stored"), ("doctor",), ("get", "x"), ("get", "@latest"), ("stop", "x"), ("logs", "x"))


@pytest.mark.parametrize("answer", [{"foo": 1}, None, [], {"items": [1, None, "x", {}]}, {"items": 5}])
def test_json_that_is_not_argos(double, typed, tmp_path, answer):
    (tmp_path / "w.yaml").write_text("kind: Workflow\nmetadata: {name: w}\nspec: {}\n")
    double.answers["*"] = lambda exchange: exchange.reply(answer)
    for words in (*LOOKS, ("lint", "w.yaml"), SUBMIT):
        status, said = typed(*words)
        assert status != 0
        assert "not an Argo server" in said or "not as an Argo server does" in said, said


@pytest.mark.parametrize("code", [2, 13])
def test_a_server_that_fails(double, typed, code):
    double.answers["*"] = lambda exchange: exchange.reply({"code": code, "message": "internal"}, 500)
    for words in (("ls",), ("ls", "--stored"), ("get", "x"), ("doctor",), SUBMIT):
        status, said = typed(*words)
        assert status != 0
        assert "the Argo server failed: internal" in said
        assert "server's log" in said


def test_a_connection_that_breaks_at_submission(double, typed):
    double.on("GET", "/api/v1/version", {"version": "v4.1.2"})
    double.on("GET", "/api/v1/workflows/default", {"items": None})
    double.on("POST", "/api/v1/workflows/default", lambda exchange: exchange.cut())
    status, said = typed(*SUBMIT)
    assert status == 2
    assert "the connection was closed without an answer" in said
    assert "fix:" in said
    assert "HTTPConnectionPool" not in said


def test_a_missing_right_is_told_once_and_not_as_a_bad_token(double, typed):
    double.answers["*"] = lambda exchange: exchange.reply(NO, 403)
    double.on("GET", "/api/v1/version", {"version": "v4.1.2"})
    status, said = typed(*SUBMIT)
    assert status == 2
    assert "forbid" in said
    assert "check the token" not in said
    status, said = typed("doctor")
    assert status != 0
    assert said.count("✘") == 1, said
    assert "✔ argo server" not in said
    assert "cannot list" in said


def test_doctor_names_the_flag_that_was_typed(double, typed):
    double.on("GET", "/api/v1/version", {"version": "v4.1.2"})
    double.on("GET", "/api/v1/workflows/default", {"items": None})
    _, said = typed("doctor", "--no_verify_tls")
    assert "flag --no_verify_tls" in said
    assert "flag --verify_tls" not in said


CONFIGURED = (
    """
import hera_utils
hera_utils.argo_server()
"""
    + HELLO
)


def test_a_refusal_is_one_sentence_however_the_script_is_run(double, typed, tmp_path):
    double.on("GET", "/api/v1/version", {"version": "v4.1.2"})
    double.on("GET", "/api/v1/workflows/default", {"items": None})
    double.on("POST", "/api/v1/workflows/default", NO, 403)
    (tmp_path / "hello.py").write_text(CONFIGURED)
    _, by_command = typed(*SUBMIT)
    variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ARGO_SERVER": double.url, "ARGO_TOKEN": "t"}
    done = subprocess.run(
        [sys.executable, "hello.py"], capture_output=True, text=True, check=False, cwd=tmp_path, env=variables
    )
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"hera-utils: hello.py, line 9: the Argo server forbids this: {NO['message']}\n  fix: "
    )
    assert by_command.endswith(done.stderr)


def test_a_text_that_is_no_unicode_is_not_the_servers_fault():
    """As a file name in another encoding, which Python reads from a folder."""
    with Workflow(generate_name="h-", entrypoint="m", annotations={"file": "caf\udce9"}) as workflow:
        Container(name="m", image="busybox", command=["true"])
    with pytest.raises(ValueError, match="surrogates") as caught:
        WorkflowsService(host="http://127.0.0.1:9", token="t").create_workflow(
            WorkflowCreateRequest(workflow=workflow.build()), namespace="default"
        )
    told = explain_error(caught.value)
    assert told is not None
    assert "has the byte e9, which is not UTF-8" in told.message
