"""The page in a real browser: it updates live, is safe against the content of workflows, and is fast with thousands of nodes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import requests
from memory_platform import MemoryPlatform
from serving import TOKEN

from hera_utils.interpreter.events import ShutdownRequested
from hera_utils.local_platform.serving.credentials import Gate
from waiting import until

EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
STARTED = "2026-11-23T10:00:00Z"


def node(name: str, kind: str = "Pod", phase: str = "Succeeded", **more: object) -> dict:
    number = sum(map(ord, name)) + len(name)
    return {
        "id": f"big-{number}-{name}" if name != "big" else "big", "name": name, "displayName": name.rpartition(".")[2] or name,
        "type": kind,
        "phase": phase, "templateName": "say", "startedAt": STARTED,
        "finishedAt": "2026-11-23T10:00:02Z" if phase == "Succeeded" else None, **more,
    }  # fmt: skip


def fan_out(count: int) -> dict:
    """A workflow: a DAG with one fan-out and a task after it."""
    items = [
        node(
            f"big.work({i}:x)",
            boundaryID="big",
            displayName=f"work({i}:x)",
            phase="Succeeded" if i < count // 2 else "Running",
        )
        for i in range(count)
    ]
    group = node("big.work", "TaskGroup", "Running", boundaryID="big", children=[one["id"] for one in items])
    failed = node("big.check", phase="Failed", boundaryID="big", message=EVIL)
    failed["inputs"] = {"parameters": [{"name": "html", "value": EVIL}]}
    failed["outputs"] = {"exitCode": "4", "artifacts": [{"name": "table"}]}
    root = node("big", "DAG", "Running", children=[group["id"], failed["id"]])
    return {one["id"]: one for one in (root, group, failed, *items)}


def big(platform: MemoryPlatform, count: int) -> dict:
    spec = {
        "entrypoint": "m",
        "templates": [{"name": "m", "dag": {"tasks": []}}, {"name": "say", "container": {"image": "busybox"}}],
        "arguments": {"parameters": [{"name": "city", "value": EVIL}]},
    }
    document = json.loads(platform.submit("argo", {"metadata": {"name": "big"}, "spec": spec}).text)
    document["status"]["nodes"] = fan_out(count)
    document["status"]["progress"] = f"{count // 2}/{count + 1}"
    platform.put("Workflow", document)
    return document


def test_the_page_carries_no_data_and_needs_no_token(url):
    answer = requests.get(f"{url}/workflows/argo/some-name-7f3a?tab=workflow", timeout=5)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "some-name-7f3a" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    # A namespace's name; nothing is loaded from there.
    assert "http:" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    assert "https:" not in answer.text
    assert "src=" not in answer.text
    assert requests.post(f"{url}/workflows", timeout=5).status_code == 405


@pytest.mark.browser
def test_a_run_is_shown_live(url, platform, tab, tmp_path):
    document = big(platform, 30)
    tab.open(f"{url}/workflows/argo/big?tab=workflow")
    tab.until("document.querySelectorAll('.item').length > 20")
    text = tab.text()
    for expected in ("big", "Running", "15/31", "work", "check", "Failed 1", "33 nodes"):
        assert expected in text, expected
    assert tab.run("document.title") == "● big"  # no text of the workflow was interpreted as HTML
    tab.run("[...document.querySelectorAll('.item')].find((e) => e.textContent.includes('check')).click()")
    details = tab.run("document.querySelector('.panel').innerText")
    assert EVIL in details
    assert "exit code" in details
    assert tab.run("document.querySelector('.panel a').getAttribute('href')").startswith("/artifacts/argo/big/")
    document["status"] |= {"phase": "Succeeded", "finishedAt": "2026-11-23T10:00:09Z", "progress": "31/31"}
    platform.put("Workflow", document)
    tab.until("document.body.innerText.includes('31/31')")
    assert "9 s" in tab.text()
    document["status"] |= {"progress": "31/33"}  # two attempts failed and were retried
    platform.put("Workflow", document)
    tab.until("document.body.innerText.includes('31/33 pods ok')")
    assert tab.run("document.querySelector('progress').position") == 1
    if folder := os.environ.get("HERA_UTILS_PICTURES"):
        tab.picture(Path(folder) / "run.png")


@pytest.mark.browser
def test_the_page_of_a_workflow_shows_the_whole_run(url, platform, tab):
    """The run's other workflows are links, and appear while the page is open: gather is the last one."""

    def part(name: str, phase: str, progress: str) -> None:
        spec = {"entrypoint": "m", "templates": [{"name": "m", "container": {"image": "busybox"}}]}
        metadata = {"name": name, "labels": {"hera-utils/run": "sweep"}}
        document = json.loads(platform.submit("argo", {"metadata": metadata, "spec": spec}).text)
        document["status"] |= {"phase": phase, "progress": progress, "nodes": {}}
        platform.put("Workflow", document)

    part("sweep", "Running", "3/4")
    tab.open(f"{url}/workflows/argo/sweep")
    tab.until("document.body.innerText.includes('3/4')")
    assert tab.run("document.querySelector('nav.whole').hidden"), "of one workflow there is nothing more to tell"
    part("sweep-gather", "Running", "0/1")
    tab.until("document.body.innerText.includes('3/5 in 2 workflows')")
    links = tab.run(
        "[...document.querySelectorAll('nav.whole a')].map((one) => [one.getAttribute('href'), one.ariaCurrent])"
    )
    assert links == [["/workflows/argo/sweep", "page"], ["/workflows/argo/sweep-gather", None]]
    tab.open(f"{url}/workflows/argo/sweep-gather")
    tab.until("document.querySelector('nav.whole a[aria-current]')?.textContent.includes('sweep-gather')")


