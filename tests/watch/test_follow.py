"""Following a run: what is shown, when it ends, how slowly a large run is read."""

import io

import pytest
from rich.console import Console

from hera_utils.errors import RunFailed
from hera_utils.spans import stopwatch
from hera_utils.watch.display import display_for
from hera_utils.watch.follow import follow, pause
from hera_utils.watch.progress import progress
from hera_utils.watch.progress_text import ASCII, UNICODE, symbols_for
from hera_utils.watch.terminal import LineDisplay, LiveDisplay, draw_progress


def state(phase, *tasks):
    nodes = {"wf": {"id": "wf", "name": "wf", "type": "DAG", "phase": phase}}
    for name, task_phase, *message in tasks:
        nodes[name] = {
            "id": name,
            "name": f"wf.{name}",
            "displayName": name,
            "type": "Pod",
            "boundaryID": "wf",
            "phase": task_phase,
            "message": "".join(message),
        }
    end = {} if phase == "Running" else {"finishedAt": "2026-01-01T00:00:02Z"}
    return {
        "metadata": {"name": "wf", "namespace": "default"},
        "spec": {},
        "status": {"phase": phase, "startedAt": "2026-01-01T00:00:00Z", "nodes": nodes, **end},
    }


class Client:
    def __init__(self, *events):
        self.events = events

    def watch(self, name, *, timeout=None, rest=None):
        yield from self.events


RUN = (
    ("ADDED", state("Running", ("A", "Running"))),
    ("MODIFIED", state("Running", ("A", "Succeeded"), ("B", "Running"))),
    ("MODIFIED", state("Failed", ("A", "Succeeded"), ("B", "Failed", "main: Error (exit code 3)"))),
    ("MODIFIED", state("Running")),
)


def text_console(width=100, **options):
    return Console(file=io.StringIO(), width=width, height=20, color_system=None, **options)


def test_lines_in_a_pipe():
    console = text_console()
    display = display_for(console)
    assert isinstance(display, LineDisplay)
    last = follow(Client(*RUN), "wf", display)
    assert last["status"]["phase"] == "Failed"
    assert console.file.getvalue().splitlines() == [
        "wf  Running",
        "wf  ✔ A",
        "wf  ✘ B: main: Error (exit code 3)",
        "wf  ✘ Failed  2/2  ✘ 1 failed  2 s",
    ]


def test_a_terminal_is_drawn_in_place():
    console = text_console(force_terminal=True)
    display = display_for(console)
    assert isinstance(display, LiveDisplay)
    follow(Client(*RUN), "wf", display)
    last = console.file.getvalue().replace("\x1b", "").splitlines()
    assert any("✘ Failed" in line and "2/2" in line for line in last)


def test_a_run_that_waits_says_what_for():
    waiting = state("Running", ("A", "Running"))
    waiting["status"]["nodes"]["A"]["type"] = "Suspend"
    console = text_console()
    events = [("ADDED", waiting), ("MODIFIED", waiting), ("MODIFIED", state("Succeeded", ("A", "Succeeded")))]
    follow(Client(*events), "wf", display_for(console))
    assert console.file.getvalue().splitlines()[:2] == [
        "wf  Running",
        "wf is suspended; resume it with: hera-utils resume wf",
    ]
    assert console.file.getvalue().count("is suspended") == 1


def test_a_run_that_is_deleted():
    with pytest.raises(RunFailed, match="deleted"):
        follow(Client(RUN[0], ("DELETED", RUN[1][1])), "wf")


def test_a_large_run_is_read_slowly():
    many, most = ({"status": {"nodes": dict.fromkeys(range(count), {})}} for count in (3000, 10**6))
    assert pause(state("Running")) <= 0.1
    assert (pause(many), pause(most)) == (2.0, 15.0)


@pytest.mark.parametrize(
    ("encoding", "symbols"), [("utf-8", UNICODE), ("ascii", ASCII), ("iso-8859-1", ASCII), (None, ASCII), ("?", ASCII)]
)
def test_symbols_that_the_terminal_can_show(encoding, symbols):
    assert symbols_for(encoding) == symbols


@pytest.mark.parametrize(("size", "most"), [((80, 24), 24), ((40, 10), 10), ((20, 6), 6)])
def test_a_picture_fits_the_screen(size, most):
    seen = progress(
        state("Running", *((f"task-{n:03}", "Running" if n % 7 else "Failed", "why " * 9) for n in range(500)))
    )
    text = draw_progress(seen, 10.0, UNICODE, size)
    assert text.plain.count("\n") < most
    assert "task-000" in text.plain, "failures come first"
    if size[0] >= 80:
        assert "10.0 s" in text.plain.splitlines()[0] or "00:10" in text.plain.splitlines()[0]
        assert len(text.plain.splitlines()[0]) <= size[0]


CLAIM = 'Unschedulable: persistentvolumeclaim "data" not found in namespace "default": create it with kubectl -n default create -f -'


@pytest.mark.parametrize("width", [100, 80, 40, 24])
def test_a_narrow_screen_folds_what_a_task_says(width):
    seen = progress(
        state("Running", ("a", "Failed", "secret “key” is not there: create it with kubectl"), ("b", "Pending", CLAIM))
    )
    text = draw_progress(seen, 10.0, UNICODE, (width, 40)).plain
    said = " ".join(text.split())
    assert width > 60 or "kubectl  ○ b" not in text
    assert "secret “key” is not there: create it with kubectl" in said
    assert f"b waits: {CLAIM}" in said
    assert all(len(line) <= width or " " not in line.strip() for line in text.splitlines()), text
    assert "10.0 s" in said or "00:10" in said


def test_equal_failures_take_one_line_of_a_screen():
    tasks = [(f"t-{n}", "Failed" if n % 3 else "Succeeded", f"main: E{n % 3}" if n % 3 else "") for n in range(9)]
    text = draw_progress(progress(state("Failed", *tasks)), 10.0, UNICODE, (80, 24)).plain
    assert (text.count("main: E1"), text.count("main: E2")) == (1, 1)
    assert "✘ t-1 and 2 more: main: E1" in text
    assert all(f"✔ t-{n}" in text for n in (0, 3, 6))
    numbered = [(f"t-{n}", "Failed", f"main: nu {n / 10} is too large") for n in range(5)]
    assert (
        "✘ t-0 and 4 more: main: nu 0.0"
        in draw_progress(progress(state("Failed", *numbered)), 1.0, UNICODE, (80, 24)).plain
    )


def test_what_a_task_waits_for_is_said_once_in_a_pipe():
    console = Console(file=io.StringIO(), width=40)
    lines = LineDisplay(console, lambda: 0.0)
    for phase in ("Pending", "Pending", "Failed"):
        lines.update(progress(state("Running", ("a", phase, CLAIM), ("b", "Pending", CLAIM))))
    assert console.file.getvalue().count("wait") == 1
    assert f"a and 1 more wait: {CLAIM}" in console.file.getvalue()


def test_durations():
    assert [stopwatch(s) for s in (0, 0.04, 1.25, 41, 61, 3723)] == [
        "< 1 s",
        "0.0 s",
        "1.2 s",
        "00:41",
        "01:01",
        "1:02:03",
    ]
