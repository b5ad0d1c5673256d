"""One experiment on one platform, from its definition to its Run: the order of things.

define and look (plan) → provision → what is done already (resume) → record → send and follow (campaign) → gather → Run
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from hera_utils.argo.names import generated_name
from hera_utils.argo.phases import UNSUCCESSFUL
from hera_utils.errors import HeraUtilsError, RunFailed, SettingsError, WaitTimeout
from hera_utils.execution.advice import Advice
from hera_utils.execution.batches import Part, parts
from hera_utils.execution.declared_files import DeclaredFiles
from hera_utils.execution.dispatcher import Campaign, Sending
from hera_utils.execution.fingerprints import Prints, digest
from hera_utils.execution.history import Earlier, earlier, identity
from hera_utils.execution.plan import (
    Plan,
    judged,
    prints_for,
    refuse_too_large,
    script_folder,
    with_files,
)
from hera_utils.execution.printed_results import keep_results
from hera_utils.execution.reporter import Detached, Told
from hera_utils.execution.run import Run, run_of
from hera_utils.execution.writers import WRITES, Writes, rival, writes_of
from hera_utils.experiment.experiment import Experiment
from hera_utils.experiment.values import plain
from hera_utils.installed import version_of
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.cluster_access import access_to
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.hera_binding import stamp_of
from hera_utils.platforms.provision import Provisioned
from hera_utils.preflight.limits import breaches
from hera_utils.provenance.git import commit_of
from hera_utils.results.secrecy import refuse_secret_inputs
from hera_utils.runs.record import DONE, PointRow, RunRecord, damaged, records
from hera_utils.settings.command_line import Launch, without_secrets
from hera_utils.settings.resolve import CLIContext
from hera_utils.watch.deadline import NEVER, Deadline

Json = dict[str, Any]

NAME_ROOM = 48  # of a run's name before its random end: its workflows' names, `-1`, `-gather`, stay within a label's 63 characters


def runs_folder(context: CLIContext) -> Path:
    """Where records are: the setting, else runs/ beside the script."""
    named = context.runs if "runs" in context else None
    return Path(named) if named else script_folder(context) / "runs"


def facts_of(experiment: Experiment, key: str, context: CLIContext, namespace: str) -> Json:
    """What a record says of its run beside the points."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    commit = commit_of(script_folder(context))
    inputs = experiment.inputs.as_json()
    refuse_secret_inputs(inputs, context.secrets())
    return {
        "experiment": experiment.name or key.rpartition(":")[2],
        "key": key,
        "script": str(Path(main).absolute()) if main else "",
        "arguments": without_secrets(sys.argv[1:]),
        "platform": platform_of(context),
        "namespace": namespace,
        "state": str(context.state) if context.platform == "local" else "",
        "inputs": inputs,
        "inputs_digest": experiment.inputs.digest,
        "git": None
        if commit is None
        else {"commit": commit.commit, "changed": commit.changed, "branch": commit.branch},
        "versions": {
            "python": sys.version.split()[0],
            "hera_utils": version_of("hera_utils"),
            "hera": version_of("hera"),
        },
    }


def platform_of(context: CLIContext) -> str:
    """What tells a platform from others: the Argo server's address; of one that the kubeconfig leads to (by a tunnel, whose port is
    another each time) its cluster's.
    """
    if context.platform == "local" or context.argo_server is not None:
        return "local" if context.platform == "local" else str(context.argo_server)
    bare = Connection("", kubeconfig=context.k8s_config_file, context=context.k8s_context)
    return access_to(bare).address.server


