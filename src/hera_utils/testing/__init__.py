"""A pytest plugin with the fixture `local_platform`, for testing one's own workflows.

def test_fan_in(local_platform):
    run = local_platform.run(experiment, replace={"collect": lambda vintages, **_: {"count": vintages}})
    assert run.succeeded and run["fan-in"].outputs["total"] == "54324"

def test_plan(local_platform, snapshot):
    assert local_platform.plan(experiment) == snapshot          # a text: any snapshot plugin takes it

pytest finds it once hera_utils is installed. The server is private to the test session; each test has its own namespace, so tests see
neither each other's runs nor their claims, config maps and files.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hera_utils.execution.run import Run
    from hera_utils.experiment.experiment import Experiment
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.cluster import Cluster
    from hera_utils.platforms.connection import Connection
    from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]

_KEPT = ("HERA_UTILS_IMAGES", "HERA_UTILS_PYTHON")
_IDLE_SECONDS = 300.0  # after this time the server of a killed test session ends


class PrivatePlatform:
    """A local platform for tests. connection: its addresses and credential, for other clients.

    client, cluster: its Argo and Kubernetes APIs. context: its settings, as `parse_arguments()` of a script would return them.
    """

    def __init__(self, context: CLIContext) -> None:
        from hera_utils.platforms.argo_client import ArgoClient
        from hera_utils.platforms.cluster import Cluster
        from hera_utils.platforms.connect import connect

        self.context = context
        self.connection: Connection = connect(context)
        self.client: ArgoClient = ArgoClient(self.connection)
        self.cluster: Cluster = Cluster(self.connection)

    def run(
        self,
        what: Any,
        *,
        replace: Mapping[str, Callable[..., Any]] | None = None,
        timeout: float | str | None = None,
    ) -> Run:
        """Run an Experiment, a Hera Workflow or a workflow document to its end, and return the Run, even if it failed (then print why).

        run.succeeded; run.phase; run["task"].outputs["parameter"] (or ["result"]), .inputs, .status; run.tasks("fan-out").
        replace: template → a function of its input parameters that runs in this process instead (see replacing.py).
        timeout: how long to wait, in seconds or as `10m`; raises WaitTimeout then, and the run continues until the test ends.
        """
        from hera_utils.execution.execution_engine import ExecutionEngine
        from hera_utils.execution.run import Run
        from hera_utils.experiment.experiment import Experiment
        from hera_utils.testing.replacing import stage
        from hera_utils.watch.deadline import Deadline
        from hera_utils.watch.follow import follow

        deadline = Deadline.after(timeout)
        with stage(replace) as played:
            if isinstance(what, Experiment):
                if played is not None:
                    what = played.experiment(what)
                    self._plan_documents(what)
                    played.insist()
                return self._print_failure(ExecutionEngine(self.context).run(what, check=False, timeout=timeout))
            document = self._document(what)
            if played is not None:
                document = played.document(document)
                played.insist()
            name = self.client.create(document)["metadata"]["name"]
            workflow = follow(self.client, name, deadline=deadline)
            run = Run(
                name,
                self.client.namespace,
                workflow,
                self.client.link(name),
                bring=lambda folder, task, artifact: list(
                    self.client.download(name, folder, task=task, artifact=artifact)
                ),
            )
            return self._print_failure(run)

    def _print_failure(self, run: Run) -> Run:
        """Print why a run failed: pytest shows it if the test fails. When one reads that, the server is gone, and the logs with it."""
        if not run.succeeded:
            from hera_utils.runs.failure_summary import lines_with_logs

            sys.stdout.write("\n".join([*lines_with_logs(self.client, run.workflow, run.outcome), ""]))
        return run

    def plan(self, what: Any) -> str:
        """The expanded plan of a run as text for a snapshot: points, tasks with their arguments, templates. Parts that differ between
        runs, machines and versions are masked.
        """
        from hera_utils.experiment.experiment import Experiment
        from hera_utils.testing.snapshot import text_of

        if not isinstance(what, Experiment):
            return text_of([self._document(what)], None)
        return text_of(self._plan_documents(what), what.inputs)

    def _plan_documents(self, experiment: Experiment) -> list[Json]:
        """The documents of an experiment: the workflow with all points, and the one that runs after all points, if any."""
        from hera_utils.execution.definition import document_of, environment_of
        from hera_utils.platforms.hera_binding import bind_hera

        environment, layout = environment_of(experiment, self.context), experiment.made_layout()
        with bind_hera(self.connection, insist=True):
            return [
                document_of(define(environment, experiment.inputs, layout))
                for define in (experiment.workflow, experiment.gather)
                if define is not None
            ]

    def claim(self, name: str) -> Path:
        """The folder of a claim, to put files there before a run or to read them after it."""
        from hera_utils.experiment.environment import Environment, PersistedVolume
        from hera_utils.platforms.provision import provision

        environment = Environment(persisted_volume=PersistedVolume(name))
        (change,) = provision(self.cluster, environment, state=self.context.state, folders=self.context.volumes)
        return Path(change.where)

    def logs(self, run: Run, task: str | None = None) -> list[str]:
        """The log lines of the tasks of a run, or of one task."""
        from hera_utils.argo.names import pod_name

        pod = None
        if task is not None:
            node = next(node for node in run.workflow["status"]["nodes"].values() if node["displayName"] == task)
            pod = pod_name(run.name, node["name"], node.get("templateName", ""), node["id"])
        return [line for _, line in self.client.logs(run.name, pod=pod)]

    def _document(self, what: Any) -> Json:
        from hera_utils.execution.definition import document_of
        from hera_utils.platforms.hera_binding import bind_hera, stamp_of

        with bind_hera(self.connection, stamp=stamp_of(self.context, script=""), insist=True):
            return document_of(what)


@contextmanager
def private_server() -> Iterator[Path]:
    """A local server with its own state folder for the duration of the block; yields the folder."""
    from hera_utils.local_platform import daemon
    from hera_utils.local_platform.server import Serving

    with tempfile.TemporaryDirectory(prefix="hera-utils-", ignore_cleanup_errors=True) as folder:
        state = Path(folder) / "state"
        daemon.start_or_join(state, Serving(port=0, idle_seconds=_IDLE_SECONDS))
        try:
            yield state
        finally:
            daemon.stop(state)


def settings(state: Path, namespace: str) -> CLIContext:
    """The settings of a private platform, without the user's own files and variables."""
    from hera_utils.settings.sources import Surroundings, read_settings

    around = Surroundings(
        environ={name: os.environ[name] for name in _KEPT if name in os.environ}, directory=Path.cwd(), home=state
    )
    given = {"platform": "local", "state": str(state), "argo_namespace": namespace, "runs": str(state.parent / "runs")}
    return read_settings(given, around=around)


@pytest.fixture(scope="session")
def hera_utils_server() -> Iterator[Path]:
    """The state folder of the test session's private server."""
    with private_server() as state:
        yield state


@pytest.fixture
def local_platform(hera_utils_server: Path) -> Iterator[PrivatePlatform]:
    """A local platform for this test: its own namespace on the session's private server."""
    import secrets

    namespace = f"test-{secrets.token_hex(4)}"
    everywhere = PrivatePlatform(settings(hera_utils_server, "default"))
    everywhere.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    platform = PrivatePlatform(settings(hera_utils_server, namespace))
    try:
        yield platform
    finally:
        everywhere.cluster.delete("Namespace", namespace)
        for private_platform in (platform, everywhere):
            private_platform.client.close()
