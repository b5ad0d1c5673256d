"""Decides which points of a sweep run again, and why: by comparing their fingerprints with those of their last results.

`decide` goes through all points; `rerun_reason` decides for one of them; explanation.py explains at length.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hera_utils.execution.batches import SizeEstimate, fingerprints_of
from hera_utils.execution.declared_files import DeclaredFiles
from hera_utils.execution.definition import Definition
from hera_utils.execution.explanation import Explanation
from hera_utils.execution.fingerprint_diff import FingerprintChange, describe_changes, find_changes
from hera_utils.execution.fingerprints import Fingerprint, Fingerprinter
from hera_utils.execution.history import History, LastResult
from hera_utils.experiment.points import Point
from hera_utils.runs.file_facts import FileFacts
from hera_utils.runs.record import DONE, SUBMITTED, encoded
from hera_utils.wording import counted

Json = dict[str, Any]

PART_OF_UNIT = "it is part of one unit"
"""Why a point runs again although only other points of its workflow have to."""


@dataclass(frozen=True)
class Decisions:
    """Which points of a sweep run. run: point id → why it runs. done: id → the run that computed it.

    in_flight: id → its present fingerprint, of the points that still run. fingerprints: of the points in `run`.
    unseen: whether some declared files could not be read. outputs: id → the facts about the output files, of the points that are done.
    explanation: of the changes because of which points run. assumed: sentences about what could not be checked.
    adopted: id → the new fingerprint of a point that is done, if an older record has a less complete one.
    """

    run: Mapping[str, str]
    done: Mapping[str, str] = field(default_factory=dict)
    in_flight: Mapping[str, Fingerprint] = field(default_factory=dict)
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)
    unseen: bool = False
    outputs: Mapping[str, Mapping[str, FileFacts]] = field(default_factory=dict)
    explanation: Explanation = field(default_factory=Explanation)
    assumed: tuple[str, ...] = ()
    adopted: Mapping[str, Fingerprint] = field(default_factory=dict)

    def only(self, points: set[str]) -> Decisions:
        """The decisions with only these points to run."""
        return replace(self, run={point: reason for point, reason in self.run.items() if point in points})


@dataclass(frozen=True)
class _PointDecision:
    """The decision about one point. reason: why it runs, "" if it is done. last: its last result, if any; changes: those since then.

    outputs, adopted: as in Decisions, if it is done.
    """

    reason: str
    last: LastResult | None = None
    changes: Sequence[FingerprintChange] = ()
    outputs: Mapping[str, FileFacts] = field(default_factory=dict)
    adopted: Fingerprint | None = None

    @property
    def done(self) -> LastResult | None:
        """The last result, if it still holds."""
        return None if self.reason else self.last


def decide(
    definition: Definition, estimate: SizeEstimate, history: History, fingerprinter: Fingerprinter, files: DeclaredFiles
) -> Decisions:
    """Decide which points are done, and why the others run."""
    decisions: dict[str, _PointDecision] = {}
    in_flight: dict[str, Fingerprint] = {}
    fingerprints: dict[str, Fingerprint] = {}
    assumptions = _Assumptions(history)
    unit = bool(estimate.ownership.unit_reason)
    for point, fingerprint in fingerprints_of(definition, estimate, fingerprinter):
        if point.id in history.in_flight:
            in_flight[point.id] = fingerprint
            continue
        decision = decisions[point.id] = _decide_for_point(point, fingerprint, history, fingerprinter, files)
        if decision.done is not None:
            assumptions.note(decision.done, fingerprint, decision.outputs)
        if decision.reason or unit:
            fingerprints[point.id] = fingerprint
    run = {point: decision.reason for point, decision in decisions.items() if decision.reason}
    done = {point: last for point, decision in decisions.items() if (last := decision.done) is not None}
    if unit and done and not run:
        why, _ = files.undone(None, history.outputs_of_all)
        run = dict.fromkeys(done, why) if why else {}
    if run and unit:
        run = {point.id: run.get(point.id, PART_OF_UNIT) for point in definition.inputs.points}
        done = {}
    changed = {
        point: (decision.last.run, decision.last.computed, tuple(decision.changes))
        for point, decision in decisions.items()
        if decision.last is not None and decision.changes
    }
    return Decisions(
        run,
        {point: last.computed for point, last in done.items()},
        in_flight,
        fingerprints,
        unseen=files.unseen > 0,
        outputs={point: decisions[point].outputs for point in done},
        explanation=Explanation(changed, history.text, lambda digest: fingerprinter.texts.get(digest, "")),
        assumed=tuple(assumptions.sentences(fingerprinter)) if done else (),
        adopted={point: adopted for point in done if (adopted := decisions[point].adopted) is not None},
    )


def _decide_for_point(
    point: Point, fingerprint: Fingerprint, history: History, fingerprinter: Fingerprinter, files: DeclaredFiles
) -> _PointDecision:
    last = history.results.get(point.id)
    if last is None:
        return _PointDecision(rerun_reason(None, []))
    changes = changes_since(last, fingerprint, history, fingerprinter)
    reason = rerun_reason(last, changes)
    if reason:
        return _PointDecision(reason, last, changes)
    reason, outputs = files.undone(point, last.outputs)
    if reason:
        return _PointDecision(reason, last, changes)
    says_less = fingerprinter.code_counts and encoded(fingerprint) != last.fingerprint
    adopted = {**json.loads(last.fingerprint), **fingerprint} if says_less else None
    return _PointDecision("", last, changes, outputs, adopted)


def rerun_reason(last: LastResult | None, changes: Sequence[FingerprintChange]) -> str:
    """Why a point runs; "" if it succeeded and nothing that it depends on has changed. changes: what has changed."""
    if last is None:
        return "new"
    if last.status == SUBMITTED:
        return f"it was submitted in {last.computed} and its end is unknown"
    if changes:
        return ", ".join(describe_changes(changes))
    return "" if last.status == DONE else f"it ended as {last.status} in {last.computed}"


def changes_since(
    last: LastResult, fingerprint: Fingerprint, history: History, fingerprinter: Fingerprinter
) -> list[FingerprintChange]:
    """What has changed, of all that a point depends on, since it last ran. With --keep-done, a finished point ignores changes of code."""
    if encoded(fingerprint) == last.fingerprint:
        return []
    return find_changes(
        json.loads(last.fingerprint),
        fingerprint,
        lambda digest: history.text(last.run, digest),
        lambda digest: fingerprinter.texts.get(digest, ""),
        code_counts=fingerprinter.code_counts or last.status != DONE,
    )


class _Assumptions:
    """Collects what is assumed of points that are done, because an older version did not record it."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._points: dict[str, int] = {}

    def note(self, last: LastResult, fingerprint: Fingerprint, outputs: Mapping[str, FileFacts]) -> None:
        """Add the assumptions about one point that is done. outputs: the present facts about its files."""
        if outputs.keys() - last.outputs.keys():
            self._add("their outputs are those that they wrote, because these exist")
        if encoded(fingerprint) == last.fingerprint:
            return
        before = json.loads(last.fingerprint)
        if "referenced" in fingerprint and "referenced" not in before:
            self._add("the stored templates that they refer to are as they were")
        if "python" in fingerprint and '{"' not in self._history.text(last.run, before.get("python", ""))[1:]:
            self._add("the Python of their tasks is of the version that it was")

    def _add(self, what: str) -> None:
        self._points[what] = self._points.get(what, 0) + 1

    def sentences(self, fingerprinter: Fingerprinter) -> Iterator[str]:
        for what, count in self._points.items():
            yield f"assumed of {counted(count, 'point')} of older records: {what}"
        if names := sorted(fingerprinter.unread):
            yield f"the stored template{'s' if len(names) > 1 else ''} {', '.join(names)} cannot be looked at: assumed to be as before"
        if images := sorted(fingerprinter.tagged or ()):
            listed = ", ".join(images[:3]) + (", …" if len(images) > 3 else "")
            yield f"assumed of images that a tag names: they are as they were; a digest in the name is certain ({listed})"