class Realization:
    """resume: run only what is not done. launch: how the script was started, None where that is no command to be repeated.

    provisioned: the environment's resources, as they were made or found. deadline: until when the run is followed.
    """

    def __init__(
        self,
        client: ArgoClient,
        context: CLIContext,
        told: Told,
        made: Plan,
        *,
        resume: bool,
        launch: Launch | None = None,
    ) -> None:
        self.client, self.context, self.told, self.resume = client, context, told, resume
        self.advice = Advice(launch, client.connection)
        self.plan = made
        self.provisioned: list[Provisioned] = []
        self.deadline: Deadline = NEVER
        self.runs = runs_folder(context)
        self.prints: Prints = prints_for(context)
        self.facts = facts_of(made.definition.experiment, made.definition.key, context, client.namespace)
        self.record: RunRecord | None = None
        self.campaign: Campaign | None = None

    # --- what is done ------------------------------------------------------------------------------------------------
    @property
    def files(self) -> DeclaredFiles:
        return DeclaredFiles(self.plan.definition.layout, self._volume(), script_folder(self.context))

    def _volume(self) -> Path | None:
        volume = self.plan.environment.persisted_volume
        where = next((one.where for one in self.provisioned if volume and one.name == volume.claim_name), "")
        return Path(where) if where else None

    def prepare(self) -> None:
        """Look at earlier runs (when resuming), and open the record: that of the run which goes on, or a new one."""
        known = Earlier()
        if self.resume:
            known = self._synced()
            self.plan = judged(self.plan, known, self.prints, self._volume(), script_folder(self.context))
            self._refuse_moving_ground(known)
        new = self.record is None
        if new and (self.plan.to_run or self._after(known)):
            self.record = self._new_record()
        if self.record is not None:
            self.record.drive()
            self.record.update(points=self.plan.points, gather=self.plan.gather is not None)
            self._refuse_a_rival(self.record, new=new)
            self.record.add_points(self._rows(known))
            self.campaign = self.campaign or self._campaign(self.record)

    def _synced(self) -> Earlier:
        """Ask the platform what became of the workflows of runs that were left; take up the newest of these runs."""
        newest = True
        if lost := damaged(self.runs):
            names = ", ".join(folder.name for folder in lost[:3]) + (", …" if len(lost) > 3 else "")
            self.told.lines([f"the record of {names} cannot be read: its points count as not done"])
        for folder in records(self.runs):
            try:
                record = RunRecord.open(folder)
            except HeraUtilsError:
                continue  # a record that cannot be read counts as none
            ended = bool(record.facts.get("ended"))
            if identity(record.facts) != identity(self.facts) or (ended and not (newest and _failed(record))):
                newest = newest and identity(record.facts) != identity(self.facts)
                record.close()
                continue
            record.drive()
            campaign = self._campaign(record)
            campaign.join()
            others = self._other_inputs(record)
            if newest and not others and (campaign.flying if ended else self._goes_on(record, campaign)):
                record.update(ended=None, phase="")
                self.record, self.campaign = record, campaign
            elif campaign.flying:
                record.close()
                raise SettingsError(
                    f"the run {record.name} of this experiment is still "
                    f"going{f', with other inputs ({others})' if others else ''}",
                    fix=self.advice.wait_or_stop(record.name),
                )
            else:
                if newest and others and not ended and self._goes_on(record, campaign):
                    self.told.lines(
                        [f"{record.name} stays unfinished, because its inputs differ ({others}): this is a new run"]
                    )
                close_record(record)
                record.close()
            newest = False
        known = earlier(self.runs, self.facts)
        if self.record is not None and self.campaign is not None:
            flying = [row.id for name in self.campaign.flying for row in self.record.points(workflow=name)]
            known.flying = frozenset(flying)
        return known

    def _goes_on(self, record: RunRecord, campaign: Campaign) -> bool:
        """Whether something of a run is still to come."""
        waiting = "" in record.statuses()
        gathered = any(row.role == "gather" for row in record.workflows())
        return bool(campaign.flying or waiting or (self.plan.gather is not None and not gathered))

    def _other_inputs(self, record: RunRecord) -> str:
        """What of a run's inputs is not as now, "" for nothing: all of a run is of one set of constants and points."""
        if record.facts.get("inputs_digest") == self.facts["inputs_digest"]:
            return ""
        before, now = record.facts.get("inputs") or {}, self.facts["inputs"]
        found = []
        for group, what in (("constants", "constant"), ("parameters", "axis")):
            old, new = before.get(group) or {}, json.loads(json.dumps(now.get(group) or {}, default=str))
            found += [f"{what} {name}" for name in {**old, **new} if old.get(name) != new.get(name)]
        return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "") or "other points"

    def _refuse_a_rival(self, record: RunRecord, *, new: bool) -> None:
        """SettingsError when another run goes on that writes files of this one: what is read of them would be of either."""
        if self.writes is None:
            return
        record.update(volume=self.writes.volume, writes=self.writes.annotations()[WRITES])
        found = rival(self.client, self.runs, record, self.writes)
        if found is None:
            return
        self.record = None
        if new:
            record.discard()
        record.close()
        way = self.advice.wait_or_stop(found.run)
        with contextlib.suppress(HeraUtilsError), RunRecord.open(self.runs / found.run) as other:
            if identity(other.facts) == identity(self.facts) and not self._other_inputs(other):
                way = f"join it: {self.advice.resume()}; or {way}"
        raise SettingsError(
            f"the run {found.run} is still going, and this one would write {found.told()} as well",
            fix=f"{way}; or make the layout's paths different (for example by a constant)",
        )

    @cached_property
    def writes(self) -> Writes | None:
        """The declared files that this run writes on its volume."""
        definition, volume = self.plan.definition, self.plan.environment.persisted_volume
        if volume is None or self.plan.survey.shown.sent:
            return None
        place = self._volume()
        where = str(place.resolve()) if place is not None else f"{self.client.namespace}/{volume.claim_name}"
        return writes_of(definition.layout, definition.inputs.points, where, definition.key)

    def _refuse_moving_ground(self, known: Earlier) -> None:
        """SettingsError when points still run with what has changed since: their results would be of neither."""
        verdict = self.plan.verdict
        if verdict is None or self.record is None or not verdict.flying:
            return
        from hera_utils.execution.fingerprints import changes

        for point, now in verdict.flying.items():
            past = known.points[point]
            old = json.loads(past.print)
            changed = changes(old, now, self.record.text, lambda one: self.prints.texts.get(one, ""))
            if changed:
                raise SettingsError(
                    f"{len(verdict.flying)} points of {self.record.name} are still running, and since their start: "
                    f"{', '.join(changed)}",
                    fix=self.advice.wait_or_stop(self.record.name),
                )

    def _after(self, known: Earlier) -> bool:
        """Whether what comes after the points has to run again although every point is done."""
        if not self.resume:
            return True
        expected = self._last_print()
        return bool(expected) and not known.ended.get(expected, False)

    def _last_print(self) -> str:
        """The print of `gather`, or of the tasks that come after the points in their own workflow; "" for neither."""
        if self.plan.gather is not None:
            return self._gather_part().rest
        full = self.plan.survey.full
        if full is None or self.plan.survey.belonging.whole:
            return ""
        return self.prints.rest(full.document, self.plan.survey.belonging)

    # --- the record --------------------------------------------------------------------------------------------------
    def _new_record(self) -> RunRecord:
        metadata = self.plan.document.get("metadata") or {}
        several = not self.plan.single or self.plan.gather is not None
        prefix = str(metadata.get("generateName") or "")
        name = str(metadata.get("name") or "")
        if not self.plan.survey.shown.sent and not name:
            name = generated_name(prefix[:NAME_ROOM] if several else prefix, secrets.token_hex(8)) if prefix else "run"
        return RunRecord.create(self.runs, name, {**self.facts, "single": self.plan.single, "sent": 0})

    def _rows(self, known: Earlier) -> Iterator[PointRow]:
        verdict = self.plan.verdict
        for number, point in enumerate(self.plan.definition.inputs.points):
            row = PointRow(point.id, number, point.name, {axis: plain(value) for axis, value in point.items()})
            if verdict is None:
                yield row
            elif point.id in verdict.done:
                past = known.points[point.id]
                tasks = tuple((str(task), item) for task, item in json.loads(past.tasks))
                yield replace(
                    row,
                    print=json.loads(past.print),
                    status=DONE,
                    run=past.computed,
                    workflow=past.workflow,
                    tasks=tasks,
                )
            else:
                yield replace(row, why=verdict.run.get(point.id, ""))

    def _campaign(self, record: RunRecord) -> Campaign:
        local, parallelism = (
            self.client.connection.local,
            self.context.parallelism if "parallelism" in self.context else None,
        )
        in_flight = self.plan.limits.in_flight if parallelism is None else min(self.plan.limits.in_flight, parallelism)
        stamp = stamp_of(self.context)

        def ready(document: Json) -> Json:
            if local:
                # a hook has stamped what is exactly Hera's Workflow: not a subclass, not a dictionary
                return stamp.on(keep_results(document))
            return keep_results(document, fits=lambda asking: not any(breaches(asking)))

        sending = Sending(
            stamp=ready,
            check=(lambda document: None) if local else refuse_too_large,
            in_flight=1 if self.plan.single else in_flight,
            parallelism=None if parallelism is None else max(1, parallelism // (1 if self.plan.single else in_flight)),
            labels={} if self.writes is None else self.writes.labels(),
            annotations={} if self.writes is None else self.writes.annotations(),
        )
        return Campaign(self.client, record, sending, self.prints.texts, self.deadline)

    # --- carrying out ------------------------------------------------------------------------------------------------
    def _parts(self) -> Iterator[Part]:
        files = self.files
        for part in parts(self.plan.definition, self.plan.survey, self.prints, self.plan.wanted(), self.plan.limits):
            printed = {point.id: with_files(part.prints[point.id], files, point) for point in part.points}
            yield replace(part, prints=printed)
        if self.plan.verdict is not None and not self.plan.verdict.run and self.plan.gather is None:
            yield from self._only_what_comes_after()

    def _only_what_comes_after(self) -> Iterator[Part]:
        """Every point is done, and the tasks after them are not."""
        from hera_utils.experiment.task_ownership import prune

        full, found = self.plan.survey.full, self.plan.survey.belonging
        if full is not None and self._last_print() and self.campaign is not None and not self.campaign.flying:
            yield Part("points", prune(full.document, found, ())[0], rest=self._last_print())

    def _gather_part(self) -> Part:
        defined = self.plan.definition.gather()
        assert defined is not None, "asked for only where there is one"
        metadata = {"generateName": (defined.document.get("metadata") or {}).get("generateName")}
        return Part(
            "gather",
            defined.document,
            rest=digest({**defined.document, "metadata": metadata}),
            made=defined.made,
            sent=defined.sent,
        )

    def run(self) -> Run:
        """Follow everything to its end."""
        assert self.record is not None
        assert self.campaign is not None
        record, campaign = self.record, self.campaign
        try:
            if self.plan.single and not campaign.flying:
                for part in self._parts():
                    campaign.follow_one(campaign.send(part), self.told.display())
            else:
                campaign.carry_out(self._parts(), self.told.display(), total=self.plan.points)
            self._compute_the_lost(campaign)
            phase = self._gathered() if self._complete() else "Failed"
        except KeyboardInterrupt:
            raise Detached(self._how_to_come_back()) from None
        except WaitTimeout:
            raise self.deadline.reached(self._how_to_come_back()) from None
        record.update(ended=time.time(), phase=phase)
        made = run_of(campaign, self.client, phase, self.folders)
        record.close()
        return made

    def _compute_the_lost(self, campaign: Campaign) -> None:
        """Once more what was in flight when everything was killed, and has ended without an outcome."""
        lost = campaign.take_lost()
        if lost is None:
            return
        count = len(lost)
        what = "what comes after the points" if not count else "1 point" if count == 1 else f"{count} points"
        self.told.lines(
            [f"the pods of {what} were lost while they ran: {'they run' if count > 1 else 'it runs'} again"]
        )
        known = earlier(self.runs, self.facts)
        plan = judged(self.plan, known, self.prints, self._volume(), script_folder(self.context))
        assert plan.verdict is not None
        if not plan.survey.belonging.whole:
            chosen = {point: why for point, why in plan.verdict.run.items() if point in lost}
            plan = replace(plan, verdict=replace(plan.verdict, run=chosen))
        self.plan = plan
        campaign.carry_out(self._parts(), self.told.display(), total=plan.points)

    @property
    def folders(self) -> dict[str, str]:
        return {one.name: one.where for one in self.provisioned if one.where}

    def _complete(self) -> bool:
        """Whether every point is done, and no workflow of the run failed that was not made up for since."""
        assert self.record is not None
        assert self.campaign is not None
        wanted = {point.id for point in self.plan.definition.inputs.points}
        undone = any(row.status != DONE for row in self.record.points() if row.id in wanted)
        fan_in = bool(self.plan.gather is None and self._last_print())
        last = next((row.phase for row in reversed(self.record.workflows()) if row.role != "gather"), "Succeeded")
        return not undone and not ((fan_in or self.plan.single) and last != "Succeeded")

    def _gathered(self) -> str:
        """The phase of the run, after `gather` where there is one."""
        assert self.record is not None
        assert self.campaign is not None
        if self.plan.gather is None:
            return "Succeeded"
        part = self._gather_part()
        before = next((row for row in reversed(self.record.workflows()) if row.role == "gather"), None)
        if before is not None and before.print == part.rest and before.phase == "Succeeded":
            return "Succeeded"
        document = self.campaign.follow_one(self.campaign.send(part), self.told.display())
        return str((document.get("status") or {}).get("phase") or "Failed")

    def submit(self) -> list[str]:
        """Send what may go on at once, and leave; what to tell."""
        assert self.record is not None
        assert self.campaign is not None
        name, gather = self.record.name, self.plan.gather is not None
        sent = self.campaign.send_some(self._parts())
        if sent and gather and not self.campaign.flying and self._complete():
            self.campaign.send(self._gather_part())
            gather = False
        waiting = self.record.statuses().get("", 0)
        link = self.client.link(next(iter(self.campaign.flying), name))
        self.record.close()
        if sent and not gather:
            return [f"{name} is submitted; follow it with: {self.advice.command('watch', name)}", link]
        count = self.plan.points - waiting
        return [f"{name}: {count} of {self.plan.points} points are submitted; {self._the_rest(waiting)}", link]

    def how_it_failed(self, run: Run) -> RunFailed:
        """The error for a run that did not succeed, with what helps."""
        found = self.plan.survey.belonging
        untold = "" if found.tasks else found.whole
        return self.advice.of_failure(run, gathers=self.plan.gather is not None, untold=untold)

    def _how_to_come_back(self) -> str:
        assert self.record is not None
        name, waiting = self.record.name, self.record.statuses().get("", 0)
        self.record.close()
        if not waiting and self.plan.gather is None:
            return f"the run continues; come back with: {self.advice.command('watch', name)}"
        goes = "the submitted workflows continue" if waiting else "the points continue"
        return f"{goes} (see it with: {self.advice.command('watch', name)}); {self._the_rest(waiting)}"

    def _the_rest(self, waiting: int = 1) -> str:
        """What is still to be sent, and how."""
        gather = self.plan.gather is not None
        what = (
            "the rest and gather follow" if waiting and gather else "gather follows" if gather else "the rest follows"
        )
        return f"{what} with: {self.advice.resume()}"


def _failed(record: RunRecord) -> bool:
    """Whether a workflow of a run failed: it may have been retried since."""
    return any(row.phase in UNSUCCESSFUL for row in record.workflows())


def close_record(record: RunRecord) -> None:
    """Write down that a run which nobody follows any more has ended."""
    states = record.statuses()
    phases = [row.phase for row in record.workflows()]
    gathered = not record.facts.get("gather") or any(row.role == "gather" for row in record.workflows())
    complete = set(states) <= {DONE} and phases[-1:] == ["Succeeded"] and gathered
    record.update(ended=time.time(), phase="Succeeded" if complete else "Failed")
