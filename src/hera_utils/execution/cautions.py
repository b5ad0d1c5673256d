"""Warnings that are printed before a run is sent: what it will do that its user may not want. None of them stops the run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from hera_utils.errors import HeraUtilsError, SettingsError
from hera_utils.execution.declared_files import DeclaredFiles
from hera_utils.execution.plan import Plan
from hera_utils.execution.run_facts import identity, script_folder
from hera_utils.experiment.experiment import Experiment
from hera_utils.experiment.layout import Layout
from hera_utils.experiment.points import Point
from hera_utils.experiment.values import as_json_value, canonical
from hera_utils.runs.record import damaged_records, facts_of, records
from hera_utils.wording import counted

Json = dict[str, Any]
_PLACE = ("platform", "state", "namespace")
# what Hera writes before the body of an inline function
_INLINE_READ = re.compile(r"json\.loads\(r'''\{\{inputs\.parameters\.(\w+)\}\}'''\)")


def find_cautions(written: Experiment, now: Experiment, plan: Plan) -> list[str]:
    """written: the experiment as its author wrote it; now: with the inputs that the command line asks for."""
    return [
        *absent_files(plan.definition.layout, now.inputs.points, script_folder()),
        *_warn_of_overwriting(written, now),
        *_warn_of_fewer_points(now),
        *_warn_of_unclear_ownership(plan),
        *_warn_of_json_arguments(now, plan),
    ]


def absent_files(layout: object, points: Iterable[Point], script: Path) -> list[str]:
    """A warning about the first file beside the script that the layout reads and that does not exist. script: the script's folder."""
    absent = DeclaredFiles(layout, None, script).absent_local(points)
    return [] if absent is None else [f"the file {absent[1]}, which the layout's `{absent[0]}` reads, does not exist"]


def warn_of_unusable_records(runs: Path, facts: Json) -> list[str]:
    """Warnings about earlier runs whose points count as not done, because their records cannot be read or all come from another place.

    facts: those of the run that begins.
    """
    lost = [folder.name for folder in damaged_records(runs)]
    names = ", ".join(lost[:3]) + (", …" if len(lost) > 3 else "")
    unreadable = [f"the record of {names} cannot be read: its points count as not done"] if lost else []
    return unreadable + _warn_of_other_place(runs, facts)


def _warn_of_other_place(runs: Path, facts: Json) -> list[str]:
    """Warnings if all earlier runs were copied here with their folder, or ran with other settings; [] if some ran in this place."""
    earlier = [
        facts_of_record
        for facts_of_record in map(facts_of, records(runs))
        if facts_of_record.get("key") == facts["key"]
    ]
    if not earlier or any(identity(facts_of_record) == identity(facts) for facts_of_record in earlier):
        return []
    place = next((f"{name} {earlier[0].get(name)}" for name in _PLACE if earlier[0].get(name) != facts.get(name)), "")
    listed = f"{counted(len(earlier), 'run')} of this experiment in {runs.name}/"
    return [
        f"{listed} {'is' if len(earlier) == 1 else 'are'} of another place ({place}): no point of theirs counts as done"
    ]


def _warn_of_overwriting(written: Experiment, now: Experiment) -> Iterator[str]:
    """A constant has a new value and some paths do not depend on it: this run overwrites the files of the old value."""
    layout = now.made_layout()
    if not isinstance(layout, Layout):
        return
    point = next(iter(now.inputs.points))
    before, after = written.inputs.fixed, now.inputs.fixed
    changed = [name for name in after if name in before and not _is_equal(before[name], after[name])]
    paths = _paths(layout, point) if changed else {}
    for name in changed:
        other = replace(now, inputs=now.inputs.with_constant(name, before[name])).made_layout()
        if not isinstance(other, Layout):
            continue
        try:
            same = [method for method, path in _paths(other, point).items() if paths.get(method) == path]
        except HeraUtilsError:
            continue  # the layout has no path for the old value
        if same:
            listed = ", ".join(f"`{method}`" for method in same)
            yield (
                f"the constant `{name}` is set, and the paths of {listed} do not depend on it: this run overwrites "
                f"the files of another value"
            )


def _paths(layout: Layout, point: Point) -> dict[str, tuple[str, ...]]:
    paths: dict[str, tuple[str, ...]] = {}
    for file in (*layout.outputs(point), *layout.outputs_of_all()):
        paths[file.method] = (*paths.get(file.method, ()), file.path)
    return paths


def _is_equal(value: object, other: object) -> bool:
    try:
        return canonical(value) == canonical(other)
    except SettingsError:
        return value is other


def _warn_of_fewer_points(experiment: Experiment) -> Iterator[str]:
    points = experiment.inputs.points
    if points.drawn > len(points):
        yield f"{points.drawn} points were requested and {len(points)} differ: equal points run once"


def _warn_of_unclear_ownership(plan: Plan) -> Iterator[str]:
    ownership = plan.estimate.ownership
    why = "" if ownership.tasks else ownership.unit_reason
    if plan.points > 1 and why:
        yield f"it is unknown which task belongs to which of the {plan.points} points: {why}"
        yield "  so results are listed by task, not by point, and after a failure the whole workflow runs again"


def _warn_of_json_arguments(now: Experiment, plan: Plan) -> Iterator[str]:
    """Hera's inline scripts read each parameter as JSON, so they read the text `1e3` as the number 1000.0."""
    values_by_name = {**{name: [value] for name, value in now.inputs.fixed.items()}, **now.inputs.points.axes}
    texts = {
        name: next((value for value in map(as_json_value, values) if isinstance(value, str) and _is_json(value)), None)
        for name, values in values_by_name.items()
    }
    for template in (plan.document.get("spec") or {}).get("templates") or ():
        source = str((template.get("script") or {}).get("source") or "")
        for name in dict.fromkeys(_INLINE_READ.findall(source)):
            value = texts.get(name)
            if value is not None:
                yield (
                    f"the inline script `{template.get('name')}` reads the text {value!r} of `{name}` as {json.loads(value)!r}: "
                    'with @script(constructor="runner") and a parameter of type str it stays a text'
                )


def _is_json(words: str) -> bool:
    try:
        json.loads(words)
    except ValueError:
        return False
    return True
