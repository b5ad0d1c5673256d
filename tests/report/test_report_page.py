"""The report in a real browser: small, failed, of 10,000 points; safe, light and dark, wide and narrow, by the keyboard alone."""

import csv
import io
import math
import os
import statistics
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from browser import POOR, UNNAMED, chromium
from documents import pod, run, sweep

from hera_utils.argo.annotations import RAN
from hera_utils.report.page_html import page
from hera_utils.results.results import Results
from hera_utils.runs.record import PointRow
from hera_utils.runs.whole_run import WholeRun

EVIL = "</script><img src=x onerror=\"document.title='owned'\"><b>bold</b>"
NOTING = (
    "window.wrong = []; addEventListener('error', (e) => wrong.push(e.message));"
    "addEventListener('securitypolicyviolation', (e) => wrong.push(e.violatedDirective));"
)
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        opened("Page.addScriptToEvaluateOnNewDocument", source=NOTING)
        yield opened


@pytest.fixture
def shown(tab, tmp_path, request):
    """Shows a run's report; afterwards checks that the page had no errors and loaded nothing."""

    def show(whole, results=None, *, width=1280, height=900, dark=False):
        path = tmp_path / "report.html"
        path.write_text(page(whole, results or Results.of_run(whole), [("platform", "local")]), encoding="utf-8")
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        tab("Emulation.setEmulatedMedia", features=scheme)
        tab("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        tab.open(path.as_uri())
        tab.until("!!document.querySelector('footer')")
        time.sleep(0.2)
        if folder := os.environ.get("HERA_UTILS_PICTURES"):
            tab.picture(
                Path(folder) / f"{request.node.name.replace('/', '-')}-{width}-{'dark' if dark else 'light'}.png"
            )
        return path

    yield show
    assert tab.run("wrong") == []
    assert tab.run("performance.getEntriesByType('resource').length") == 0


def swept(count, values):
    def phase(number):
        return "Failed" if number % 997 == 3 else "Succeeded"

    text = [{name: str(value) for name, value in values(n).items()} for n in range(count)]
    document = sweep([(one, phase(n), {"y": str(math.sin(n / 50))}) for n, one in enumerate(text)])
    points = tuple(PointRow(f"{n:016x}", n, f"p{n}", values(n), "wf") for n in range(count))
    return WholeRun("wf", "default", (document,), facts={"inputs": {"constants": {"city": "Lyon"}}}, points=points)


def rows(tab):
    return tab.run(
        "[...document.querySelectorAll('.data')].find((e) => e.offsetParent).querySelectorAll('tbody tr[data-row]').length"
    )


def cells(tab, column):
    """The shown cells of a column of the visible table."""
    return tab.run(
        "(() => { const t = [...document.querySelectorAll('.data')].find((e) => e.offsetParent);"
        " const n = [...t.querySelectorAll('thead th')].findIndex((e) => e.textContent.replace(/ [▲▼]/, '') === '" + column + "');"
        " return [...t.querySelectorAll('tbody tr[data-row]')].map((r) => r.children[n].textContent); })()"
    )  # fmt: skip


PAINTED = """((canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height), seen = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3]) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
  return seen.size;
})(document.querySelector(SELECTOR))"""

CHOOSE = """(() => {
  const label = [...document.querySelectorAll('#plots label')].find((one) => one.textContent.startsWith('as'));
  const select = label.querySelector('select');
  select.value = 'KIND';
  select.dispatchEvent(new Event('change'));
})()"""


def painted(tab, selector):
    """How many different colours a canvas shows."""
    return tab.run(PAINTED.replace("SELECTOR", repr(selector)))


def test_a_small_run(shown, tab):
    shown(swept(12, lambda n: {"year": 2000 + n % 4, "city": "abc"[n // 4]}))
    text = tab.text()
    for expected in ("wf", "Plots", "Results", "Timeline", "How it was run", "y over year and city", "Lyon", "12 rows"):
        assert expected in text, expected
    assert painted(tab, "#plots canvas") > 5
    assert painted(tab, "#timeline canvas") > 3
    assert tab.run("document.title") == "wf · Succeeded"


def test_nothing_of_a_run_is_read_as_html(shown, tab):
    nodes = [pod(f"wf.{EVIL}{n}", "Failed", {EVIL: f"{EVIL}{n}"}, {EVIL: EVIL}, message=EVIL) for n in range(3)]
    whole = WholeRun(EVIL, EVIL, (run(*nodes, phase="Failed"),), facts={"experiment": EVIL})
    results = Results.of_run(whole)
    shown(whole, results.with_logs({row.node_id: [EVIL] for row in results}))
    assert tab.run("document.title").startswith("</script>")
    assert tab.run("document.querySelectorAll('img, b:not(.tile b)').length") == 0
    assert EVIL in tab.text()
    tab.run("document.querySelector('.data tbody tr[data-row]').click()")
    assert EVIL in tab.run("document.querySelector('dialog').innerText")


def test_ten_thousand_points_stay_usable(shown, tab):
    whole = swept(10_000, lambda n: {"a": n % 100, "b": n // 100})
    path = shown(whole)
    assert path.stat().st_size < 4_000_000
    assert "10\u202f000 rows" in tab.text()
    assert rows(tab) < 80
    assert painted(tab, "#plots canvas") > 50
    tab.run("document.querySelector('.scroll').scrollTop = 28 * 5000")
    tab.until("[...document.querySelectorAll('.data td')].some((e) => e.textContent === '50')")
    assert rows(tab) < 80
    tab.run("[...document.querySelectorAll('th button')].find((e) => e.textContent === 'y').click()")
    tab.run("document.querySelector('.scroll').scrollTop = 0")
    tab.until("[...document.querySelectorAll('.data th')].some((e) => e.ariaSort === 'ascending')")
    time.sleep(0.2)
    shown_values = [float(one) for one in cells(tab, "y") if one]
    assert shown_values == sorted(shown_values)
    assert shown_values[0] < -0.99
    tab.run(
        "(() => { const s = document.querySelector('input[type=search]'); s.value = 'a>=98 b=7'; s.dispatchEvent(new Event('input')); })()"
    )
    tab.until("document.body.innerText.includes('2 of 10\u202f000 rows')")
    assert set(cells(tab, "a")) <= {"98", "99"} or rows(tab) == 2


@pytest.mark.parametrize(("width", "dark"), [(1280, True), (380, False), (380, True)])
def test_it_fits_and_can_be_read(shown, tab, width, dark):
    shown(swept(40, lambda n: {"a": n % 8, "b": n // 8, "c": n % 3}), width=width, dark=dark)
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")
    assert tab.run(POOR) == []


KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowDown": 40}


def press(tab, key):
    for kind in ("rawKeyDown", "keyUp"):
        tab("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key])


def test_by_the_keyboard_alone(shown, tab):
    shown(swept(12, lambda n: {"year": n}))
    press(tab, "Tab")
    assert tab.run("document.activeElement.textContent") == "To the results"
    tab.run("document.querySelector('.data tbody tr[data-row]').focus()")
    press(tab, "ArrowDown")
    assert tab.run("document.activeElement.dataset.row") == "1"
    press(tab, "Enter")
    tab.until("document.querySelector('dialog').open")
    assert "year\n1" in tab.run("document.querySelector('dialog').innerText")
    press(tab, "Escape")
    tab.until("!document.querySelector('dialog').open")
    assert tab.run(UNNAMED) == 0


def test_other_pictures_can_be_chosen(shown, tab):
    shown(swept(60, lambda n: {"a": n % 6, "b": n // 6}))
    for kind in ("scatter", "heat map", "parallel", "importance", "coverage", "bars", "histogram", "line"):
        tab.run(CHOOSE.replace("KIND", kind))
        time.sleep(0.05)
        assert painted(tab, "#plots canvas") > 3, kind
        assert kind in tab.run("document.querySelector('#plots canvas').ariaLabel")


SAVED = """(async () => {
  const found = [], made = URL.createObjectURL;
  URL.createObjectURL = (blob) => { found.push(blob); return made.call(URL, blob); };
  HTMLAnchorElement.prototype.click = function () { found[found.length - 1].named = this.download; };
  for (const button of document.querySelectorAll('.saving button')) {
    const before = found.length;
    button.click();
    while (found.length === before) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return Promise.all(found.map(async (blob) => [blob.named, blob.type, blob.type === 'image/png' ? String(blob.size) : await blob.text()]));
})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_every_picture_can_be_saved_in_the_colours_of_daylight(shown, tab, dark):
    shown(swept(60, lambda n: {"a": n % 6, "b": n // 6, "c": ("u", "v")[n % 2]}), dark=dark)
    for kind in ("line", "scatter", "heat map", "parallel", "bars", "histogram"):
        tab.run(CHOOSE.replace("KIND", kind))
        files = tab.run(SAVED)
        drawings = [text for _, type_, text in files if type_ == "image/svg+xml"]
        assert len(drawings) == 4, "three pictures and the timeline"
        for text in drawings:
            root = ElementTree.fromstring(text)
            assert root.tag.endswith("svg")
            assert len(list(root.iter())) > 10
            assert "NaN" not in text
            assert root.find("{*}rect").get("fill") == "#ffffff"
        assert all(int(text) > 2000 for _, type_, text in files if type_ == "image/png")
        tables = {name: text.splitlines() for name, type_, text in files if type_ == "text/csv"}
        assert len(tables) == 4
        assert tables["What-y-depends-on.csv"][0] == "input,rank_correlation,first_order,total"
        assert len(tables["Where-the-points-are.csv"]) == 61
        assert len(tables["Timeline-of-wf.csv"]) > 50
    assert painted(tab, "#plots canvas") > 3


def test_what_an_output_depends_on_is_in_the_report(shown, tab):
    whole = swept(64, lambda n: {"a": n % 8, "b": n // 8})
    shown(whole)
    tables = {name: text for name, type_, text in tab.run(SAVED) if type_ == "text/csv"}
    rows = list(csv.DictReader(io.StringIO(tables["What-y-depends-on.csv"])))
    assert {row["input"] for row in rows} == {"a", "b"}
    assert sum(float(row["first_order"]) for row in rows) <= 1
    assert "exact for this grid of 64 points" in tab.text()


def test_an_input_of_two_numbers_has_a_key_and_no_scale(shown, tab):
    shown(swept(60, lambda n: {"a": n % 30, "b": (n // 30 + 1) * 100}))
    tab.run(CHOOSE.replace("KIND", "scatter"))
    assert tab.run("[...document.querySelectorAll('#plots .legend')][0].innerText.split('\\n')") == ["100", "200"]
    shown(swept(60, lambda n: {"a": n % 3, "b": n // 3}))
    tab.run(CHOOSE.replace("KIND", "scatter"))
    assert tab.run("document.querySelector('#plots .legend').innerText") == "0\n1\n2"


def test_lines_over_seeds_are_means_with_standard_errors(shown, tab):
    shown(swept(60, lambda n: {"a": n % 6, "seed": n // 6}))
    assert "Lines are means; bands are standard errors." in tab.text()
    files = tab.run(SAVED)
    (table,) = (text for name, type_, text in files if name == "y-over-a.csv")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["a"] for row in rows] == list("012345")
    values = [math.sin((6 * seed + 2) / 50) for seed in range(10)]
    assert float(rows[2]["y.mean"]) == pytest.approx(statistics.mean(values))
    assert float(rows[2]["y.standard_error"]) == pytest.approx(statistics.stdev(values) / math.sqrt(10))
    assert (float(rows[2]["y.most"]), rows[2]["y.count"]) == (pytest.approx(max(values)), "10")
    tab.run(
        "(() => { const s = [...document.querySelectorAll('#plots label')].find((one) => one.textContent.startsWith('bands'))"
        ".querySelector('select'); s.value = 'range'; s.dispatchEvent(new Event('change')); })()"
    )
    assert "Lines are means; bands reach from the least to the most." in tab.text()
    tab.run(CHOOSE.replace("KIND", "bars"))
    assert "Bars are means; strokes are standard errors." in tab.text()
    shown(swept(60, lambda n: {"a": n % 3, "b": n // 3 % 2, "seed": n // 6}))
    tab.run(CHOOSE.replace("KIND", "bars"))  # the points also differ in b, so there is no error of the mean
    assert "Bars are means; strokes reach from the least to the most." in tab.text()
    tab.run(CHOOSE.replace("KIND", "heat map"))
    assert "Cells are means of several values." in tab.text()
    (table,) = (text for name, type_, text in tab.run(SAVED) if name == "y-over-a-and-b.csv")
    assert table.splitlines()[0] == "a,b,y.mean,y.standard_error,y.least,y.most,y.count"
    assert len(table.splitlines()) == 7


def test_a_run_of_which_nothing_has_started(shown, tab):
    document = run(phase="Pending")
    document["status"] = {}
    shown(WholeRun("wf", "default", (document,)))
    assert "No task has started." in tab.text()


@pytest.mark.parametrize("dark", [False, True])
def test_what_tasks_needed_is_drawn_by_template(shown, tab, dark):
    def node(number):
        used = {"cpuSeconds": 0.5 * number, "peakMemory": number << 20, "requestedMemory": 64 << 20, "startDelay": 0.1}
        return pod(
            f"wf.t-{number}",
            **{RAN: {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:02Z", **used}},
        )

    shown(WholeRun("wf", "default", (run(*map(node, range(1, 40))),)), dark=dark)
    assert painted(tab, "#resources canvas") > 5
    label = "document.querySelector('#resources canvas').ariaLabel"
    assert tab.run(label) == "peak memory by template: collect from 1.0 MiB to 39.0 MiB."
    tab.run(
        "(() => { const s = document.querySelector('#resources select'); s.value = 'cores used'; s.dispatchEvent(new Event('change')); })()"
    )
    assert tab.run(label) == "cores used by template: collect from 0.25 to 9.75."
    cells = tab.run("[...document.querySelectorAll('#resources tbody td')].map((one) => one.textContent)")
    assert {"64.0 MiB", "39.0 MiB"} <= set(cells)
    assert tab.run(POOR) == []
    assert tab.run(UNNAMED) == 0


def test_of_a_cluster_no_measurement_is_drawn(shown, tab):
    shown(WholeRun("wf", "default", (run(pod("wf.a"), pod("wf.b")),)))
    assert tab.run("document.querySelectorAll('#resources canvas').length") == 0
