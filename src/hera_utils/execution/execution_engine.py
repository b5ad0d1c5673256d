"""The execution engine: the order of things. Provision the environment, submit the workflow, follow it, collect its results."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

from hera_utils.errors import RunFailed, SettingsError
from hera_utils.execution.cautions import cautions
from hera_utils.execution.cluster_flags import add_cluster_flags
from hera_utils.execution.flags import TIMEOUT, add_flags, check_layout, meant, points_asked_for
from hera_utils.execution.history import earlier
from hera_utils.execution.plan import (
    Plan,
    environment_of,
    judged,
    plan,
    prints_for,
    refuse_too_large,
    script_folder,
)
from hera_utils.execution.reporter import Screen, Silence, Told
from hera_utils.execution.run import Run
from hera_utils.execution.session import Realization, facts_of, runs_folder
from hera_utils.execution.steering import claim_here, standing_run, stop_run
from hera_utils.execution.task_graph import picture
from hera_utils.experiment.environment import Environment
from hera_utils.experiment.experiment import Experiment
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.cluster import ensure_namespace
from hera_utils.platforms.connect import connect
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.environment_of_submission import EnvironmentOfSubmission
from hera_utils.platforms.execution_platform import ExecutionPlatform
from hera_utils.platforms.hera_binding import bind_hera, stamp_of
from hera_utils.platforms.provision import Change, Provisioned
from hera_utils.preflight.finding import Finding
from hera_utils.preflight.ready import assert_ready
from hera_utils.preflight.run import Examination, write_role
from hera_utils.settings.command_line import Launch, python_launch
from hera_utils.settings.parser import ContextParser, argument_parser, parse_arguments
from hera_utils.settings.resolve import CLIContext
from hera_utils.watch.deadline import NEVER, Deadline

Json = dict[str, Any]


class ExecutionEngine:
    """Runs experiments on the platform that its settings name.

    ExecutionEngine.from_command_line().run(experiment)      # a script: flags, progress on the screen, exit status
    ExecutionEngine(context).run(experiment)                 # a program: silent, the Run is what it gives

    It holds its settings (`context`), the experiment that it was given last (`experiment`), the environment of execution that this needs
    (`environment`) and the environment of submission that Hera is told (`environment_of_submission`); it depends on a `platform`.

    launched: how `hera-utils run` started the script, and whether it shall leave its runs; None for a script that Python runs.
    deadline: until when that command waits.
    """

    launched: ClassVar[Launch | None] = None
    deadline: ClassVar[Deadline] = NEVER

    def __init__(
        self,
        context: CLIContext,
        experiment: Experiment | None = None,
        *,
        told: Told | None = None,
        launch: Launch | None = None,
    ) -> None:
        """experiment: what the methods take when they are given none. launch: the command line that the context was read from, None
        where there is none that could be repeated.
        """
        self.context, self.experiment, self.launch = context, experiment, launch
        self.told = told if told is not None else Silence()

    @classmethod
    def from_command_line(
        cls, argv: Sequence[str] | None = None, *, parser: ContextParser | None = None
    ) -> ExecutionEngine:
        """An engine that takes its settings from this script's command line and shows on the screen what happens.

        Besides the settings it knows --set and --inputs (other values), --plan (what would run), --resume (only what is not done),
        --keep-done (a change of code is none), --explain (why), --doctor (would it work), --provision (make what it needs),
        --detach (do not wait), --timeout (no longer).
        """
        parser = parser if parser is not None else argument_parser()
        group = parser.add_argument_group("experiment")
        add_flags(parser, group)
        group.add_argument("--plan", action="store_true", help="show what would run; run nothing")
        with contextlib.suppress(argparse.ArgumentError):  # the script has a flag of that name
            group.add_argument("--output", choices=("text", "json"), help="with --plan: the output format")
        group.add_argument(
            "--resume", action="store_true", help="run only the points that are not done or have changed"
        )
        group.add_argument("--explain", action="store_true", help="with --resume: show why each point runs")
        group.add_argument(
            "--keep-done",
            "--keep_done",
            action="store_true",
            help="with --resume: keep finished points although their code, images or packages have changed",
        )
        group.add_argument(
            "--picture", choices=("ascii", "mermaid"), help="draw the graph of the tasks with the plan; run nothing"
        )
        add_cluster_flags(group)
        group.add_argument("--detach", action="store_true", help="submit and exit; the run continues")
        own = argv is None or list(argv) == sys.argv[1:]
        launch = (cls.launched or python_launch()) if own else None
        return cls(parse_arguments(argv, parser=parser), told=Screen(), launch=launch)

    @cached_property
    def platform(self) -> ExecutionPlatform:
        """The cluster and the Argo server that the settings designate."""
        return ExecutionPlatform(self.context)

    @property
    def environment(self) -> Environment:
        """The environment of execution: what the experiment needs, as the settings name it. SettingsError without an experiment."""
        return environment_of(self._held(None), self.context)

    @property
    def environment_of_submission(self) -> EnvironmentOfSubmission:
        """What Hera is told, so that workflows go to the platform."""
        return self.platform.environment_of_submission

    def __repr__(self) -> str:
        held = f", experiment {self.experiment.name}" if self.experiment is not None else ""
        return f"ExecutionEngine({self.platform!r}{held})"

    def _held(self, experiment: Experiment | None) -> Experiment:
        """The experiment of a call as it is written, which the engine holds from then on; else the one that it holds."""
        held = experiment if experiment is not None else self.experiment
        if held is None:
            raise SettingsError(
                "the engine has no experiment",
                fix="write ExecutionEngine(context, experiment), or engine.run(experiment)",
            )
        self.experiment = held
        return held

    def plan(self, experiment: Experiment | None = None, *, resume: bool | None = None) -> Plan:
        """What would run: nothing is started or sent.

        resume: judge the points by what earlier runs have done (default: whether --resume was given).
        """
        experiment = meant(self._held(experiment), self.context)
        resume = self._asked("resume") if resume is None else resume
        made = plan(experiment, self.context)
        if not resume:
            return made
        volume = made.environment.persisted_volume
        where = claim_here(self.context, volume.claim_name) if volume is not None else None
        known = earlier(
            runs_folder(self.context), facts_of(experiment, made.definition.key, self.context, self._namespace())
        )
        return judged(made, known, prints_for(self.context), where, script_folder(self.context))

    def examine(self, experiment: Experiment | None = None) -> list[Finding]:
        """Whether it would work: every finding, nothing is started or changed."""
        return list(self._examined(meant(self._held(experiment), self.context)).findings)

    def _examined(self, experiment: Experiment) -> Examination:
        from hera_utils.preflight.run import examine

        remote = self.context.platform != "local"
        document = self.plan(experiment).first if remote else None
        environment = environment_of(experiment, self.context)
        return examine(self.context, environment, document, role_file=self._role_file())

    def run(
        self,
        experiment: Experiment | None = None,
        *,
        check: bool = True,
        resume: bool | None = None,
        timeout: float | str | None = None,
    ) -> Run | None:
        """Realize the experiment and give its Run; None when it was only planned, examined or detached from.

        check: RunFailed unless it succeeded; without it the Run says how it ended. resume: run only the points that are not done, or
        whose code, image or inputs changed (default: whether --resume was given). timeout: how long to wait, in seconds or as `10m`
        (default: what --timeout says); then WaitTimeout is raised, and the run goes on. Ctrl-C leaves it alone in the same way.
        """
        deadline = self._deadline(timeout)
        written = self._held(experiment)
        experiment = meant(written, self.context)
        resuming = self._asked("resume") if resume is None else resume
        if self._asked("keep_done") and not resuming:
            raise SettingsError(
                "--keep-done keeps finished points, but without --resume every point runs",
                fix="give --resume as well",
            )
        if self._asked("explain") and not resuming:
            raise SettingsError(
                "--explain shows why points run again, but without --resume every point runs",
                fix="give --resume as well, and --plan to run nothing",
            )
        if listed := points_asked_for(experiment, self.context):
            self.told.lines(listed)
            return None
        if self._asked("doctor") or self._role_file():
            self._told_findings(self._examined(experiment))
            return None
        if self._asked("plan") or self._asked("picture"):
            check_layout(experiment)
            planned = self.plan(written, resume=resume)
            if self._asked("plan") and self._is_json():
                self.told.lines([json.dumps(planned.as_json(), indent=2, ensure_ascii=False)])
                return None
            self._tell_plan(planned)
            self.told.lines(cautions(written, experiment, planned, script_folder(self.context)))
            return None
        if self._asked("dry_run"):
            self.told.lines([line for change in self.difference(written) for line in change.lines()])
            return None
        with self._realization(written, resume, deadline) as found:
            if found.record is None:
                return self._nothing_to_run(found, check)
            if self._asked("detach") or (self.launched is not None and self.launched.detach):
                self.told.lines(found.submit())
                return None
            run = found.run()
            self._keep(found, run)
            self.told.ended(found.client, run)
            if check and not run.succeeded:
                raise found.how_it_failed(run)
            return run

    def _keep(self, found: Realization, run: Run) -> None:
        """Report, results and manifest, beside the record."""
        from hera_utils.execution.checksums import checksums
        from hera_utils.platforms.manifests import secret_values
        from hera_utils.report.run_folder import write_run_folder

        if run.record is None:
            return
        points = found.plan.definition.inputs.points
        known = (*self.context.secrets(), *secret_values(found.plan.environment))
        left_out = write_run_folder(found.client, run.record, known, lambda: checksums(found.files, points))
        if left_out:
            self.told.lines([left_out])

    def submit(self, experiment: Experiment | None = None, *, resume: bool = False) -> str:
        """Begin the run and leave it; its name. What is submitted goes on by itself.

        Of a run of many workflows that is as many as may go on at once; the others, and `gather`, follow with `follow`.
        """
        with self._realization(experiment, resume) as found:
            if found.record is None:
                raise SettingsError("every point is done already: there is nothing to submit")
            name = found.record.name
            found.submit()
            return name

    def follow(
        self, experiment: Experiment | None = None, *, check: bool = True, timeout: float | str | None = None
    ) -> Run:
        """Take up the experiment's last run where it was left, and give its Run: what still runs is awaited, the rest is submitted.

        timeout: as in `run`.
        """
        run = self.run(experiment, check=check, resume=True, timeout=timeout)
        assert run is not None, "an engine that only plans follows nothing"
        return run

    def collect(self, name: str = "") -> Run:
        """A run as it stands, by its name (default: the newest that is recorded)."""
        with ArgoClient(connect(self.context)) as client:
            return standing_run(client, runs_folder(self.context), name)

    def cancel(self, name: str = "") -> list[str]:
        """Stop every workflow of a run (default: the newest that is recorded); the names of those that were stopped.

        What had not been submitted stays so; `run(resume=True)` takes it up.
        """
        with ArgoClient(connect(self.context)) as client:
            return stop_run(client, runs_folder(self.context), name)

    @contextmanager
    def _realization(
        self, experiment: Experiment | None, resume: bool | None, deadline: Deadline = NEVER
    ) -> Iterator[Realization]:
        """The experiment defined, its environment provisioned, its record opened: ready to be carried out."""
        written = self._held(experiment)
        experiment = meant(written, self.context)
        check_layout(experiment)
        resume = self._asked("resume") if resume is None else resume
        connection = connect(self.context)
        with ArgoClient(connection) as client:
            version = client.version()  # before anything is defined or told: nobody may be there
            self.told.where(self.context, connection, version)
            self.told.lines(ensure_namespace(connection, self.context.origin("argo_namespace")))
            account = environment_of(
                experiment, self.context
            ).service_account  # of the pods, where the workflow names none
            bound = connection if account is None else replace(connection, service_account=account.name)
            with bind_hera(bound, stamp=stamp_of(self.context)):
                made = plan(experiment, self.context)
                found = Realization(client, self.context, self.told, made, resume=resume, launch=self.launch)
                found.deadline = deadline
                if not connection.local:
                    refuse_too_large(made.first)
                found.provisioned = self._provision(connection, made.environment)
                if not self._asked("no_preflight"):
                    warnings = assert_ready(self.context, made.environment, made.first)
                    self.told.lines([finding.line() for finding in warnings])
                self.told.provisioned(found.provisioned)
                found.prepare()
                self.told.lines(cautions(written, experiment, found.plan, script_folder(self.context)))
                if resume and found.record is not None:
                    self._tell_plan(found.plan)
                try:
                    yield found
                finally:
                    if found.record is not None:
                        found.record.close()  # whatever happened: the run is nobody's now, and may be taken up

    def _nothing_to_run(self, found: Realization, check: bool) -> Run:
        self.told.lines([f"all {found.plan.points} points are done already: nothing to run"])
        return standing_run(found.client, found.runs, identity_of=found.facts)

    def _tell_plan(self, made: Plan) -> None:
        self.told.lines(made.lines(explain=self._asked("explain")))
        kind = getattr(self.context, "picture", None) if "picture" in self.context else None
        if kind:
            self.told.lines(picture(made.document, made.survey.belonging, str(kind)))

    def _is_json(self) -> bool:
        return "output" in self.context and getattr(self.context, "output", None) == "json"

    def _namespace(self) -> str:
        return str(self.context.argo_namespace)

    def _provision(self, connection: Connection, environment: Environment) -> list[Provisioned]:
        """On this machine what is missing is made; in a cluster it is when that is asked for (else the preflight sees what lacks)."""
        from hera_utils.platforms.cluster import UNCHECKED, Cluster
        from hera_utils.platforms.provision import ensure, provision

        cluster, state, folders = Cluster(connection), self.context.state, self.context.volumes
        if not connection.local and not cluster.leads_somewhere():
            self.told.lines([UNCHECKED] if environment != Environment() else [])
            return []
        if self._asked("provision"):
            return provision(cluster, environment, state=state, folders=folders, force=self._asked("force"))
        if connection.local or self._asked("no_preflight"):
            return ensure(cluster, environment, state=state, folders=folders)
        return []

    def difference(self, experiment: Experiment | None = None) -> list[Change]:
        """What provisioning the experiment's environment would do. Nothing is changed (the local platform is started)."""
        from hera_utils.platforms.cluster import Cluster
        from hera_utils.platforms.provision import changes

        environment = environment_of(self._held(experiment), self.context)
        cluster = Cluster(connect(self.context))
        force, folders = self._asked("force"), self.context.volumes
        return changes(cluster, environment, state=self.context.state, folders=folders, force=force)

    def _role_file(self) -> str:
        return str(getattr(self.context, "role", None) or "") if "role" in self.context else ""

    def _told_findings(self, examined: Examination) -> None:
        if self._role_file() and examined.roles:
            write_role(self._role_file(), examined)
        self.told.findings(examined.findings)
        problems = len(examined.problems)
        if problems:
            raise RunFailed(f"{problems} problem{'s' if problems > 1 else ''} found", fix="each has its fix above")

    def _deadline(self, timeout: float | str | None) -> Deadline:
        """As the call says, else as the command line does."""
        if timeout is None and TIMEOUT in self.context:
            timeout = getattr(self.context, TIMEOUT)
        return self.deadline if timeout is None else Deadline.after(timeout)

    def _asked(self, flag: str) -> bool:
        return bool(getattr(self.context, flag, False)) if flag in self.context else False
