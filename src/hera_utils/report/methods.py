"""A run as a paragraph for the methods section of a paper: what was run, with which versions, how often. Markdown. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.experiment.search import SAMPLERS
from hera_utils.report.markdown import escape_code, escape_text
from hera_utils.results.best_point import best_point
from hera_utils.results.columns import cell_text
from hera_utils.results.results import Results
from hera_utils.results.task_results import TaskResult
from hera_utils.results.terminal_table import number
from hera_utils.runs.measurements import sum_measurements
from hera_utils.runs.record import DONE
from hera_utils.runs.whole_run import WholeRun
from hera_utils.spans import span_in_words
from hera_utils.wording import counted, first_of, listed

_MOST_VALUES = 8  # with more values, an input's values are abbreviated
_MOST_PACKAGES = 30


@dataclass(frozen=True)
class Software:
    """The software that executed a run. python: the version that ran its script. packages: name → version of the imported ones.

    system: kernel and machine, "" for a cluster. commit, repository, changed: of the script; "", "" and 0 outside a repository.
    """

    argo: str = ""
    hera: str = ""
    hera_utils: str = ""
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    system: str = ""
    commit: str = ""
    repository: str = ""
    changed: int = 0
    images: Mapping[str, str] = field(default_factory=dict)


def methods_paragraph(run: WholeRun, results: Results, software: Software) -> str:
    """The title, the paragraph, and a line with the authors and the licence of the experiment."""
    sentences = [
        _describe_run(run, software),
        *_points(run, results),
        _tasks(run, results),
        _images(software.images),
        _packages(software.packages),
        _time(results),
    ]
    paragraph = " ".join(sentence for sentence in sentences if sentence)
    authors = "; ".join(escape_text(str(author)) for author in run.facts.get("authors") or ())
    license = escape_text(str(run.facts.get("license") or ""))
    last = ". ".join(part for part in (authors and f"Authors: {authors}", license and f"Licence: {license}") if part)
    return "\n\n".join(part for part in (f"# Methods: {escape_text(run.name)}", paragraph, last) if part) + "\n"


def _describe_run(run: WholeRun, software: Software) -> str:
    name = f"The experiment {escape_text(run.experiment)}" if run.experiment else f"The run `{escape_code(run.name)}`"
    begun = min(
        (at for workflow in run.own if (at := timestamps.read((workflow.get("status") or {}).get("startedAt")))),
        default=None,
    )
    when = "" if begun is None else f" on {datetime.fromtimestamp(begun, timezone.utc):%Y-%m-%d} (UTC)"
    if software.system:
        engine = f"the local platform of hera_utils {software.hera_utils}, which executes Argo workflows"
        where = f"on one machine ({escape_text(software.system)}), by {engine}"
    else:
        where = f"on a Kubernetes cluster, by Argo Workflows {escape_text(software.argo)}"
    described = f"It is described with Hera {software.hera}" + (
        f" in Python {software.python}" if software.python else ""
    )
    submitted = "" if software.system else f" and was submitted by hera_utils {software.hera_utils}"
    label = f" as `{escape_code(run.name)}`" if run.experiment else ""
    return f"{name} was run{when}{label} {where}. {described}{submitted}{_commit(software)}."


def _commit(software: Software) -> str:
    if not software.commit:
        return ""
    of = f" of {escape_text(software.repository)}" if software.repository else ""
    changed = f", from which {counted(software.changed, 'file')} differed" if software.changed else ""
    return f"; its code is commit `{software.commit[:12]}`{of}{changed}"


def _points(run: WholeRun, results: Results) -> Iterator[str]:
    if not results.points:
        return
    recorded = run.facts.get("inputs") or {}
    axes = recorded.get("parameters") or {}
    swept = listed([f"{escape_text(name)} ({_values(values)})" for name, values in axes.items()])
    fixed = listed(
        [
            f"{escape_text(name)} = {escape_text(cell_text(value))}"
            for name, value in (recorded.get("constants") or {}).items()
        ]
    )
    total, done = len(results.points), sum(point.status == DONE for point in results.points)
    what = f"It computed {counted(total, 'point')}" + (f", over {swept}" if swept else "")
    yield what + (f", with {fixed}." if fixed else ".")
    if recorded.get("search"):
        yield _search(recorded["search"], results)
    earlier = Counter(point.run for point in results.points if point.run)
    if earlier:
        of = listed([f"`{escape_code(name)}`" for name in earlier])
        yield f"{counted(earlier.total(), 'point')} of these had been computed by the earlier run{'s' if len(earlier) > 1 else ''} {of}."
    if done < total:
        yield f"{done} of the {counted(total, 'point')} succeeded."


def _search(search: Mapping[str, Any], results: Results) -> str:
    goals = [f"{verb} {escape_text(name)}" for verb in ("minimize", "maximize") for name in search.get(verb) or ()]
    seed = f" with the seed {search.get('seed')}" if search.get("sampler") in SAMPLERS else ""
    chosen = f"They were chosen by a search ({escape_text(str(search.get('sampler')))}{seed}, {search.get('at_once')} at once)"
    sentence = chosen + (f" to {listed(goals)}" if goals else "")
    best = best_point(search, results)
    if best is None:
        return f"{sentence}."
    return f"{sentence}; the {best.goal} {escape_text(best.output)} is {number(best.value)}, at {escape_text(listed(best.place))}."


def _values(values: Sequence[Any]) -> str:
    words = [escape_text(cell_text(value)) for value in values]
    if len(words) <= _MOST_VALUES:
        return f"{counted(len(words), 'value')}: {', '.join(words)}"
    # Unsorted numbers are a random sample: their range says more than the first three.
    if all(isinstance(value, int | float) for value in values) and list(values) != sorted(values):
        return f"{len(words)} values from {number(min(values))} to {number(max(values))}"
    return f"{len(words)} values: {', '.join(words[:3])}, …, {words[-1]}"


def _tasks(run: WholeRun, results: Results) -> str:
    own = [row for row in results.tasks if row.workflow not in run.earlier and row.began]
    if not own:
        return "No task of it was executed."
    by_template = Counter(row.template or "unnamed" for row in own)
    times = listed([f"`{escape_code(template)}` {_times(count)}" for template, count in by_template.most_common()])
    were, workflows = "was" if len(own) == 1 else "were", counted(len(run.own), "workflow")
    sentence = f"For this {counted(len(own), 'task')} {were} executed in {workflows}: {times}"
    again = sum(row.attempts > 1 for row in own)
    failed = sum(row.status in ("Failed", "Error") for row in own)
    more = [f"{counted(again, 'task')} needed more than one attempt"] if again else []
    more += [f"{failed} failed"] if failed else []
    return "; ".join([sentence, *more]) + "."


def _images(images: Mapping[str, str]) -> str:
    if not images:
        return ""
    words = [
        f"`{escape_code(image)}`" + (f" (in its place: {escape_text(stand_in)})" if stand_in else "")
        for image, stand_in in images.items()
    ]
    return f"Container image{'s' if len(images) > 1 else ''}: {listed(words)}."


def _packages(packages: Mapping[str, str]) -> str:
    if not packages:
        return ""
    words = [f"{name} {version}" for name, version in packages.items()]
    return f"Its code uses {listed(words) if len(words) <= _MOST_PACKAGES else first_of(words, _MOST_PACKAGES)}."


def _time(results: Results) -> str:
    rows = [row for row in results.tasks if row.seconds is not None and row.began]
    if not rows:
        return ""
    longest = max(rows, key=_seconds)
    sentence = f"Its tasks took {_span(sum(map(_seconds, rows)))} together, the longest {_span(_seconds(longest))}"
    measured = sum_measurements(row.used for row in rows)
    if "cpu_seconds" in measured:
        sentence += f"; they used {_span(measured['cpu_seconds'])} of processor time"
    if "peak_memory" in measured:
        sentence += f", and at most {measured['peak_memory'] / 1e6:.0f} MB of memory each"
    return f"{sentence}."


def _span(seconds: float) -> str:
    return span_in_words(seconds) if seconds >= 0.1 else "less than 0.1 s"


def _seconds(row: TaskResult) -> float:
    return row.seconds or 0.0


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
