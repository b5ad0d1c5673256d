"""Two runs side by side."""

from documents import pod, run, sweep

from hera_utils.results.comparison import Tolerance, compare_results
from hera_utils.results.results import Results
from hera_utils.runs.record import PointRow


def swept(outputs, name="one"):
    document = sweep([({"y": year}, phase, {"n": n} if n else {}) for year, (phase, n) in outputs.items()], name)
    known = [PointRow(f"{name}-{year}", number, year, {"y": int(year)}) for number, year in enumerate(outputs)]
    return Results.of([document], known, name=name)


def test_points_are_matched_by_their_values():
    found = compare_results(
        swept({"1": ("Succeeded", "10"), "2": ("Succeeded", "20"), "3": ("Succeeded", "1")}, "one"),
        swept({"2": ("Succeeded", "25"), "1": ("Succeeded", "10"), "4": ("Failed", None)}, "two"),
    )
    assert (found.what, found.same, found.equal) == ("points", 1, False)
    assert [(one.title, [(c.name, c.before, c.after, c.amount) for c in one.changes]) for one in found.changed] == [
        ("y=2", [("n", "20", "25", 5.0)])
    ]
    assert (found.only_first, found.only_second) == (("y=3",), ("y=4",))
    assert found.lines() == [
        "--- one",
        "+++ two",
        "  y=2",
        "    n: 20 → 25  (+5, +25 %)",
        "- y=3",
        "+ y=4",
        "1 point alike, 1 differs, 1 only in one, 1 only in two",
    ]


def test_a_run_is_equal_to_itself():
    one = swept({"1": ("Succeeded", "nan"), "2": ("Failed", None)})
    assert compare_results(one, one).equal


def test_tolerances():
    pair = swept({"1": ("Succeeded", "100")}), swept({"1": ("Succeeded", "100.5")}, "two")
    assert not compare_results(*pair).equal
    assert compare_results(*pair, Tolerance(relative=0.01)).equal
    assert compare_results(*pair, Tolerance(absolute=0.5)).equal
    assert not compare_results(*pair, Tolerance(relative=0.001, absolute=0.1)).equal
    assert Tolerance().same("1.0", "1.00")  # the same number in another spelling
    assert not Tolerance().same("x", "y")
    assert Tolerance().same("nan", "nan")


def test_a_status_that_changed_and_an_output_that_is_gone():
    (one,) = compare_results(swept({"1": ("Succeeded", "1")}), swept({"1": ("Failed", None)}, "two")).changed
    assert [(c.name, c.before, c.after) for c in one.changes] == [("status", "Succeeded", "Failed"), ("n", "1", None)]


def test_tasks_without_points_are_matched_by_template_and_inputs_then_by_their_path():
    first = Results.of(
        [run(pod("wf.c(0:x)", inputs={"b": "x"}, outputs={"n": "1"}), pod("wf.sum", inputs={"in": "1"}))]
    )
    second = Results.of(
        [run(pod("wf.c(3:x)", inputs={"b": "x"}, outputs={"n": "2"}), pod("wf.sum", inputs={"in": "2"}), name="wf")]
    )
    found = compare_results(first, second)
    assert not found.only_first
    assert not found.only_second
    assert [(one.title, [c.name for c in one.changes]) for one in found.changed] == [
        ("c(0:x)", ["n"]),
        ("sum (in=1)", ["inputs.in"]),
    ]


def test_tasks_that_inputs_do_not_tell_apart_are_matched_by_path():
    first = Results.of([run(pod("wf.a", outputs={"n": "1"}), pod("wf.b", outputs={"n": "2"}))])
    second = Results.of([run(pod("wf.b", outputs={"n": "2"}), pod("wf.a", outputs={"n": "1"}))])
    assert compare_results(first, second).equal
