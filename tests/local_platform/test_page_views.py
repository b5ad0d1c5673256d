"""The views of a run on its page: timeline, graph, sorting, failures. In a real browser."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from browser import POOR, UNNAMED

from hera_utils.argo.annotations import RAN
from hera_utils.errors import Refused

pytestmark = pytest.mark.browser
BEGUN = datetime(2026, 11, 23, 10, tzinfo=timezone.utc)


def at(second: float, *, whole: bool = False) -> str:
    moment = BEGUN + timedelta(seconds=int(second) if whole else second)
    return moment.isoformat(timespec="seconds" if whole else "microseconds").replace("+00:00", "Z")


def node(name: str, kind: str = "Pod", phase: str = "Succeeded", **more: object) -> dict:
    """A node of the run `r`."""
    path = name if name == "r" else f"r.{name}"
    number = sum(place * ord(letter) for place, letter in enumerate(name, 1))
    found = {
        "id": "r" if name == "r" else f"r-{number}", "name": path, "displayName": name.rpartition(".")[2], "type": kind,
        "phase": phase, "templateName": "work", "boundaryID": "r", "startedAt": at(0, whole=True), **more,
    }  # fmt: skip
    if phase not in ("Running", "Pending"):
        found.setdefault("finishedAt", found["startedAt"])
    return found


def ran(start: float, end: float | None, *, waited: float = 0.0) -> dict:
    """The fields of a node whose pod ran from `start` to `end`, in seconds since the run's start."""
    times = {"startedAt": at(start), "startDelay": waited} | ({"finishedAt": at(end)} if end is not None else {})
    whole = {"startedAt": at(start - waited, whole=True)} | ({"finishedAt": at(end, whole=True)} if end else {})
    return {RAN: times, **whole}


def put(platform, *nodes: dict, phase: str = "Running", until: float | None = None) -> dict:
    try:
        document = json.loads(platform.get("Workflow", "argo", "r").text)
    except Refused:  # the first state
        spec = {"entrypoint": "m", "templates": [{"name": "m", "dag": {"tasks": []}}]}
        document = json.loads(platform.submit("argo", {"metadata": {"name": "r"}, "spec": spec}).text)
    root = node("r", "DAG", phase, boundaryID="", children=[one["id"] for one in nodes])
    ended = {"finishedAt": at(until)} if until is not None else {}
    document["status"] = {"phase": phase, "progress": "1/2", "startedAt": at(0), **ended}
    document["status"]["nodes"] = {one["id"]: one for one in (root, *nodes)}
    platform.put("Workflow", document)
    return document


def picture(tab, name: str) -> None:
    if folder := os.environ.get("HERA_UTILS_PICTURES"):
        tab.picture(Path(folder) / f"{name}.png")


TIMELINE = "document.querySelector('.timeline canvas')"
LABEL = f"{TIMELINE}.ariaLabel"
COLOURS = """((canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height), seen = new Map();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) {
    const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
    const name = r > g + 80 ? 'red' : g > r + 50 && g > b + 30 ? 'green' : b > r + 100 ? 'blue' : '';
    seen.set(name, (seen.get(name) || 0) + 1);
  }
  return Object.fromEntries(seen);
})(document.querySelector('.timeline canvas'))"""


