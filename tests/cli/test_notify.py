"""Who waits is told when a run ends: by real messages to a real receiver, by a real command, by the bell of a real terminal."""

import http.server
import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest
from hera.workflows import DAG, Container, Parameter, Task, Workflow

from hera_utils import ExecutionEngine, Experiment, Inputs, SettingsError, grid
from hera_utils.execution.reporter import NullReporter
from hera_utils.runs.notification import Ending, _ring, notify
from hera_utils.settings.sources import Surroundings, read_settings
from http_server import serve_http

HELLO = """
from hera.workflows import Container, Workflow

with Workflow(generate_name="hello-", entrypoint="c") as w:
    Container(name="c", image="busybox", command=["{command}"])
"""
KEY = "Zk4n9sQx7Lw2"


@pytest.fixture
def receiver():
    """A web hook on loopback; `messages` are those that it received."""

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.messages.append(json.loads(body))
            self.send_response(server.status)
            self.end_headers()

        def log_message(self, *words):
            pass

    with serve_http(Hook, messages=[], status=200) as server:
        server.address = f"json://127.0.0.1:{server.server_port}/{KEY}"
        yield server


def a_command(folder):
    """A command that stores its standard input; (its command line, the file)."""
    script, kept = folder / "keep.py", folder / "kept.json"
    script.write_text(f"import sys, pathlib; pathlib.Path({str(kept)!r}).write_bytes(sys.stdin.buffer.read())")
    return f"{sys.executable} {script}", kept


def test_a_script_that_succeeds(user, receiver):
    line, kept = a_command(user.folder)
    user.file("hello.py", HELLO.format(command="true"))
    said = user.type("run", "hello.py", "--notify", receiver.address, "--notify_command", line)
    (message,) = receiver.messages
    name = message["title"].removesuffix(" succeeded")
    assert name.startswith("hello-")
    assert (message["type"], message["message"].splitlines()[0][:17]) == ("success", "1 of 1 task done,")
    assert message["message"].splitlines()[-1].endswith(f"/workflows/{user.platform.connection.namespace}/{name}")
    summary = json.loads(kept.read_text())
    expected = {"run": name, "phase": "Succeeded", "succeeded": True, "done": 1, "failed": 0, "total": 1}
    assert summary.items() >= expected.items()
    assert KEY not in said


def test_a_script_that_fails(user, receiver):
    user.file("hello.py", HELLO.format(command="false"))
    user.type("run", "hello.py", "--notify", receiver.address, "--notify_on", "success", status=1)
    assert receiver.messages == []
    user.type("run", "hello.py", "--notify", receiver.address, "--notify_on", "failure", status=1)
    (message,) = receiver.messages
    assert (message["type"], message["title"].endswith(" failed")) == ("failure", True)
    assert message["message"].startswith("0 of 1 task done, 1 failed")


def test_who_leaves_is_not_told(user, receiver):
    user.file("hello.py", HELLO.format(command="true"))
    user.type("run", "hello.py", "--detach", "--notify", receiver.address)
    assert receiver.messages == []


class Heard(NullReporter):
    def __init__(self):
        self.said = []

    def lines(self, lines):
        self.said += lines


def points(environment, inputs, layout):
    with Workflow(generate_name="points-", entrypoint="dag") as w:
        n = Parameter(name="n")
        work = Container(
            name="work", image="busybox", command=["test", "{{inputs.parameters.n}}", "-lt", "3"], inputs=[n]
        )
        with DAG(name="dag", fail_fast=False):
            for point in inputs.points:
                Task(name=f"work-{point.name}", template=work, arguments=point.arguments)
    return w


@pytest.fixture
def engine(local_platform, tmp_path, receiver):
    context = local_platform.context
    context.runs, context.notify = str(tmp_path / "runs"), read_settings({"notify": receiver.address}).notify
    return ExecutionEngine(context, reporter=Heard())


def test_an_experiment_is_told_with_its_points(engine, receiver):
    run = engine.run(Experiment(workflow=points, inputs=Inputs(parameters=grid(n=[1, 2, 3, 4]))), check=False)
    (message,) = receiver.messages
    assert message["title"] == f"{run.name} failed"
    experiment, counts, link = message["message"].splitlines()
    assert (experiment, counts.rpartition(", ")[0]) == ("experiment points", "2 of 4 points done, 2 failed")
    assert link == run.link


SCRIPT = """
from hera.workflows import Container, Workflow
from hera_utils import Experiment, main

def define(environment, inputs, layout):
    with Workflow(generate_name="once-", entrypoint="c") as w:
        Container(name="c", image="busybox", command=["true"])
    return w

main(Experiment(workflow=define))
"""


def test_the_key_is_in_nothing_that_a_script_leaves(user, receiver):
    user.file("once.py", SCRIPT)
    words = [sys.executable, "once.py", "--notify", receiver.address]
    done = subprocess.run(words, cwd=user.folder, capture_output=True, text=True, check=True)
    assert len(receiver.messages) == 1
    assert KEY not in done.stdout + done.stderr
    left = [path for path in (user.folder / "runs").rglob("*") if path.is_file()]
    assert "run.json" in {path.name for path in left}
    assert not [path for path in left if KEY.encode() in path.read_bytes()]