@pytest.mark.browser
def test_the_list_is_filtered_by_words(url, platform, tab):
    spec = {"entrypoint": "m", "templates": [{"name": "m", "container": {"image": "busybox"}}]}
    for name, phase in (("ising-1", "Succeeded"), ("ising-2", "Failed"), ("heat-1", "Failed")):
        document = json.loads(platform.submit("argo", {"metadata": {"name": name}, "spec": spec}).text)
        document["status"]["phase"] = phase
        platform.put("Workflow", document)
    tab.open(f"{url}/workflows/argo")
    tab.until("document.querySelectorAll('tbody tr').length === 3")
    tab.run(
        "(box => { box.value = 'ISING failed'; box.dispatchEvent(new Event('input')); })(document.querySelector('input'))"
    )
    assert tab.run("document.querySelector('tbody').innerText").startswith("ising-2")
    assert tab.run("document.querySelectorAll('tbody tr').length") == 1


@pytest.mark.browser
def test_the_list_has_pages(url, platform, tab):
    spec = {"entrypoint": "m", "templates": [{"name": "m", "container": {"image": "busybox"}}]}
    for number in range(502):
        platform.submit("argo", {"metadata": {"name": f"run-{number}"}, "spec": spec})
    tab.open(f"{url}/workflows/argo")
    tab.until("document.body.innerText.includes('1 to 500, youngest first')")
    button = "[...document.querySelectorAll('button')].find(one => one.textContent === '{}')".format
    assert tab.run(f"{button('Younger')}.hidden") is True
    first = set(tab.run("[...document.querySelectorAll('tbody a')].map(one => one.textContent)"))
    tab.run(f"{button('Older')}.click()")
    tab.until("document.body.innerText.includes('501 to 502, youngest first')")
    rest = set(tab.run("[...document.querySelectorAll('tbody a')].map(one => one.textContent)"))
    assert len(first | rest) == 502
    assert tab.run(f"{button('Older')}.hidden") is True
    typed = "(box => {{ box.value = '{}'; box.dispatchEvent(new Event('input')); }})(document.querySelector('input'))".format
    oldest = rest.pop()
    tab.run(f"{button('Younger')}.click()")
    tab.until("document.body.innerText.includes('1 to 500, youngest first')")
    tab.run(typed(oldest))
    tab.until("document.body.innerText.includes('of all runs, by name and phase')")
    assert oldest in tab.run("[...document.querySelectorAll('tbody a')].map(one => one.textContent)")
    tab.run(typed(f"{oldest} running"))
    tab.until(f"document.querySelector('tbody').innerText.startsWith('{oldest}')")
    tab.run(typed(f"{oldest} failed"))
    tab.until("document.querySelectorAll('tbody tr').length === 0")
    tab.run(typed(""))
    tab.until("document.body.innerText.includes('1 to 500, youngest first')")


