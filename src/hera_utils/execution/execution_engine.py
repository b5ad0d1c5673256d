"""The execution engine: the order of things. Provision the environment, submit the workflow, follow it, collect its results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hera_utils.errors import RunFailed, SettingsError
from hera_utils.execution.plan import Plan, environment_of, plan, refuse_too_large
from hera_utils.execution.run import Run
from hera_utils.execution.screen import Detached, Screen, Silence, Told
from hera_utils.experiment.environment import Environment
from hera_utils.experiment.experiment import Experiment
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connection import Connection, connect
from hera_utils.platforms.hera_binding import bind_hera, stamp_of
from hera_utils.platforms.provision import Provisioned
from hera_utils.preflight.check import Finding
from hera_utils.preflight.run import Examination, assert_ready, write_role
from hera_utils.settings.parser import ContextParser, argument_parser, parse_arguments
from hera_utils.settings.resolve import CLIContext
from hera_utils.watch.follow import follow

Json = dict[str, Any]


class ExecutionEngine:
    """Runs experiments on the platform that its settings name.

    ExecutionEngine.from_command_line().run(experiment)      # a script: flags, progress on the screen, exit status
    ExecutionEngine(context).run(experiment)                 # a program: silent, the Run is what it gives
    """

    def __init__(self, context: CLIContext, *, told: Told | None = None) -> None:
        self.context = context
        self.told = told if told is not None else Silence()

    @classmethod
    def from_command_line(
        cls, argv: Sequence[str] | None = None, *, parser: ContextParser | None = None
    ) -> ExecutionEngine:
        """An engine that takes its settings from this script's command line and shows on the screen what happens.

        Besides the settings it knows --plan (what would run), --doctor (would it work) and --detach (do not wait).
        """
        parser = parser if parser is not None else argument_parser()
        group = parser.add_argument_group("experiment")
        group.add_argument("--plan", action="store_true", help="say what would run, and run nothing")
        group.add_argument("--doctor", action="store_true", help="check everything that the run needs, and run nothing")
        group.add_argument(
            "--role", metavar="FILE", help="with --doctor: write the rights that lack, for the cluster's owner"
        )
        group.add_argument(
            "--no_preflight", "--no-preflight", action="store_true", help="submit without checking the cluster"
        )
        group.add_argument("--detach", action="store_true", help="submit it and leave; it goes on")
        return cls(parse_arguments(argv, parser=parser), told=Screen())

    def plan(self, experiment: Experiment) -> Plan:
        """What would run: nothing is started or sent."""
        return plan(experiment, self.context)

    def examine(self, experiment: Experiment) -> list[Finding]:
        """Whether it would work: every finding, nothing is started or changed."""
        return list(self._examined(experiment).findings)

    def _examined(self, experiment: Experiment) -> Examination:
        from hera_utils.preflight.run import examine

        remote = self.context.platform != "local"
        document = self.plan(experiment).document if remote else None
        environment = environment_of(experiment, self.context)
        return examine(self.context, environment, document, role_file=self._role_file())

    def run(self, experiment: Experiment, *, check: bool = True) -> Run | None:
        """Realize the experiment and give its Run; None when it was only planned, examined or detached from.

        check: RunFailed unless it succeeded; without it the Run says how it ended. Ctrl-C leaves the run alone.
        """
        if not isinstance(experiment, Experiment):
            raise SettingsError(
                f"a {type(experiment).__name__} is no experiment",
                fix="give hera_utils.Experiment(workflow=…, inputs=…, …)",
            )
        if self._asked("doctor"):
            self._told_findings(self._examined(experiment))
            return None
        if self._asked("plan"):
            self.told.lines(self.plan(experiment).lines())
            return None
        connection = connect(self.context)
        with ArgoClient(connection) as client:
            version = client.version()  # before anything is defined or told: nobody may be there
            self.told.where(self.context, connection, version)
            with bind_hera(connection, stamp=stamp_of(self.context)):
                planned = self.plan(experiment)
            return self._realize(client, connection, planned, check)

    def _realize(self, client: ArgoClient, connection: Connection, planned: Plan, check: bool) -> Run | None:
        if not connection.local:
            refuse_too_large(planned.document)
            if not self._asked("no_preflight"):
                assert_ready(self.context, planned.environment, planned.document)
        provisioned = self._provision(connection, planned.environment)
        self.told.provisioned(provisioned)
        name, namespace = self._submit(client, planned)
        link = client.link(name)
        if self._asked("detach"):
            self.told.lines([f"{name} is submitted; see it with: hera-utils watch {name}", link])
            return None
        try:
            workflow = follow(client, name, self.told.display())
        except KeyboardInterrupt:
            raise Detached(f"the run goes on; come back with: hera-utils watch {name}") from None
        folders = {one.name: one.where for one in provisioned if one.where}
        run = Run(name, namespace, workflow, link, folders)
        self.told.ended(client, run)
        if check and not run.succeeded:
            raise RunFailed(
                _how_it_failed(run), fix=f"read hera-utils logs {name}; then: hera-utils retry {name} --watch"
            )
        return run

    def _submit(self, client: ArgoClient, planned: Plan) -> tuple[str, str]:
        """The name and the namespace of the workflow. Hera's object learns its name, as after its own `create()`."""
        made = planned.workflow
        metadata = planned.document.get("metadata") or {}
        # A function that ends with `w.create()`, as a script does: Hera has put the name beside the prefix it was made from.
        submitted = metadata.get("name") and str(metadata["name"]).startswith(metadata.get("generateName") or "\0")
        if not submitted:
            here = (
                client.connection.local
            )  # a hook has stamped what is exactly Hera's Workflow: not a subclass, not a dictionary
            document = stamp_of(self.context).on(planned.document) if here else planned.document
            metadata = client.create(document)["metadata"]
        client.namespace = metadata.get("namespace") or client.namespace
        if made is not None:
            made.name = metadata["name"]
        return str(metadata["name"]), client.namespace

    def _provision(self, connection: Connection, environment: Environment) -> list[Provisioned]:
        if not (environment.volumes or environment.config_maps or environment.secrets):
            return []
        from hera_utils.platforms.cluster import UNCHECKED, Cluster
        from hera_utils.platforms.provision import provision

        cluster = Cluster(connection)
        if not connection.local and not cluster.leads_somewhere():
            self.told.lines([UNCHECKED])
            return []
        return provision(cluster, environment, state=self.context.state, folders=self.context.volumes)

    def _role_file(self) -> str:
        return str(getattr(self.context, "role", None) or "") if "role" in self.context else ""

    def _told_findings(self, examined: Examination) -> None:
        if self._role_file() and examined.roles:
            write_role(self._role_file(), examined)
        self.told.findings(examined.findings)
        problems = len(examined.problems)
        if problems:
            raise RunFailed(f"{problems} problem{'s' if problems > 1 else ''} found", fix="each has its fix above")

    def _asked(self, flag: str) -> bool:
        return bool(getattr(self.context, flag, False)) if flag in self.context else False


def _how_it_failed(run: Run) -> str:
    first = next(iter(run.outcome.failures), None)
    why = f"{first.task}: {first.message or first.phase}" if first is not None else run.outcome.message
    return f"{run.name} {run.phase.lower()}{f' ({why})' if why else ''}"
