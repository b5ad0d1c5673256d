"""One run of an experiment, from the record to the Run, in this order:

open            read earlier runs, decide what is done already (decisions.decide), make the plan, open the record
run             send and follow the batches (dispatcher), once again the points whose pods were lost, then gather
submit          send what may run at once, without waiting for it
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_utils.argo.names import generated_name
from hera_utils.argo.phases import UNSUCCESSFUL, phase_of
from hera_utils.errors import Detached, HeraUtilsError, RunFailed, SettingsError, WaitTimeout
from hera_utils.execution.advice import Advice
from hera_utils.execution.batches import Batch, SizeEstimate, batches_of
from hera_utils.execution.checkpoint_folders import CheckpointFolders
from hera_utils.execution.decisions import Decisions, changes_since, decide
from hera_utils.execution.declared_files import DeclaredFiles
from hera_utils.execution.definition import Definition
from hera_utils.execution.dispatcher import Dispatcher, SubmitOptions
from hera_utils.execution.fingerprint_diff import describe_changes
from hera_utils.execution.fingerprints import Fingerprinter, fingerprinter_of, is_rest_unchanged
from hera_utils.execution.flags import RunOptions
from hera_utils.execution.history import History, history_of
from hera_utils.execution.plan import Plan, refuse_too_large
from hera_utils.execution.printed_results import return_printed_results
from hera_utils.execution.reporter import Reporter
from hera_utils.execution.run import Run, run_of_dispatcher
from hera_utils.execution.run_facts import identity, run_facts, runs_folder, script_folder
from hera_utils.execution.stored_templates import StoredTemplates
from hera_utils.execution.write_conflicts import WRITES, Writes, find_conflicting_run, writes_of
from hera_utils.experiment.points import Point
from hera_utils.experiment.task_ownership import prune
from hera_utils.experiment.values import as_json_values
from hera_utils.images.decision_texts import as_json
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.hera_binding import stamp_of
from hera_utils.platforms.manifests import secret_values
from hera_utils.platforms.provision import Change
from hera_utils.platforms.run_images import decisions_of
from hera_utils.preflight.size_limits import find_breaches
from hera_utils.results.secrecy import holds_secret, secrets_of
from hera_utils.runs.come_back import explain_lost_server
from hera_utils.runs.file_facts import FileFacts
from hera_utils.runs.notes import read_notes, write_notes
from hera_utils.runs.record import DONE, PointRow, RunRecord
from hera_utils.runs.record_folders import remember_run
from hera_utils.settings.command_line import CommandLine
from hera_utils.settings.resolve import CLIContext
from hera_utils.settings.secret import Secret
from hera_utils.watch.deadline import NEVER, Deadline
from hera_utils.watch.display import Display
from hera_utils.wording import counted, first_of

if TYPE_CHECKING:
    from hera_utils.execution.earlier_runs import EarlierRuns

Json = dict[str, Any]

# characters of a run's name before its random end, so that the names of its workflows (`-1`, `-gather`) fit into a label of 63 characters
NAME_ROOM = 48


@dataclass(frozen=True)
class Caller:
    """How the caller wants the run. launch: the command line that started the script, None if it cannot be repeated.

    resume: whether only the points that are not done run. deadline: until when the run is followed.
    """

    context: CLIContext
    reporter: Reporter
    options: RunOptions = RunOptions()
    launch: CommandLine | None = None
    resume: bool = False
    deadline: Deadline = NEVER


class Session:
    """A run of points that are known from the start (a search's are not: search_session.py).

    folders: claim → the folder of this machine that stands for it. plan, fingerprinter: set by `open`."""

    plan: Plan
    fingerprinter: Fingerprinter
    compared_inputs: tuple[tuple[str, str], ...] = (("constants", "constant"), ("parameters", "axis"))
    """The parts of a record's inputs in which two runs may differ, and the word for one value of each."""

    def __init__(self, client: ArgoClient, caller: Caller, definition: Definition, estimate: SizeEstimate) -> None:
        self.client, self.caller, self.definition, self.estimate = client, caller, definition, estimate
        self.context, self.reporter, self.deadline = caller.context, caller.reporter, caller.deadline
        self.advice = Advice(caller.launch, client.connection)
        self.folders: dict[str, str] = {}
        self.runs = runs_folder(self.context)
        self.facts = run_facts(definition.experiment, definition.key, self.context, client.namespace)
        self._points: Mapping[str, Point] = {}
        self.record: RunRecord | None = None
        self.dispatcher: Dispatcher | None = None

    @property
    def files(self) -> DeclaredFiles:
        """The declared files as they are now, without digests that were read before."""
        return DeclaredFiles(self.definition.layout, self._volume(), script_folder())

    def _volume(self) -> Path | None:
        volume = self.definition.environment.persisted_volume
        where = self.folders.get(volume.claim_name, "") if volume is not None else ""
        return Path(where) if where else None

    # --- what is done ------------------------------------------------------------------------------------------------
    def open(self, provisioned: list[Change]) -> None:
        """Read earlier runs (when resuming), and open the record of the run to continue, or a new one.

        provisioned: the environment's resources, created or existing.
        """
        self.folders = {claim.declared.name: claim.where for claim in provisioned if claim.where}
        self.fingerprinter = fingerprinter_of(
            self.context,
            self.files,
            keep_done=self.caller.options.keep_done,
            secrets=secret_values(self.definition.environment),
            stored=StoredTemplates(self.client),
        )
        history = self._join_earlier_runs() if self.caller.resume else History()
        self.plan = self._first_plan(history)
        if self.caller.resume:
            self._refuse_changes_under_running_points(history)
        if self.record is None and (self.plan.to_run or self._has_more_than_points(history)):
            self.record = self._new_record()
            remember_run(Path(self.context.state), self.runs, self.context.python or sys.executable)
        if self.record is not None:
            self.record.drive()
            self._add_notes(self.record.folder)
            images = decisions_of(self.context)
            self.record.update(points=self.plan.points, gather=self.plan.gather is not None, images=as_json(images))
            self.record.keep_locks(lock for decision in images.values() if (lock := decision.lock_file))
            self._refuse_conflicting_writes(self.record)
            self.record.add_points(self._rows(history))
            if self.plan.decisions is not None:
                self._checkpoints(self.record).begin(self.plan.decisions, history)
                self._take_over(self.record, self.plan.decisions, history)
            self.dispatcher = self.dispatcher or self._dispatcher(self.record)

    def _take_over(self, record: RunRecord, decisions: Decisions, history: History) -> None:
        """Copy from earlier records what belongs to points that are done: facts about their files, and the texts of fingerprints."""
        record.keep_outputs(decisions.outputs)
        record.keep_texts({history.results[point].run for point in decisions.done}, self.fingerprinter.texts)

    def _first_plan(self, history: History) -> Plan:
        return self._plan(history) if self.caller.resume else Plan(self.definition, self.estimate)

    def _plan(self, history: History) -> Plan:
        files = self.files
        self.fingerprinter = replace(self.fingerprinter, inputs=files.read)
        return Plan(
            self.definition, self.estimate, decide(self.definition, self.estimate, history, self.fingerprinter, files)
        )

    @cached_property
    def earlier_runs(self) -> EarlierRuns:
        from hera_utils.execution.earlier_runs import EarlierRuns  # imported here because few runs resume

        return EarlierRuns(self.runs, self.facts, self.compared_inputs, self.advice, self.reporter)

    def _join_earlier_runs(self) -> History:
        """Continue the newest unfinished run, if it is this one; what all earlier runs have computed."""
        joined = self.earlier_runs.join(self._dispatcher, self._continues_run)
        history = history_of(self.runs, self.facts)
        if joined is None:
            return history
        self.record, self.dispatcher = joined
        in_flight = [row.id for name in self.dispatcher.in_flight for row in self.record.points(workflow=name)]
        return replace(history, in_flight=frozenset(in_flight))

    def _continues_run(self, record: RunRecord, dispatcher: Dispatcher) -> bool:
        """Whether some part of a run still runs or was not sent."""
        waiting = "" in record.counts_by_status()
        gathered = any(row.role == "gather" for row in record.workflows())
        return bool(dispatcher.in_flight or waiting or (self.definition.gather is not None and not gathered))

    def _refuse_conflicting_writes(self, record: RunRecord) -> None:
        """Raise SettingsError if another run still goes on and writes the same files: readers could get the files of either run."""
        if self.writes is None:
            return
        record.update(volume=self.writes.volume, writes=self.writes.annotations()[WRITES])
        conflict = find_conflicting_run(self.client, self.runs, record, self.writes)
        if conflict is None:
            return
        way = self.advice.wait_or_stop(conflict.run)
        with contextlib.suppress(HeraUtilsError), RunRecord.open(self.runs / conflict.run) as other:
            if identity(other.facts) == identity(self.facts) and not self.earlier_runs.describe_other_inputs(other):
                way = f"join it: {self.advice.resume()}; or {way}"
        raise SettingsError(
            f"the run {conflict.run} is still going, and this one would write {conflict.files()} as well",
            fix=f"{way}; or make the layout's paths different (for example by a constant)",
        )

    @cached_property
    def writes(self) -> Writes | None:
        """The declared files that this run writes on its volume, None if there are none."""
        definition, volume = self.definition, self.definition.environment.persisted_volume
        if volume is None or self.estimate.sample.sent:
            return None
        folder = self._volume()
        where = str(folder.resolve()) if folder is not None else f"{self.client.namespace}/{volume.claim_name}"
        return writes_of(definition.layout, definition.inputs.points, where, definition.key)

    def _refuse_changes_under_running_points(self, history: History) -> None:
        """Raise SettingsError if points still run with code or inputs that have changed since they started."""
        decisions = self.plan.decisions
        if decisions is None or self.record is None:
            return
        for point, fingerprint in decisions.in_flight.items():
            changes = changes_since(history.results[point], fingerprint, history, self.fingerprinter)
            if changes:
                several = len(decisions.in_flight) > 1
                raise SettingsError(
                    f"{counted(len(decisions.in_flight), 'point')} of {self.record.name} {'are' if several else 'is'} still "
                    f"running, and since {'their' if several else 'its'} start: {', '.join(describe_changes(changes))}",
                    fix=self.advice.wait_or_stop(self.record.name),
                )

    def _has_more_than_points(self, history: History) -> bool:
        """Whether the tasks after the points have to run again although every point is done."""
        if not self.caller.resume:
            return True
        fan_in = self._fan_in_fingerprint()
        return bool(fan_in) and self._must_run_again(fan_in, history)

    def _must_run_again(self, rest: str, history: History) -> bool:
        """Whether the tasks after the points, with the fingerprint `rest`, never succeeded as they are now, or their files changed."""
        done_before = any(done and is_rest_unchanged(before, rest) for before, done in history.fan_ins.items())
        return not done_before or self._lacks_common_outputs(history.outputs_of_all)

    def _lacks_common_outputs(self, before: Mapping[str, FileFacts]) -> bool:
        """Whether the files that were written after all points have changed or are missing."""
        why, _ = self.files.undone(None, before)
        if why:
            self.reporter.lines([f"what comes after the points runs again: {why}"])
        return bool(why)

    def _checkpoints(self, record: RunRecord) -> CheckpointFolders:
        return CheckpointFolders(self.definition.layout, self._volume(), record)

    def _outputs(self, record: RunRecord, points: list[str]) -> dict[str, Mapping[str, FileFacts]]:
        """The facts about the files that these points wrote ("": after all points); removes their checkpoints, as they are done."""
        checkpoints = self._checkpoints(record)
        if not (self._files_written.sees_outputs or checkpoints.exist):
            return {}
        if any(point and point not in self._points for point in points):
            self._points = self._known_points()
        checkpoints.remove(self._points[point] for point in points if point in self._points)
        outputs: dict[str, Mapping[str, FileFacts]] = {}
        for point in points if self._files_written.sees_outputs else ():
            if not point or point in self._points:  # a point of an earlier run may not be in this sweep
                outputs[point] = self._files_written.outputs(self._points[point] if point else None)
        return outputs

    def _known_points(self) -> dict[str, Point]:
        return {point.id: point for point in self.definition.inputs.points}

    @cached_property
    def _files_written(self) -> DeclaredFiles:
        return self.files

    def _fan_in_fingerprint(self) -> str:
        """The fingerprint of `gather`, or of the tasks after the points in the same workflow; "" if there is neither."""
        if self.plan.gather is not None:
            return self._gather_batch().rest
        full = self.estimate.full
        if full is None or self.estimate.ownership.unit_reason:
            return ""
        return self.fingerprinter.fingerprint_fan_in(full.document, self.estimate.ownership)

    def _add_notes(self, folder: Path) -> None:
        """Add the notes of the command line to those that the run has already."""
        options, before = self.caller.options, read_notes(folder)
        notes = before.with_tags(options.run_tags)
        notes = notes.with_name(options.run_name) if options.run_name else notes
        notes = replace(notes, note=options.run_note or before.note)
        if notes != before:
            write_notes(folder, notes)

    # --- the record --------------------------------------------------------------------------------------------------
    def _new_record(self) -> RunRecord:
        metadata = self.plan.document.get("metadata") or {}
        several = not self.plan.single or self.plan.gather is not None
        prefix = str(metadata.get("generateName") or "")
        name = str(metadata.get("name") or "")
        if not self.estimate.sample.sent and not name:
            name = generated_name(prefix[:NAME_ROOM] if several else prefix, secrets.token_hex(8)) if prefix else "run"
        return RunRecord.create(self.runs, name, {**self.facts, "single": self.plan.single, "sent": 0})

    def _rows(self, history: History) -> Iterator[PointRow]:
        decisions = self.plan.decisions or Decisions({})
        for number, point in enumerate(self.definition.inputs.points):
            row = PointRow(point.id, number, point.name, as_json_values(point))
            if point.id in decisions.done:
                row = history.results[point.id].row_for_new_run(row)
                yield replace(row, fingerprint=decisions.adopted.get(point.id) or row.fingerprint)
            else:
                yield replace(row, why=decisions.run.get(point.id, ""))

    def _secrets(self) -> list[str | Secret | None]:
        """The secrets that no record may contain."""
        declared = secret_values(self.definition.environment)
        return [self.client.connection.token, *self.context.secrets(), *declared, *secrets_of(os.environ)]

    def _dispatcher(self, record: RunRecord) -> Dispatcher:
        local, single, limits = self.client.connection.local, self.estimate.single, self.estimate.limits
        parallelism = self.context.parallelism if "parallelism" in self.context else None
        in_flight = limits.in_flight if parallelism is None else min(limits.in_flight, parallelism)
        in_flight = 1 if single else in_flight
        stamp, checkpoints = stamp_of(self.context), self._checkpoints(record)

        def ready(document: Json) -> Json:
            document = checkpoints.fill_in_folders(document)
            if local:
                # Hera's hook stamps only objects of exactly the class Workflow, no subclass and no dictionary
                return stamp.add_to(return_printed_results(document))
            return return_printed_results(document, fits=lambda grown: not any(find_breaches(grown)))

        options = SubmitOptions(
            stamp=ready,
            check=(lambda document: None) if local else refuse_too_large,
            in_flight=in_flight,
            parallelism=None if parallelism is None else max(1, parallelism // in_flight),
            labels={} if self.writes is None else self.writes.labels(),
            annotations={} if self.writes is None else self.writes.annotations(),
            outputs=partial(self._outputs, record),
            hides=partial(holds_secret, secrets=self._secrets()),
        )
        return Dispatcher(self.client, record, options, self.fingerprinter.texts, self.deadline)

    # --- carrying out ------------------------------------------------------------------------------------------------
    def _batches(self) -> Iterator[Batch]:
        decisions = self.plan.decisions
        fingerprints = decisions.fingerprints if decisions is not None else {}
        yield from batches_of(
            self.definition, self.estimate, self.fingerprinter, self.plan.points_to_run(), fingerprints
        )
        if decisions is not None and not decisions.run and self.plan.gather is None:
            yield from self._fan_in_batch()

    def _fan_in_batch(self) -> Iterator[Batch]:
        """The batch of the tasks after the points, if every point is done and these tasks are not."""
        full, fan_in = self.estimate.full, self._fan_in_fingerprint()
        if full is not None and fan_in and self.dispatcher is not None and not self.dispatcher.in_flight:
            yield Batch("points", prune(full.document, self.estimate.ownership, ())[0], rest=fan_in)

    def _gather_batch(self) -> Batch:
        built = self.definition.gather
        assert built is not None, "callers have checked that there is a gather"
        rest = self.fingerprinter.fingerprint_gather(built.document)
        return Batch("gather", built.document, rest=rest, workflow=built.workflow, sent=built.sent)

    def run(self) -> Run:
        """Compute and follow everything to its end."""
        assert self.record is not None
        assert self.dispatcher is not None
        record, dispatcher = self.record, self.dispatcher
        try:
            with explain_lost_server(
                lambda: "" if self.client.connection.local else self._advice_for_submitted_workflows()
            ):
                self._compute(dispatcher)
                phase = self._gather() if self._complete() else "Failed"
        except KeyboardInterrupt:
            raise Detached(self._advice_for_submitted_workflows() or "nothing was submitted") from None
        except WaitTimeout:
            raise self.deadline.timeout_error(self._how_to_come_back()) from None
        record.update(ended=time.time(), phase=phase)
        if phase == "Succeeded":
            self._warn_of_missing_outputs(record)
        run = run_of_dispatcher(dispatcher, self.client, phase, self.folders)
        record.close()
        return run

    def _warn_of_missing_outputs(self, record: RunRecord) -> None:
        """Warn of declared outputs that are missing although the tasks succeeded: tasks that do not mount the volume lose their files."""
        volume = self.definition.environment.persisted_volume
        if volume is None or not self._files_written.sees_outputs:
            return
        written, points = record.outputs(), self._known_points()
        computed = [row.id for row in record.points(status=DONE) if not row.run and row.id in points]
        missing = [
            path for point in computed for path in self._files_written.missing(points[point], written.get(point, {}))
        ]
        if missing:
            self.reporter.lines(
                [
                    f"output missing: {first_of(missing)}: the layout declares it, and it is not in the claim {volume.claim_name} "
                    f"(do its tasks mount the claim, at {volume.mount_path}?). With --resume its point runs again"
                ]
            )

    def _compute(self, dispatcher: Dispatcher) -> None:
        """Compute the points that run, to their end."""
        if self.plan.single and not dispatcher.in_flight:
            for batch in self._batches():
                dispatcher.follow_workflow(dispatcher.send(batch), self.reporter.display())
        else:
            with self._display() as display:
                dispatcher.carry_out(self._batches(), display, total=self.plan.points)
        self._recompute_lost_points(dispatcher)

    @contextlib.contextmanager
    def _display(self) -> Iterator[Display | None]:
        display = self.reporter.display()
        try:
            yield display
        finally:
            if display is not None:
                display.close()

    def _recompute_lost_points(self, dispatcher: Dispatcher) -> None:
        """Compute the points again whose pods were lost, because the server or the machine was killed while they ran."""
        lost = dispatcher.take_lost_points()
        if lost is None:
            return
        count = len(lost)
        what = "what comes after the points" if not count else counted(count, "point")
        self.reporter.lines(
            [f"the pods of {what} were lost while they ran: {'they run' if count > 1 else 'it runs'} again"]
        )
        plan = self._plan(history_of(self.runs, self.facts))
        assert plan.decisions is not None
        if not self.estimate.ownership.unit_reason:
            plan = replace(plan, decisions=plan.decisions.only(lost))
        self.plan = plan
        with self._display() as display:
            dispatcher.carry_out(self._batches(), display, total=plan.points)

    def _complete(self) -> bool:
        """Whether every point is done, and the last workflow succeeded where it is the only one or has tasks after the points."""
        assert self.record is not None
        of_sweep = {point.id for point in self.definition.inputs.points}
        undone = any(row.status != DONE for row in self.record.points() if row.id in of_sweep)
        fan_in = bool(self.plan.gather is None and self._fan_in_fingerprint())
        last = next((row.phase for row in reversed(self.record.workflows()) if row.role != "gather"), "Succeeded")
        return not undone and not ((fan_in or self.plan.single) and last != "Succeeded")

    def _gather(self) -> str:
        """Run `gather` if there is one and it is not done; the phase of the run."""
        assert self.record is not None
        assert self.dispatcher is not None
        if self.plan.gather is None:
            return "Succeeded"
        batch = self._gather_batch()
        before = next((row for row in reversed(self.record.workflows()) if row.role == "gather"), None)
        gathered = (
            before is not None and is_rest_unchanged(before.fingerprint, batch.rest) and before.phase == "Succeeded"
        )
        if gathered and not self._lacks_common_outputs(self.record.outputs().get("", {})):
            return "Succeeded"
        document = self.dispatcher.follow_workflow(self.dispatcher.send(batch), self.reporter.display())
        return phase_of(document) or "Failed"

    def submit(self) -> list[str]:
        """Send what may run at once, without waiting for it; the lines to print about it."""
        assert self.record is not None
        assert self.dispatcher is not None
        name, gather = self.record.name, self.plan.gather is not None
        all_sent = self.dispatcher.send_until_full(self._batches())
        if all_sent and gather and not self.dispatcher.in_flight and self._complete():
            self.dispatcher.send(self._gather_batch())
            gather = False
        waiting = self.record.counts_by_status().get("", 0)
        link = self.client.link(next(iter(self.dispatcher.in_flight), name))
        if all_sent and not gather:
            return [f"{name} is submitted; follow it with: {self.advice.command('watch', name)}", link]
        count, rest = self.plan.points - waiting, self.advice.describe_unsent_rest(waiting=waiting, gathers=gather)
        return [f"{name}: {count} of {self.plan.points} points are submitted; {rest}", link]

    def _was_submitted(self, record: RunRecord) -> bool:
        """Whether anything of the run was submitted, or may have been."""
        return self.estimate.sample.sent or bool(record.workflows())

    def close(self) -> None:
        """Close the record, so that another process may continue the run. A run of which nothing was submitted is discarded."""
        record = self.record
        if record is not None and (record.facts.get("ended") or self._was_submitted(record)):
            record.close()
        elif record is not None:
            record.discard()

    def error_of_failed_run(self, run: Run) -> RunFailed:
        """The error for a run that did not succeed, with its fix."""
        ownership = self.estimate.ownership
        unclear = "" if ownership.tasks else ownership.unit_reason
        return self.advice.error_of_failed_run(run, gathers=self.plan.gather is not None, unclear=unclear)

    def _advice_for_submitted_workflows(self) -> str:
        """How to come back to the submitted workflows; "" if none is submitted."""
        assert self.record is not None
        return self._how_to_come_back() if self._was_submitted(self.record) else ""

    def _how_to_come_back(self) -> str:
        assert self.record is not None
        name, waiting = self.record.name, self.record.counts_by_status().get("", 0)
        return self.advice.come_back(
            name, waiting=waiting, gathers=self.plan.gather is not None and not self._has_gather()
        )

    def _has_gather(self) -> bool:
        """Whether the gather workflow is submitted and has not failed."""
        assert self.record is not None
        sent = [row.phase for row in self.record.workflows() if row.role == "gather"]
        return bool(sent) and sent[-1] not in UNSUCCESSFUL