@pytest.mark.browser
def test_what_programs_write_for_terminals_is_not_shown(url, platform, tab):
    big(platform, 1)
    tab.open(f"{url}/workflows/argo/big")
    tab.until("document.querySelectorAll('.item').length > 2")
    written = json.dumps("\x1b[31mred\x1b[0m\x1b]0;title\x07 \x1b[2K100 %\r")
    assert tab.run(f"{written}.replace(CONTROLS, '')") == "red 100 %"
    assert tab.run("[...document.querySelectorAll('.phase')].filter((one) => one.closest('button')).length") == 2


def computed(document: dict, done: int) -> dict:
    """A run with a sweep of 16 points over two inputs, of which `done` are computed."""
    nodes = document["status"]["nodes"]
    for number in range(16):
        name, phase = f"big.point-{number}", "Succeeded" if number < done else "Running"
        point = node(name, phase=phase, boundaryID="big", templateName="point")
        point["inputs"] = {
            "parameters": [{"name": "a", "value": str(number % 4)}, {"name": "b", "value": str(number // 4)}]
        }
        point["outputs"] = {"result": str(3 * (number % 4) + number // 4)} if number < done else {}
        nodes[point["id"]] = point
    return document


@pytest.mark.browser
def test_the_pictures_of_a_sweep_grow_while_it_runs(url, platform, tab, tmp_path):
    document = computed(big(platform, 4), 6)
    platform.put("Workflow", document)
    tab.open(f"{url}/workflows/argo/big?tab=pictures")
    tab.until("document.body.innerText.includes('16 points, of which 10 (rings) have no result.')")
    assert tab.run("document.querySelectorAll('.card').length") == 3
    tab.run("window.chosen = document.querySelectorAll('.card select')[1]; chosen.value = 'heat map'")
    tab.run("chosen.dispatchEvent(new Event('change'))")
    platform.put("Workflow", computed(document, 16))
    tab.until("document.body.innerText.includes('exact for this grid of 16 points')")
    text = tab.text()
    assert "16 points." in text
    assert "result over a and b" in text
    assert tab.run("document.querySelectorAll('.card select')[1].value") == "heat map"  # the reader's choice is kept
    assert tab.run("document.title") == "● big"
    if folder := os.environ.get("HERA_UTILS_PICTURES"):
        tab.picture(Path(folder) / "sweep.png")


@pytest.mark.browser
def test_the_picture_of_repeated_points_is_of_their_means(url, platform, tab):
    document = computed(big(platform, 4), 16)
    for number in range(16):
        (point,) = [n for n in document["status"]["nodes"].values() if n["name"] == f"big.point-{number}"]
        values = {"p": number % 4 / 10, "size": 8 * (number // 4 % 2 + 1), "seed": number // 8}
        point["inputs"]["parameters"] = [{"name": name, "value": str(value)} for name, value in values.items()]
    platform.put("Workflow", document)
    tab.open(f"{url}/workflows/argo/big?tab=pictures")
    tab.until("document.body.innerText.includes('Lines are means; bands are standard errors.')")
    assert "result over p and size" in tab.text()


@pytest.mark.browser
def test_logs_follow_and_buttons_act(url, platform, tab):
    document = big(platform, 2)
    check = next(one for one in document["status"]["nodes"].values() if one["displayName"] == "check")
    pod = f"big-say-{check['id'].rpartition('-')[2]}"
    platform.add_pod("argo", "big", pod, 1000)
    platform.lines[pod, "main"] = [(1000.0, "first line"), (1001.0, EVIL)]
    tab.open(f"{url}/workflows/argo/big")
    tab.until("document.querySelectorAll('.item').length >= 5")
    tab.run("[...document.querySelectorAll('.item')].find((e) => e.textContent.includes('check')).click()")
    tab.until("(document.querySelector('pre.log') || {}).textContent?.includes('first line')")
    assert EVIL in tab.run("document.querySelector('pre.log').textContent")
    assert tab.run("document.title") == "● big"
    tab.run(
        "window.confirm = () => true; [...document.querySelectorAll('button')].find((b) => b.textContent === 'Stop').click()"
    )
    until(lambda: platform.acted)
    assert platform.acted == [("big", ShutdownRequested(0.0, strategy="Stop"))]


@pytest.mark.browser
def test_a_wide_run_is_open_and_a_log_without_lines_says_so(url, platform, tab):
    big(platform, 500)
    tab.open(f"{url}/workflows/argo/big")
    tab.until("document.body.innerText.includes('503 nodes') && !document.body.innerText.includes('of 503')")
    tab.until("document.querySelector('pre.log').textContent.startsWith('(no lines')")


@pytest.mark.browser
def test_two_thousand_nodes(url, platform, tab):
    document = big(platform, 2000)
    tab.open(f"{url}/workflows/argo/big")
    tab.until("document.body.innerText.includes('2000 below')")
    tab.run("document.querySelectorAll('.item .fold')[2].click()")
    tab.until("document.body.innerText.includes('2003 nodes') && !document.body.innerText.includes('of 2003')")
    assert tab.run("document.querySelectorAll('.item').length") < 100
    tab.run("document.querySelector('.tree').scrollTop = 26 * 1500")
    tab.until("document.body.innerText.includes('work(1500:x)')")
    for one in document["status"]["nodes"].values():
        one["phase"] = "Succeeded"
    document["status"]["progress"] = "2001/2001"
    document["status"]["nodes"] = dict(reversed(document["status"]["nodes"].items()))
    platform.put("Workflow", document)
    tab.until("document.body.innerText.includes('2001/2001')")
    tab.run(
        "const s = document.querySelector('input[type=search]'); s.value = '(1234:'; s.dispatchEvent(new Event('input'))"
    )
    tab.until("document.body.innerText.includes('1 of 2003 nodes')")
    tab.run("s.value = '(123'; s.dispatchEvent(new Event('input'))")
    tab.until("document.body.innerText.includes('11 of 2003 nodes')")
    found = tab.run("[...document.querySelectorAll('.item')].map(item => item.innerText.match(/\\d+/)[0]).join(' ')")
    assert found == "123 " + " ".join(str(number) for number in range(1230, 1240))


@pytest.mark.browser
def test_a_browser_that_cannot_be_told_is_asked_for_the_token(url, platform, tab, monkeypatch):
    monkeypatch.setattr(Gate, "check_browser", lambda *_: False)
    big(platform, 3)
    tab.open(f"{url}/workflows/argo/big")
    tab.until("document.body.innerText.includes('Token needed')")
    enter = "document.querySelector('input').value = '{}'; document.querySelector('form').requestSubmit()"
    tab.run(enter.format("wrong"))
    tab.until("document.body.innerText.includes('Token needed') && !document.querySelector('input').value")
    tab.run(enter.format(f"Bearer {TOKEN}"))
    tab.until("document.querySelectorAll('.item').length >= 6")
    tab.open("about:blank")
    tab.run("1")
    tab.open(f"{url}/workflows/argo/big?again#token={TOKEN}")
    tab.until("document.querySelectorAll('.item').length >= 6")
    assert tab.run("location.hash") == ""
    tab.run("sessionStorage.clear()")


@pytest.mark.browser
def test_the_list_and_a_missing_run(url, platform, tab):
    big(platform, 1)
    tab.open(f"{url}/")
    tab.until("document.querySelector('td a') && document.querySelector('td a').textContent === 'big'")
    tab.open(f"{url}/workflows/argo/nobody")
    tab.until("document.body.innerText.includes('\"nobody\" not found')")