def test_the_timeline_shows_when_containers_ran_attempt_by_attempt(url, platform, tab):
    first = node("flaky(0)", phase="Failed", **ran(3.0, 4.5, waited=3.0))
    second = node("flaky(1)", **ran(5.0, 6.0))
    retry = node("flaky", "Retry", children=[first["id"], second["id"]])
    quick = node("quick", **ran(3.25, 3.75, waited=3.0))
    approved = node("approved", "Suspend", startedAt=at(0, whole=True), finishedAt=at(6, whole=True))
    put(platform, retry, first, second, quick, approved, phase="Succeeded", until=6.0)
    tab.open(f"{url}/workflows/argo/r?tab=timeline")
    tab.until(f"{TIMELINE} && {LABEL} !== 'Timeline'")
    assert "4 tasks over 6 s, at most 2 under way at once" in tab.run(LABEL)
    assert tab.run("document.querySelector('.tree').offsetParent") is None, "one view at a time"
    tab.until(f"{TIMELINE}.height > 100")
    assert {"red", "green"} <= set(tab.run(COLOURS))
    assert "✘ Failed" in tab.text(), "colour is not the only sign"
    assert "for which it waited" in tab.text()
    picture(tab, "timeline")
    tab.run(f"{TIMELINE}.focus()")
    headings = []
    for _ in range(4):
        tab("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
        headings.append(tab.run("document.querySelector('.panel h2').textContent"))
    assert headings == ["approved", "flaky(0)", "quick", "flaky(1)"]
    assert "1 s" in tab.run("document.querySelector('.panel dl').innerText"), "it ran from 5.0 to 6.0"
    # Both attempts are in the second row. The failed one is at a bit more than three of six seconds.
    tab.run(
        f"(c => c.dispatchEvent(new MouseEvent('click', {{clientX: c.getBoundingClientRect().left + c.clientWidth * .32"
        f" + c.clientWidth * .6 * .6, clientY: c.getBoundingClientRect().top + 103, bubbles: true}})))({TIMELINE})"
    )
    assert tab.run("document.querySelector('.panel h2').textContent") == "flaky(0)"


def test_the_timeline_is_live_and_the_view_is_kept_in_the_address(url, platform, tab):
    put(platform, node("a", phase="Running", **ran(0.5, None)), node("b", phase="Pending"))
    tab.open(f"{url}/workflows/argo/r")
    tab.until("document.querySelectorAll('.item').length === 3")
    tab.run("document.querySelector('#tab-timeline').click()")
    tab.until(f"{LABEL}.startsWith('Timeline: 1 tasks')")
    assert tab.run("location.search") == "?tab=timeline"
    assert "1 wait to start" in tab.text()
    put(platform, node("a", **ran(0.5, 2.0)), node("b", phase="Failed", **ran(2.0, 3.0)), phase="Failed", until=3.0)
    tab.until(f"{LABEL}.startsWith('Timeline: 2 tasks over 3 s, at most 1 under way')")
    tab.run("document.querySelector('#tab-timeline').focus()")
    tab("Input.dispatchKeyEvent", type="keyDown", key="ArrowLeft")
    tab.until("document.querySelector('.tree').offsetParent !== null")


def test_a_timeline_of_thousands_shares_rows_and_is_drawn_seldom(url, platform, tab):
    """Two pods at a time run for an hour: they take two rows, in which failures are still visible."""
    nodes = [
        node(f"t{n}", phase="Failed" if n == 1234 else "Succeeded", id=f"r-{n}", **ran(n // 2, n // 2 + 0.99))
        for n in range(7200)
    ]
    put(platform, *nodes, phase="Failed", until=3600.0)
    tab.open(f"{url}/workflows/argo/r?tab=timeline")
    tab.until(f"{TIMELINE} && {LABEL}.startsWith('Timeline: 7200 tasks over 1 h 00 min, at most 2 under way')")
    tab.until(f"{TIMELINE}.height > 100")
    assert tab.run(f"{TIMELINE}.clientHeight") < 200
    assert tab.run(COLOURS)["red"] > 20
    picture(tab, "timeline-of-thousands")


BOXES = """[...document.querySelectorAll('.graph g')].map((one) => one.ariaLabel)"""
ARROWS = "document.querySelectorAll('.graph path[marker-end]').length"


def chained(*nodes: dict) -> tuple[dict, ...]:
    """The nodes, each with the next one as its child."""
    for one, other in zip(nodes, nodes[1:], strict=False):
        one.setdefault("children", []).append(other["id"])
    return nodes


def test_the_graph_folds_loops_attempts_and_what_is_alike(url, platform, tab):
    prepare, plot = node("prepare"), node("plot", phase="Running")
    items = [node(f"fan({n}:x)", phase="Failed" if n == 3 else "Succeeded", children=[plot["id"]]) for n in range(30)]
    fan = node("fan", "TaskGroup", children=[one["id"] for one in items])
    points = [node(f"point-{n}", templateName="point", children=[plot["id"]]) for n in range(20)]
    first, second = node("shaky(0)", phase="Failed"), node("shaky(1)", children=[plot["id"]])
    shaky = node("shaky", "Retry", children=[first["id"], second["id"]])
    prepare["children"] = [fan["id"], shaky["id"], *(one["id"] for one in points)]
    put(platform, prepare, fan, *items, *points, shaky, first, second, plot)
    tab.open(f"{url}/workflows/argo/r?tab=graph")
    tab.until("document.querySelectorAll('.graph g').length === 5")
    assert set(tab.run(BOXES)) == {
        "prepare: 1 Succeeded", "fan: 29 Succeeded, 1 Failed", "point: 20 Succeeded", "shaky: 1 Succeeded", "plot: 1 Running",
    }  # fmt: skip
    assert tab.run(ARROWS) == 6
    picture(tab, "graph")
    box = "[...document.querySelectorAll('.graph g')].find((one) => one.ariaLabel.startsWith('fan'))"
    tab.run(f"{box}.focus()")
    tab("Input.dispatchKeyEvent", type="keyDown", key="Enter")
    assert tab.run("document.querySelector('.panel h2').textContent") == "fan(3:x)", "what failed is looked for first"
    assert tab.run(f"{box}.ariaPressed") == "true"
    put(platform, prepare, fan, *items, *points, shaky, first, second, node("plot"), phase="Failed", until=9.0)
    tab.until(f"{BOXES}.includes('plot: 1 Succeeded')")
    assert tab.run("document.activeElement === " + box), "the keyboard stays where it was"


def test_the_graph_passes_through_steps_and_nested_templates(url, platform, tab):
    inside, after = {"boundaryID": node("outer")["id"]}, node("after")
    left, right = node("outer[0].left", **inside), node("outer[0].right", **inside)
    last = node("outer[1].last", children=[after["id"]], **inside)
    second = node("outer[1]", "StepGroup", children=[last["id"]], **inside)
    for one in (left, right):
        one["children"] = [second["id"]]
    first = node("outer[0]", "StepGroup", children=[left["id"], right["id"]], **inside)
    outer = node("outer", "Steps", children=[first["id"]])
    put(platform, outer, first, left, right, second, last, after, phase="Succeeded", until=1.0)
    tab.open(f"{url}/workflows/argo/r?tab=graph")
    tab.until("document.querySelectorAll('.graph g').length === 4")
    names = [label.partition(":")[0] for label in tab.run(BOXES)]
    assert set(names) == {"outer.left", "outer.right", "outer.last", "after"}
    assert tab.run(ARROWS) == 3
    across = tab.run("[...document.querySelectorAll('.graph .box')].map((one) => +one.getAttribute('x'))")
    places = dict(zip(names, across, strict=True))
    assert places["outer.left"] == places["outer.right"] < places["outer.last"] < places["after"]


def test_an_edge_over_several_layers_crosses_no_box(url, platform, tab):
    chain = chained(*(node(f"step-{n}", templateName=f"t{n}") for n in range(5)))
    chain[0]["children"].append(chain[4]["id"])
    put(platform, *chain, phase="Succeeded", until=1.0)
    tab.open(f"{url}/workflows/argo/r?tab=graph")
    tab.until("document.querySelectorAll('.graph g').length === 5")
    crossed = tab.run("""(() => {
      const boxes = [...document.querySelectorAll('.graph rect.box')].map((one) => one.getBBox());
      return [...document.querySelectorAll('.graph path[marker-end]')].flatMap((path) => {
        const length = path.getTotalLength();
        return Array.from({ length: 200 }, (_, n) => path.getPointAtLength((length * (n + 1)) / 202)).filter(({ x, y }) =>
          boxes.some((box) => x > box.x + 2 && x < box.x + box.width - 2 && y > box.y && y < box.y + box.height));
      }).length;
    })()""")
    assert tab.run(ARROWS) == 5
    assert crossed == 0


def test_the_graph_of_thousands_of_tasks_has_a_box_for_each_template(url, platform, tab):
    """Each task has its own name and depends on a task of another template, so neither loops nor similar names group them."""
    loads = [node(f"load-{n}", id=f"r-l{n}", templateName="load", children=[f"r-f{n}"]) for n in range(3000)]
    fits = [node(f"fit-{n}", id=f"r-f{n}", templateName="fit") for n in range(3000)]
    put(platform, *loads, *fits, phase="Succeeded", until=1.0)
    tab.open(f"{url}/workflows/argo/r?tab=graph")
    tab.until("document.querySelectorAll('.graph g').length === 2")
    assert set(tab.run(BOXES)) == {"load: 3000 Succeeded", "fit: 3000 Succeeded"}
    assert tab.run(ARROWS) == 1


ROWS = "[...document.querySelectorAll('.item .name')].map((one) => one.lastChild.textContent)"


def press(tab, name: str) -> None:
    tab.run(f"[...document.querySelectorAll('.sort')].find((one) => one.textContent.startsWith('{name}')).click()")


def test_tasks_are_sorted_within_their_groups_and_the_order_is_kept_in_the_address(url, platform, tab):
    slow, quick = node("slow", **ran(0.0, 9.5)), node("a10", phase="Failed", **ran(3.0, 4.0))
    items = [node(f"fan({n}:x)", **ran(5.0 + n, 6.0 + 2 * n)) for n in range(3)]
    group = node("fan", "TaskGroup", children=[one["id"] for one in items], finishedAt=at(20, whole=True))
    early = node("a9", **ran(1.0, 3.5))
    put(platform, slow, quick, group, *items, early, phase="Failed", until=20.0)
    tab.open(f"{url}/workflows/argo/r")
    tab.until("document.querySelectorAll('.item').length === 8")
    press(tab, "Name")
    assert tab.run(ROWS) == ["r", "a9", "a10", "fan", "fan(0:x)", "fan(1:x)", "fan(2:x)", "slow"], "numbers as numbers"
    press(tab, "Duration")
    press(tab, "Duration")
    assert tab.run(ROWS) == ["r", "fan", "fan(2:x)", "fan(1:x)", "fan(0:x)", "slow", "a9", "a10"]
    assert tab.run("location.search") == "?sort=-duration"
    picture(tab, "sorted")
    tab.open(f"{url}/workflows/argo/r?sort=-duration&nodeId={quick['id']}")
    tab.until("document.querySelectorAll('.item').length === 8")
    assert tab.run(ROWS)[1] == "fan"
    assert tab.run("document.querySelector('[aria-sort=descending]').textContent") == "Duration ▼"
    assert tab.run("document.querySelector('.panel h2').textContent") == "a10", (
        "the address names the task, as Argo's does"
    )
    press(tab, "Status")
    assert tab.run(ROWS)[1] == "a10", "what failed is first"
    press(tab, "Status")
    press(tab, "Status")
    assert "sort" not in tab.run("location.search")
    assert tab.run(ROWS) == ["r", "fan", "fan(0:x)", "fan(1:x)", "fan(2:x)", "slow", "a9", "a10"], "as they began"
    press(tab, "Started")
    tab.run("(box => { box.value = 'r.'; box.dispatchEvent(new Event('input')); })(document.querySelector('input'))")
    assert tab.run(ROWS)[:3] == ["fan", "slow", "a9"], "what a filter leaves is sorted as a whole"


def test_the_keyboard_goes_through_the_sorted_rows_and_stays_at_a_button(url, platform, tab):
    nodes = [node(f"t{n}", phase="Running" if n == 7 else "Succeeded", id=f"r-{n}", **ran(n, n + 1)) for n in range(60)]
    put(platform, *nodes)
    tab.open(f"{url}/workflows/argo/r?sort=-name")
    tab.until("document.querySelectorAll('.item').length > 20")
    tab.run("document.querySelector('.tree').focus()")
    for key in ("End", "ArrowUp"):
        tab("Input.dispatchKeyEvent", type="keyDown", key=key)
    assert tab.run("document.querySelector('.panel h2').textContent") == "t1"
    row = "document.getElementById(document.querySelector('.tree').getAttribute('aria-activedescendant'))"
    assert tab.run(f"{row}.textContent.includes('t1') && {row}.ariaSelected") == "true"
    places = f"[{row}, document.querySelector('.tree')].map((one) => one.getBoundingClientRect())"
    seen = f"(([row, tree]) => row.top >= tree.top + 26 && row.bottom <= tree.bottom)({places})"
    assert tab.run(seen), "scrolled into sight, below the head"
    tab.run("[...document.querySelectorAll('button')].find((one) => one.textContent === 'Stop').focus()")
    nodes[7] |= {"phase": "Failed", "message": "main: Error (exit code 1)"}
    put(platform, *nodes)
    tab.until("!!document.querySelector('.failures')")
    assert tab.run("document.activeElement.textContent") == "Stop", "a new state does not take the keyboard away"


def test_the_list_is_sorted_filtered_and_says_of_which_run_a_workflow_is(url, platform, tab):
    spec = {"entrypoint": "m", "templates": [{"name": "m", "container": {"image": "busybox"}}]}
    for name, phase, begun, took in (
        ("s-2", "Succeeded", 9, 5),
        ("s-10", "Failed", 5, 50),
        ("s-2-gather", "Running", 20, None),
    ):
        labels = {"hera-utils/run": "s-2"} if "gather" in name else {}
        document = json.loads(
            platform.submit("argo", {"metadata": {"name": name, "labels": labels}, "spec": spec}).text
        )
        document["status"] |= {"phase": phase, "startedAt": at(begun, whole=True)}
        document["status"] |= {"finishedAt": at(begun + took, whole=True)} if took else {}
        platform.put("Workflow", document)
    names = "[...document.querySelectorAll('tbody a')].map((one) => one.textContent)"
    tab.open(f"{url}/workflows/argo?sort=name")
    tab.until("document.querySelectorAll('tbody tr').length === 3")
    assert tab.run(names) == ["s-2", "s-2-gather", "s-10"]
    assert "s-2-gather of s-2" in tab.text()
    tab.run("document.querySelector('tbody a').focus()")
    for name, expected in (("Status", "s-10"), ("Started", "s-10"), ("Duration", "s-2")):
        press(tab, name)
        assert tab.run(names)[0] == expected, name
    assert tab.run("document.activeElement.textContent") == "s-2"
    press(tab, "Duration")
    assert tab.run(names)[0] == "s-2-gather", "it goes on since 2026"
    tab.run(
        "(box => { box.value = 's-2 SUCC'; box.dispatchEvent(new Event('input')); })(document.querySelector('input'))"
    )
    assert tab.run("location.search") == "?sort=-duration&filter=s-2+succ"
    tab.open(tab.run("location.href"))
    tab.until("document.querySelectorAll('tbody tr').length === 1")
    assert tab.run("document.querySelector('input').value") == "s-2 succ"


def failed(name: str, line: str, **more: object) -> dict:
    found = node(name, phase="Failed", message="main: Error (exit code 1)", **ran(0.0, 1.0), **more)
    found[RAN]["errorLine"] = line
    return found


def test_the_list_says_why_runs_failed_where_argo_does_not(url, platform, tab):
    spec = {"entrypoint": "m", "templates": [{"name": "m", "container": {"image": "busybox"}}]}
    for name, message in (("s-1", ""), ("s-2", "main: Error (exit code 1)"), ("s-3", "Stopped with strategy 'Stop'")):
        document = json.loads(platform.submit("argo", {"metadata": {"name": name}, "spec": spec}).text)
        found = failed("fit-1", "ValueError: beta too large")
        status = {"phase": "Failed", "progress": "0/1", "message": message, "nodes": {found["id"]: found}}
        document["status"] |= status | {"startedAt": at(0, whole=True), "finishedAt": at(9, whole=True)}
        platform.put("Workflow", document)
    tab.open(f"{url}/workflows/argo?sort=name")
    tab.until("document.body.innerText.includes('beta')")
    assert tab.run("[...document.querySelectorAll('tbody tr')].map((one) => one.lastChild.textContent)") == [
        "fit-1: main: Error (exit code 1): ValueError: beta too large",
        "main: Error (exit code 1): ValueError: beta too large",
        "Stopped with strategy 'Stop'",
    ]
    tab.run("(box => { box.value = 'beta'; box.dispatchEvent(new Event('input')); })(document.querySelector('input'))")
    assert tab.run("document.querySelectorAll('tbody tr').length") == 2


EVIL = "<img src=x onerror=\"document.title='owned'\">"


def test_failures_say_why_and_equal_ones_are_told_once(url, platform, tab):
    big = [failed(f"fit-{n}", "ValueError: beta too large", id=f"r-f{n}") for n in range(20)]
    kinds = [failed(f"kind-{n}", f"KeyError: {n}{EVIL}", id=f"r-k{n}", templateName=f"t{n}") for n in range(6)]
    for n, one in enumerate((*big, *kinds)):
        one["finishedAt"] = at(1 + n, whole=True)
    lost, again = failed("shaky(0)", "OSError: first"), failed("shaky(1)", "OSError: second")
    shaky = node("shaky", "Retry", phase="Succeeded", children=[lost["id"], again["id"]])
    put(platform, *big, *kinds, shaky, lost, {**again, "phase": "Succeeded"}, phase="Failed", until=50.0)
    tab.open(f"{url}/workflows/argo/r")
    tab.until("!!document.querySelector('.failures')")
    lines = tab.run("[...document.querySelectorAll('.failures li')].map((one) => one.textContent)")
    assert lines[0].endswith("fit-0 main: Error (exit code 1): ValueError: beta too large and 19 more in the same way")
    assert lines[1].endswith(f"kind-0 main: Error (exit code 1): KeyError: 0{EVIL}")
    assert lines[5:] == ["2 more failed"]
    assert "shaky" not in "".join(lines), "it succeeded in the end"
    assert tab.run("document.title") == "✘ r"
    picture(tab, "failures")
    tab.run("document.querySelector('.failures button').click()")
    facts = tab.run("document.querySelector('.panel dl').innerText")
    assert "ValueError: beta too large" in facts
    tab.run("[...document.querySelectorAll('.failures button')].at(-1).click()")
    tab.until("document.body.innerText.includes('26 of 30 nodes')")
    assert "KeyError: 3" in tab.run("document.querySelector('.rows').innerText")


def test_a_run_that_is_over_names_the_commands_for_its_report(url, platform, tab):
    put(platform, node("a"))
    tab.open(f"{url}/workflows/argo/r")
    tab.until("document.querySelectorAll('.item').length === 2")
    assert "hera-utils report" not in tab.text()
    put(platform, node("a"), phase="Succeeded", until=1.0)
    tab.until("document.body.innerText.includes('hera-utils report r --open --argo_namespace argo')")
    assert (
        tab.run("document.querySelector('.copy').ariaLabel") == "Copy: hera-utils report r --open --argo_namespace argo"
    )


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_of_a_phone_scrolls_only_downwards(url, platform, tab, dark):
    """At a width of 400 pixels, in each view; and every text has enough contrast (WCAG AA)."""
    long = node("a-task-with-a-name-that-is-much-longer-than-the-page-of-a-phone-is-wide", **ran(0.0, 2.0))
    bad = failed("bad", "ValueError: " + "a-word-without-end" * 12)
    put(platform, *chained(long, bad), phase="Failed", until=3.0)
    tab("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
    tab("Emulation.setDeviceMetricsOverride", width=400, height=800, deviceScaleFactor=1, mobile=False)
    try:
        for path in ("/r", "/r?tab=timeline", "/r?tab=graph", ""):
            tab.open(f"{url}/workflows/argo{path}")
            tab.until("document.querySelectorAll('.failures, tbody tr').length > 0")
            picture(tab, f"phone{path.replace('/', '-').replace('?', '-')}-{'dark' if dark else 'light'}")
            assert tab.run("document.documentElement.scrollWidth") <= 400, path
            written = "[...document.querySelectorAll('h1, td')].filter((one) => one.textContent)"
            heights = tab.run(f"{written}.map((one) => one.offsetHeight / (10 + one.textContent.length))")
            assert max(heights) < 10, "not a letter a line"
            assert tab.run(POOR) == [], path
            assert tab.run(UNNAMED) == 0, path
    finally:
        tab("Emulation.clearDeviceMetricsOverride")
        tab("Emulation.setEmulatedMedia", features=[])


def test_many_files_and_a_long_parameter_leave_the_log_in_sight(url, platform, tab):
    files = [{"name": f"a-file-with-a-long-name-{n}"} for n in range(40)]
    full = node("a", inputs={"parameters": [{"name": "text", "value": "word " * 20_000}]}, outputs={"artifacts": files})
    put(platform, full)
    tab.open(f"{url}/workflows/argo/r?nodeId={full['id']}")
    tab.until("document.querySelectorAll('.panel a').length === 40")
    shown = "[document.querySelector('pre.log'), document.querySelector('.panel')].map((one) => one.getBoundingClientRect())"
    log, panel = tab.run(f"{shown}.map(({{ top, bottom }}) => [top, bottom])")
    picture(tab, "many-files")
    assert log[1] <= panel[1]
    assert log[1] - log[0] > 150


def test_a_nested_template_that_succeeded_at_last_has_no_failures(url, platform, tab):
    first, second = (node(f"outer({n})", "DAG", phase=phase) for n, phase in enumerate(("Failed", "Succeeded")))
    bad = failed("outer(0).fit", "ValueError: once", boundaryID=first["id"])
    good = node("outer(1).fit", boundaryID=second["id"])
    retry = node("outer", "Retry", children=[first["id"], second["id"]])
    put(platform, retry, first, second, bad, good, phase="Succeeded", until=3.0)
    tab.open(f"{url}/workflows/argo/r?tab=graph")
    tab.until("document.querySelectorAll('.graph g').length === 1")
    assert tab.run(BOXES) == ["outer.fit: 1 Succeeded"]
    assert tab.run("document.querySelector('.failures')") is None


TABLE = "[...document.querySelectorAll('.results tr')].map((row) => [...row.children].map((one) => one.textContent.replace(/ [▲▼]$/, '')))"


def point(n: int, phase: str = "Succeeded") -> dict:
    given = {"a": str(n), "kind": "abc"[n % 3], "same": "1", "__proto__": str(-n)}
    inputs = {"parameters": [{"name": name, "value": value} for name, value in given.items()]}
    outputs = {"parameters": [{"name": "y", "value": str(n * n / 4)}]} if phase == "Succeeded" else {}
    found = node(f"p-{n}", phase=phase, id=f"r-p{n}", templateName="point", inputs=inputs, outputs=outputs)
    return found | ran(n, n + 0.25 * (n + 1))


def test_results_are_a_table_that_can_be_sorted(url, platform, tab):
    put(platform, *map(point, range(11)), point(11, "Failed"), node("last"), phase="Failed", until=20.0)
    tab.open(f"{url}/workflows/argo/r?tab=results")
    tab.until("document.querySelectorAll('.results tr').length === 13")
    head, *rows = tab.run(TABLE)
    assert head == ["Task", "Status", "a", "kind", "__proto__", "y", "seconds"], "what is the same for all is left out"
    assert rows[2] == ["p-2", "✔ Succeeded", "2", "c", "-2", "1", "0.75"], "the true time"
    assert rows[11] == ["p-11", "✘ Failed", "11", "c", "-11", "", "3"]
    press(tab, "y")
    press(tab, "y")
    assert [row[0] for row in tab.run(TABLE)[1:4]] == ["p-10", "p-9", "p-8"], (
        "numbers as numbers, what is not there last"
    )
    assert tab.run(TABLE)[-1][0] == "p-11"
    assert "by=-output.y" in tab.run("location.search")
    picture(tab, "results")
    tab.run("document.querySelectorAll('.results button.link')[1].click()")
    assert tab.run("document.querySelector('.panel h2').textContent") == "p-9"
    assert tab.run("document.querySelector('.results [aria-selected=true]').textContent").startswith("p-9")
    tab.run("(s => { s.value = 'work'; s.dispatchEvent(new Event('change')); })(document.querySelector('select'))")
    assert [row[0] for row in tab.run(TABLE)] == ["Task", "last"]
    tab.open(f"{url}/workflows/argo/r?tab=results&by=-output.y")
    tab.until("document.querySelectorAll('.results tr').length === 13")
    assert tab.run(TABLE)[1][0] == "p-10"
    assert tab.run(POOR) == []


def test_results_of_a_loop_are_in_the_order_of_its_items(url, platform, tab):
    put(platform, *(point(n) | {"displayName": f"p({n}:x)"} for n in (10, 2, 0, 1, 11)), phase="Succeeded", until=20.0)
    tab.open(f"{url}/workflows/argo/r?tab=results")
    tab.until("document.querySelectorAll('.results tr').length === 6")
    assert [row[0] for row in tab.run(TABLE)[1:]] == [f"p({n}:x)" for n in (0, 1, 2, 10, 11)]


def test_results_are_in_the_order_of_the_script(url, platform, tab):
    document = put(platform, *map(point, (3, 10, 2, 1)), phase="Succeeded", until=20.0)
    document["spec"]["templates"][0]["dag"]["tasks"] = [{"name": f"p-{n}", "template": "point"} for n in (1, 3, 2, 10)]
    platform.put("Workflow", document)
    tab.open(f"{url}/workflows/argo/r?tab=results")
    tab.until("document.querySelectorAll('.results tr').length === 5")
    assert [row[0] for row in tab.run(TABLE)[1:]] == ["p-1", "p-3", "p-2", "p-10"]


def test_of_thousands_of_results_the_first_are_shown_and_all_are_saved(url, platform, tab):
    put(platform, *map(point, range(3000)), phase="Succeeded", until=9000.0)
    tab.open(f"{url}/workflows/argo/r?tab=results&by=-input.a")
    tab.until("document.querySelectorAll('.results tr').length === 501")
    assert "The first 500 of 3000 rows" in tab.text()
    assert tab.run(TABLE)[1][0] == "p-2999"
    text = tab.run("""new Promise((resolve) => {
      URL.createObjectURL = (blob) => { resolve(blob.text()); return 'about:blank'; };
      HTMLAnchorElement.prototype.click = () => {};
      document.querySelector('.view:not([hidden]) .saving button').click();
    })""")
    lines = text.splitlines()
    assert lines[0] == "task,status,a,kind,__proto__,y,seconds"
    assert len(lines) == 3001
    assert lines[1].startswith("p-2999,Succeeded,2999,")


def test_pages_that_were_left_hold_no_connection(url, platform, tab):
    """Browsers keep the last pages, with their streams, for the back button, and open at most six connections to a server."""
    put(platform, node("a", phase="Running", **ran(0.0, None)))
    for visit in range(8):
        tab.open(f"{url}/workflows/argo/r?visit={visit}")
        tab.until("document.querySelectorAll('.item').length === 2")
    tab.run("history.back()")
    tab.until("location.search === '?visit=6' && document.querySelectorAll('.item').length === 2")
    put(platform, node("a", **ran(0.0, 1.0)), phase="Succeeded", until=1.0)
    tab.until("document.body.innerText.includes('✔ Succeeded')")


def test_an_address_may_name_anything(url, platform, tab):
    put(platform, node("a"), phase="Succeeded", until=1.0)
    for query in (
        "nodeId=constructor&tab=graph",
        "nodeId=__proto__&sort=constructor",
        "tab=results&by=toString&template=x",
    ):
        tab.open(f"{url}/workflows/argo/r?{query}")
        tab.until("document.querySelector('.panel h2')?.textContent === 'Log of the run'")
