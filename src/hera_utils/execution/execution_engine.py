"""The execution engine plans, checks, runs, follows and collects an experiment on the platform that its settings name."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hera_utils.errors import NoRun, RunFailed, SettingsError
from hera_utils.execution.batches import SizeEstimate, estimate_size, fingerprints_of, largest_document, limits_of
from hera_utils.execution.cautions import find_cautions, warn_of_unusable_records
from hera_utils.execution.cost import Cost, earlier_cost
from hera_utils.execution.decisions import Decisions, decide
from hera_utils.execution.declared_files import DeclaredFiles, file_uses, files_written_by
from hera_utils.execution.definition import Definition, environment_of
from hera_utils.execution.fingerprints import Fingerprinter, fingerprinter_of
from hera_utils.execution.flags import RunOptions, add_flags, apply_input_flags, check_layout, point_lines
from hera_utils.execution.history import history_of, newest_record, unfinished_run, with_state_of_run
from hera_utils.execution.plan import Plan, refuse_too_large
from hera_utils.execution.reporter import ConsoleReporter, NullReporter, Reporter
from hera_utils.execution.run import Run, collect_run, notification_of_end, stop_run
from hera_utils.execution.run_facts import run_facts, runs_folder, script_folder
from hera_utils.execution.session import Caller, Session
from hera_utils.execution.stored_templates import StoredTemplates, client_without_starting
from hera_utils.execution.task_graph import draw_graph
from hera_utils.experiment.environment import Environment
from hera_utils.experiment.experiment import Experiment
from hera_utils.experiment.search import design_of
from hera_utils.experiment.values import for_json
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.claim_folders import claim_folder_by_settings
from hera_utils.platforms.cluster import UNCHECKED, Cluster
from hera_utils.platforms.connect import connect
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.environment_of_submission import EnvironmentOfSubmission
from hera_utils.platforms.execution_platform import ExecutionPlatform
from hera_utils.platforms.hera_binding import bind_hera, stamp_of
from hera_utils.platforms.manifests import secret_values
from hera_utils.platforms.namespace_creation import ensure_namespace
from hera_utils.platforms.provision import Change, ensure, plan_changes, provision
from hera_utils.preflight.finding import Finding
from hera_utils.preflight.local_images import decide_images_of_documents
from hera_utils.preflight.local_workflow import add_claims_of_settings
from hera_utils.preflight.ready import assert_ready
from hera_utils.runs.notification import notify
from hera_utils.runs.record import records
from hera_utils.settings.command_line import CommandLine, python_launch
from hera_utils.settings.parser import ContextParser, argument_parser, parse_arguments
from hera_utils.settings.resolve import CLIContext
from hera_utils.settings.script_host import script_host
from hera_utils.watch.deadline import NEVER, Deadline
from hera_utils.wording import counted

if TYPE_CHECKING:
    from hera_utils.preflight.run import Examination


def main(experiment: Experiment, argv: Sequence[str] | None = None, *, parser: ContextParser | None = None) -> Run:
    """The last call of a script: read the command line, run the experiment, show its progress on the screen, and return the Run.

    It returns only if the run succeeded. Flags that ask for something else (--plan, --doctor…) or leave the run (--detach) end the
    script with status 0, as --help does; a run that fails, or cannot begin, ends it with a sentence, a fix and an exit status.
    argv: the words after the script's name. parser: made by `argument_parser` and extended with the script's own flags.
    """
    if sys.argv[0].endswith(_RUNNERS):
        raise SettingsError(
            "a task imports this script for Hera's runner, and the script calls main(…) when it is imported",
            fix='write the call below: if __name__ == "__main__":',
        )
    return ExecutionEngine.from_command_line(argv, parser=parser, experiment=experiment).run(experiment)


_RUNNERS = ("/hera_runner.py", "/hera/workflows/runner.py")  # of a task on this machine, of a task on a cluster
Json = dict[str, Any]


class ExecutionEngine:
    """Runs experiments on the platform that its settings name.

    main(experiment)                                         # in a script: reads flags, shows progress, sets the exit status
    ExecutionEngine(context).run(experiment)                 # in a program: prints nothing, returns the Run

    It holds its settings (`context`), the experiment that it was given last (`experiment`), the environment of execution that the
    experiment needs (`environment`) and the environment of submission for Hera (`environment_of_submission`); it has a `platform`.
    """

    def __init__(
        self,
        context: CLIContext,
        experiment: Experiment | None = None,
        *,
        reporter: Reporter | None = None,
        options: RunOptions | None = None,
        launch: CommandLine | None = None,
    ) -> None:
        """experiment: used by methods that are called without one. options: the flags about the experiment.
        launch: the command line that the context was read from, None if it cannot be repeated.
        """
        self.context, self.experiment, self.launch = context, experiment, launch
        self.reporter = reporter if reporter is not None else NullReporter()
        self.options = options if options is not None else RunOptions()

    @classmethod
    def from_command_line(
        cls,
        argv: Sequence[str] | None = None,
        *,
        parser: ContextParser | None = None,
        experiment: Experiment | None = None,
    ) -> ExecutionEngine:
        """An engine that takes its settings from this script's command line and shows progress on the screen.

        experiment: held by the engine; --help describes its inputs.

        Besides the settings it knows --set and --inputs (other values), --plan (what would run), --resume (only what is not done),
        --keep-done (ignore changes of the code), --explain (why points run), --doctor (check everything), --provision (create what is
        needed), --detach (do not wait), --timeout (wait at most so long). Flags that ask for no run end the script in `run`.
        """
        parser = parser if parser is not None else argument_parser()
        add_flags(parser, experiment)
        own = argv is None or list(argv) == sys.argv[1:]
        launch = (script_host().launch or python_launch()) if own else None
        context = parse_arguments(argv, parser=parser)
        return cls(context, experiment, reporter=ConsoleReporter(), options=RunOptions.of(context), launch=launch)

    @cached_property
    def platform(self) -> ExecutionPlatform:
        """The cluster and the Argo server that the settings designate."""
        return ExecutionPlatform(self.context)

    @property
    def environment(self) -> Environment:
        """The environment of execution: what the experiment needs, as the settings name it. SettingsError without an experiment."""
        return environment_of(self._read_experiment(None), self.context)

    @property
    def environment_of_submission(self) -> EnvironmentOfSubmission:
        """What Hera needs to submit workflows to the platform."""
        return self.platform.environment_of_submission

    def __repr__(self) -> str:
        experiment = f", experiment {self.experiment.name}" if self.experiment is not None else ""
        return f"ExecutionEngine({self.platform!r}{experiment})"

    # --- before a run ------------------------------------------------------------------------------------------------
    def plan(self, experiment: Experiment | None = None, *, resume: bool | None = None) -> Plan:
        """What would run. Starts and sends nothing.

        resume: leave out what earlier runs have done (default: whether --resume was given).
        """
        definition, estimate = self._define(self._experiment(experiment))
        local = self.context.platform == "local"
        images = self._image_outcomes(definition, largest_document(definition, estimate)) if local else {}
        resume = self.options.resume if resume is None else resume
        if design_of(definition.inputs.sweep) is not None:
            return self._plan_of_search(definition, estimate, images, resume=resume)
        if not resume and not records(runs_folder(self.context)):
            return Plan(definition, estimate, None, images)
        decisions, cost = self._compare_with_earlier_runs(definition, estimate, resume=resume)
        return Plan(definition, estimate, decisions, images, cost)

    def doctor(self, experiment: Experiment | None = None) -> list[Finding]:
        """Check whether a run would work: all findings, good and bad. Starts and changes nothing."""
        return list(self._examine(self._experiment(experiment)).findings)

    def dry_run(self, experiment: Experiment | None = None) -> list[Change]:
        """What provisioning the experiment's environment would do. Nothing is changed (the local platform is started)."""
        environment = environment_of(self._read_experiment(experiment), self.context)
        cluster = Cluster(connect(self.context))
        state, folders = self.context.state, self.context.volumes
        return plan_changes(cluster, environment, state=state, folders=folders, force=self.options.force)

    # --- runs --------------------------------------------------------------------------------------------------------
    def run(
        self,
        experiment: Experiment | None = None,
        *,
        check: bool = True,
        resume: bool | None = None,
        timeout: float | str | None = None,
    ) -> Run:
        """Run the experiment and return its Run.

        check: raise RunFailed unless it succeeded; without it the Run says how it ended. resume: run only the points that are not done, or
        whose code, image or inputs changed (default: whether --resume was given). timeout: how long to wait, in seconds or as `10m`
        (default: what --timeout says); then WaitTimeout is raised, and the run goes on. Ctrl-C leaves it alone in the same way.

        If the engine's command line asks for something else than a run, the engine does that, and NoRun ends the script.
        """
        deadline = self._deadline(timeout)
        written = self._read_experiment(experiment)
        script_host().observer(self, written)
        resume = self.options.resume if resume is None else resume
        self.options.check(resume)
        if self._answer_without_a_run(written, resume=resume):
            raise NoRun(0)
        with self._session(written, resume=resume, deadline=deadline) as session:
            if session.record is None:
                self.reporter.lines([f"{_all_points_are(session.plan.points)} done already: nothing to run"])
                run = collect_run(session.client, session.runs, facts=session.facts)
                script_host().runs.append(run.name)
                self._write_missing_files(session, run)
                return run
            if self.options.detach or script_host().detach:
                self.reporter.lines(session.submit())
                raise NoRun(0)
            began = time.monotonic()
            run = session.run()
            self._write_files_of_run(session, run)
            self.reporter.ended(session.client, run)
            self.reporter.lines(notify(notification_of_end(run, time.monotonic() - began), self.context))
            if check and not run.succeeded:
                raise session.error_of_failed_run(run)
            return run

    def submit(self, experiment: Experiment | None = None, *, resume: bool = False) -> str:
        """Submit the run without waiting for it, and return its name. Submitted workflows continue by themselves.

        Of a run of many workflows only as many are submitted as may run at once; `follow` submits the others, and `gather`.
        """
        written = self._read_experiment(experiment)
        script_host().observer(self, written)
        self.options.check(self.options.resume or resume)
        with self._session(written, resume=resume) as session:
            if session.record is None:
                raise SettingsError(
                    "every point is done already: there is nothing to submit",
                    fix="submit without resume, or see what there is with: hera-utils results @latest",
                )
            name = session.record.name
            session.submit()
            return name

    def follow(
        self, experiment: Experiment | None = None, *, check: bool = True, timeout: float | str | None = None
    ) -> Run:
        """Continue the experiment's last run and return its Run: wait for what still runs, submit the rest.

        timeout: as in `run`.
        """
        return self.run(experiment, check=check, resume=True, timeout=timeout)

    def collect(self, name: str = "") -> Run:
        """A run in its present state, by its name (default: the newest run that is recorded)."""
        with ArgoClient(connect(self.context)) as client:
            return collect_run(client, runs_folder(self.context), name)

    def stop(self, name: str = "") -> list[str]:
        """Stop every workflow of a run (default: the newest run that is recorded); the names of the workflows that were stopped.

        `run(resume=True)` computes what was not submitted or not finished.
        """
        with ArgoClient(connect(self.context)) as client:
            return stop_run(client, runs_folder(self.context), name)

    # --- how ---------------------------------------------------------------------------------------------------------
    def _read_experiment(self, experiment: Experiment | None) -> Experiment:
        """The experiment as its author wrote it: the one of this call, which the engine holds from now on, else the one that it holds."""
        written = experiment if experiment is not None else self.experiment
        if written is None:
            raise SettingsError(
                "the engine has no experiment",
                fix="write ExecutionEngine(context, experiment), or engine.run(experiment)",
            )
        self.experiment = written
        return written

    def _experiment(self, experiment: Experiment | None) -> Experiment:
        """The experiment with the inputs that the command line asks for."""
        return apply_input_flags(self._read_experiment(experiment), self.options)

    def _define(self, experiment: Experiment) -> tuple[Definition, SizeEstimate]:
        definition = Definition(experiment, self.context)
        return definition, estimate_size(definition, limits_of(self.context))

    def _image_outcomes(self, definition: Definition, largest: Json) -> dict[str, str]:
        """image → what happens to it on this machine. The decisions are sent with the workflows, and are part of the fingerprints."""
        return decide_images_of_documents(self.context, definition.environment, _documents(definition, largest))

    def _compare_with_earlier_runs(
        self, definition: Definition, estimate: SizeEstimate, *, resume: bool
    ) -> tuple[Decisions | None, Cost | None]:
        """(which points are done, None without `resume`; what a point costs, from runs of the same code as the first point's).

        Reads the records. If a server runs, it is asked for stored templates, and for what became of the newest run; that is recorded only
        when the run is resumed.
        """
        runs, facts, files = runs_folder(self.context), self._facts(definition), self._declared_files(definition)
        with client_without_starting(self.context) as client:
            fingerprinter, history = self._fingerprinter(definition, files, client), None
            if resume:
                history, newest = history_of(runs, facts), newest_record(runs, facts)
                if newest is not None and client is not None:
                    history = with_state_of_run(history, newest, client, definition.inputs.points, files)
            decisions = None if history is None else decide(definition, estimate, history, fingerprinter, files)
            _, first = next(fingerprints_of(definition, estimate, fingerprinter), (None, {}))
        return decisions, earlier_cost(runs, facts, first)

    def _plan_of_search(
        self, definition: Definition, estimate: SizeEstimate, images: dict[str, str], *, resume: bool
    ) -> Plan:
        from hera_utils.execution.search_plan import plan_of_search
        from hera_utils.execution.search_replay import Rounds

        runs, facts = runs_folder(self.context), self._facts(definition)
        history = history_of(runs, facts) if resume else None
        with client_without_starting(self.context) as client:
            fingerprinter = self._fingerprinter(definition, self._declared_files(definition), client)
            rounds = Rounds(definition.experiment, self.context, estimate.limits, self._declared_files, fingerprinter)
            return plan_of_search(rounds, history, runs, images, unfinished_run(runs, facts))

    def _fingerprinter(self, definition: Definition, files: DeclaredFiles, client: ArgoClient | None) -> Fingerprinter:
        secrets, keep_done = secret_values(definition.environment), self.options.keep_done
        stored = StoredTemplates(client)
        return fingerprinter_of(self.context, files, keep_done=keep_done, secrets=secrets, stored=stored)

    def _declared_files(self, definition: Definition) -> DeclaredFiles:
        volume = definition.environment.persisted_volume
        folder = claim_folder_by_settings(self.context, volume.claim_name) if volume is not None else None
        return DeclaredFiles(definition.layout, folder, script_folder())

    def _facts(self, definition: Definition) -> Json:
        return run_facts(definition.experiment, definition.key, self.context, str(self.context.argo_namespace))

    def _examine(self, experiment: Experiment) -> Examination:
        from hera_utils.preflight.run import (
            examine,  # imported here because a run on this machine needs none of its checks
        )

        remote = self.context.platform != "local"
        document = largest_document(*self._define(experiment)) if remote else None
        environment = environment_of(experiment, self.context)
        return examine(self.context, environment, document, role_file=self.options.role or "")

    def _answer_without_a_run(self, written: Experiment, *, resume: bool) -> bool:
        """Do what the command line asks for instead of a run; False if it asks for a run."""
        options, experiment = self.options, apply_input_flags(written, self.options)
        if options.list_points:
            self.reporter.lines(point_lines(experiment))
        elif options.doctor or options.role:
            self._report_findings(self._examine(experiment))
        elif options.plan or options.picture:
            check_layout(experiment)
            plan = self.plan(written, resume=resume)
            if options.plan and options.plan_output == "json":
                self.reporter.lines([json.dumps(for_json(plan.as_json()), indent=2, ensure_ascii=False)])
            else:
                if resume:
                    facts = self._facts(plan.definition)
                    self.reporter.lines(warn_of_unusable_records(runs_folder(self.context), facts))
                self._report_plan(plan)
                self.reporter.lines(find_cautions(written, experiment, plan))
        elif options.dry_run:
            self.reporter.lines([line for change in self.dry_run(written) for line in change.lines()])
        else:
            return False
        return True

    @contextmanager
    def _session(self, written: Experiment, *, resume: bool, deadline: Deadline = NEVER) -> Iterator[Session]:
        """A session that is ready to run: the experiment is defined, its environment provisioned, its record opened."""
        experiment = apply_input_flags(written, self.options)
        check_layout(experiment)
        connection = connect(self.context)
        with ArgoClient(connection) as client:
            version = client.version()  # first of all: it fails if no server answers
            self.reporter.where(self.context, connection, version)
            self.reporter.lines(ensure_namespace(connection, self.context.origin("argo_namespace")))
            # the service account of the pods, unless the workflow names one
            account = environment_of(experiment, self.context).service_account
            bound = connection if account is None else replace(connection, service_account=account.name)
            with bind_hera(bound, stamp=stamp_of(self.context)):
                definition, estimate = self._define(experiment)
                document = largest_document(definition, estimate)
                caller = Caller(self.context, self.reporter, self.options, self.launch, resume, deadline)
                session = _session_of(client, caller, definition, estimate)
                if not connection.local:
                    refuse_too_large(document)
                environment = definition.environment
                if connection.local:
                    environment = add_claims_of_settings(environment, self.context, [document])
                provisioned = self._provision(connection, environment)
                documents = _documents(definition, document) if connection.local else [document]
                self._check_before_run(environment, documents, local=connection.local)
                self.reporter.provisioned(provisioned)
                try:
                    session.open(provisioned)
                    if session.record is not None:
                        script_host().runs.append(session.record.name)
                    self.reporter.lines(find_cautions(written, experiment, session.plan))
                    if resume and session.record is not None:
                        self._report_plan(session.plan)
                    yield session
                finally:
                    session.close()

    def _check_before_run(self, environment: Environment, documents: list[Json], *, local: bool) -> None:
        """The preflight; without it, on this machine, only the decisions about images, which are sent with the workflows."""
        if not self.options.no_preflight:
            findings = assert_ready(self.context, environment, documents, lambda line: self.reporter.lines([line]))
            self.reporter.lines(
                [finding.message if finding.verdict == "good" else finding.line() for finding in findings]
            )
        elif local:
            decide_images_of_documents(self.context, environment, documents)

    def _provision(self, connection: Connection, environment: Environment) -> list[Change]:
        """Create what is missing: always on this machine, in a cluster only with --provision (else the preflight reports it)."""
        cluster, state, folders = Cluster(connection), self.context.state, self.context.volumes
        if not connection.local and not cluster.leads_somewhere():
            self.reporter.lines([UNCHECKED] if environment != Environment() else [])
            return []
        if self.options.provision:
            return provision(cluster, environment, state=state, folders=folders, force=self.options.force)
        if connection.local or self.options.no_preflight:
            return ensure(cluster, environment, state=state, folders=folders)
        return []

    def _write_files_of_run(self, session: Session, run: Run) -> None:
        """Write report, results and manifest beside the record."""
        from hera_utils.report.run_folder import write_run_folder

        if run.record is None:
            return
        points = session.definition.inputs.points
        secrets = (*self.context.secrets(), *secret_values(session.definition.environment))
        record = run.record
        left_out = write_run_folder(
            session.client, run.record, secrets, lambda: file_uses(session.files, points, files_written_by(record))
        )
        if left_out:
            self.reporter.lines([left_out])

    def _write_missing_files(self, session: Session, run: Run) -> None:
        """Write them for a run whose process was killed before it could."""
        from hera_utils.provenance.manifest import NAME

        if (
            run.record is not None
            and not (run.record / NAME).exists()
            and session.earlier_runs.has_same_inputs(run.record)
        ):
            self._write_files_of_run(session, run)
            self.reporter.ended(session.client, run)

    def _report_plan(self, plan: Plan) -> None:
        self.reporter.lines([*plan.lines(explain=self.options.explain), *plan.image_lines()])
        if self.options.picture:
            self.reporter.lines(draw_graph(plan.document, plan.estimate.ownership, self.options.picture))

    def _report_findings(self, examination: Examination) -> None:
        if self.options.role and examination.roles:
            from hera_utils.preflight.run import write_role

            write_role(self.options.role, examination)
        self.reporter.findings(examination.findings)
        problems = len(examination.problems)
        if problems:
            raise RunFailed(f"{counted(problems, 'problem')} found", fix="each has its fix above")

    def _deadline(self, timeout: float | str | None) -> Deadline:
        """The deadline of the call, else that of the command line."""
        timeout = self.options.wait_timeout if timeout is None else timeout
        return script_host().deadline or NEVER if timeout is None else Deadline.after(timeout)


def _all_points_are(count: int) -> str:
    return "the only point is" if count == 1 else f"all {count} points are"


def _session_of(client: ArgoClient, caller: Caller, definition: Definition, estimate: SizeEstimate) -> Session:
    if design_of(definition.inputs.sweep) is None:
        return Session(client, caller, definition, estimate)
    from hera_utils.execution.search_session import SearchSession

    return SearchSession(client, caller, definition, estimate)


def _documents(definition: Definition, largest: Json) -> list[Json]:
    """The documents to check before a run: the largest workflow of points, and the gather workflow if there is one."""
    gather = definition.gather
    return [largest, *([] if gather is None else [gather.document])]