def test_nothing_ran_and_nobody_is_told(engine, receiver):
    made = Experiment(workflow=points, inputs=Inputs(parameters=grid(n=[1])))
    engine.run(made)
    engine.run(made, resume=True)
    assert len(receiver.messages) == 1


def test_a_message_that_nobody_takes_is_a_warning(engine, receiver):
    receiver.status = 500
    run = engine.run(Experiment(workflow=points, inputs=Inputs(parameters=grid(n=[1]))))
    assert run.succeeded
    assert (
        engine.reporter.said[-1]
        == f"a notification of the end of {run.name} failed: the message by json://… was not taken"
    )
    assert not any(KEY in line for line in engine.reporter.said)


ENDING = Ending("w", "default", "Succeeded", 1, 0, 1, "points", 3.0, "http://here")


def told(tmp_path, ending=ENDING, **flags):
    around = Surroundings(environ=dict(os.environ) | {"HOME": str(tmp_path)}, directory=tmp_path, home=tmp_path)
    return notify(ending, read_settings(flags, around=around))


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"notify": f"nonsense://{KEY}"}, "apprise knows no address of this form (nonsense://…)"),
        ({"notify": f"ntfy:{KEY}"}, "apprise knows no address of this form (?://…)"),
        ({"notify_command": f"false {KEY}"}, "the command `false` ended with status 1"),
        (
            {"notify_command": f"/does/not/exist {KEY}"},
            "the command `/does/not/exist` cannot be run (no such file or directory)",
        ),
    ],
)
def test_what_goes_wrong_is_said_without_the_key(tmp_path, capfd, flags, why):
    assert told(tmp_path, **flags) == [f"a notification of the end of w failed: {why}"]
    said = capfd.readouterr()
    assert KEY not in said.out + said.err


def test_what_is_no_command_is_refused_at_once(tmp_path):
    with pytest.raises(SettingsError, match="it is not a command") as caught:
        told(tmp_path, notify_command=f"'{KEY}")
    assert KEY not in str(caught.value)


def test_a_command_of_a_file_means_what_stands_beside_it(tmp_path):
    (tmp_path / "sub").mkdir()
    for folder in (tmp_path, tmp_path / "sub"):
        (folder / "tell.py").write_text("")
    (tmp_path / "hera-utils.toml").write_text('notify_command = "python3 tell.py --loudly"\n')
    around = Surroundings(environ={}, directory=tmp_path / "sub", home=tmp_path)
    assert read_settings(around=around).notify_command == f"python3 {tmp_path}/tell.py --loudly"
    (tmp_path / "hera-utils.toml").write_text('notify_command = "./absent ~/x"\n')
    assert read_settings(around=around).notify_command == f"{tmp_path}/absent '~/x'"


def test_without_apprise_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    (line,) = told(tmp_path, notify="json://127.0.0.1:9/x")
    assert 'python -m pip install "hera_utils[notify]"' in line


def test_addresses_of_a_list_are_never_shown(tmp_path):
    folder = tmp_path / ".config" / "hera-utils"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f'notify = ["bell", "json://127.0.0.1/{KEY}"]\n')
    (folder / "config.toml").chmod(0o600)
    context = read_settings(around=Surroundings(environ={}, directory=tmp_path, home=tmp_path))
    assert context.notify.reveal().split() == ["bell", f"json://127.0.0.1/{KEY}"]
    assert KEY not in f"{context!r} {[row.value for row in context.rows()]} {context.notify}"
    assert KEY not in context.masked(f"sent to json://127.0.0.1/{KEY}")


RING = """
from hera_utils.runs.notification import Ending, notify
from hera_utils.settings.sources import read_settings
print(notify(Ending("w", "default", "Succeeded", 1, 0, 1, "points", 3.0, "http://here"), read_settings({"notify": "bell"})))
"""


def test_the_bell_rings_in_a_terminal(tmp_path):
    environment = {
        name: value for name, value in os.environ.items() if name not in ("DISPLAY", "DBUS_SESSION_BUS_ADDRESS")
    }
    words = [sys.executable, "-c", RING]
    silent = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert "a bell needs a terminal" in silent.stdout
    assert "\a" not in silent.stdout + silent.stderr
    ours, theirs = pty.openpty()
    rung = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=theirs, text=True, cwd=tmp_path, env=environment, check=True
    )
    os.close(theirs)
    assert rung.stdout.strip() == "[]"
    assert select.select([ours], [], [], 0)[0]
    assert b"\a" in os.read(ours, 100)
    os.close(ours)


def test_a_message_on_the_desktop(tmp_path, monkeypatch):
    program = tmp_path / "notify-send"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@" > "$(dirname "$0")/said"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":0")
    assert told(tmp_path, notify="bell") == []
    assert Path(tmp_path / "said").read_text().startswith("--|w succeeded|1 of 1 point done, 3 s")


def test_nothing_in_a_message_is_read_as_markup(tmp_path, monkeypatch):
    program = tmp_path / "notify-send"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@" > "$(dirname "$0")/said"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":0")
    _ring(Ending("w", "n", "Succeeded", 1, 0, 1, "points", 3.0, "http://x", "<a href='x'>&</a>"))
    assert "experiment &lt;a href='x'&gt;&amp;&lt;/a&gt;" in Path(tmp_path / "said").read_text()
