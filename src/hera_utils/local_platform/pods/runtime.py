"""The interface of runtimes: launch a pod, end it, reattach to it after a restart, read its logs. It is a kubelet and Argo's executor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from hera_utils.errors import HeraUtilsError
from hera_utils.interpreter.events import Event

Json = dict[str, Any]
AT_HAND = 256
"""How many waiting pods are kept in memory as a whole; the others are read from the journal again when their turn comes."""
_NOTHING: Json = {}  # shared by all stubs
PullSecrets = Callable[[], tuple[Json, ...]]
Again = Callable[[str], "Launch | None"]
Report = Callable[[str, Event], None]
"""Called by a runtime, from any thread, with (run uid, event): PodStarted, PodProgressed, PodWaiting and finally one PodFinished."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A pod to run, with everything that it refers to already looked up. JSON data throughout, so that it can be kept on disk.

    pod, template, include_script_output: as in interpreter.commands.LaunchPod; pod["metadata"]["uid"] is set.
    claims: claim name → folder of this machine. config_maps, secrets: name → {key: text} (a secret's already base64-decoded, its
    bytes as latin-1).
    places: {"inputs" | "outputs": {artifact's name: place}, "logs", "source" (of a data template): place} of the artifacts that are
    not in the platform's own store; a place is what artifacts/locations.place_of returns, with the values of the secrets that it names.
    pull_secrets: gives the secrets with which its images are pulled, as the API has them now; only the server sees them.
    annotations: the workflow's (hera-utils/python, hera-utils/script, hera-utils/directory say where a @script() task comes from).
    again: reads the launch of a pod's uid from the journal once more; None when the pod is not to be started now.
    whole: whether nothing was left out to save memory; otherwise `again` is called when the pod starts.
    """

    run_uid: str
    node_id: str
    pod: Json
    template: Json
    include_script_output: bool = False
    claims: dict[str, str] = field(default_factory=dict)
    config_maps: dict[str, dict[str, str]] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    places: Json = field(default_factory=dict)
    pull_secrets: PullSecrets = tuple
    again: Again | None = None
    whole: bool = True

    def stub(self) -> Launch:
        """What is kept of a launch far back in the queue: only its identity, when `again` can give the rest."""
        if self.again is None:
            return self
        none = _NOTHING
        return Launch(
            self.run_uid, self.node_id, none, none, False, none, none, none, none, none, again=self.again, whole=False
        )

    def without_objects(self) -> Launch:
        """What is kept of a launch that a worker has: no texts of objects, which may be megabytes, when `again` can give them."""
        return self if self.again is None else replace(self, config_maps=_NOTHING, secrets=_NOTHING, whole=False)


class Runtime(Protocol):
    """Thread-safe; every call returns at once. A pod is known by its uid; launching a known uid again does nothing (exactly once)."""

    def prepare(self) -> None:
        """Do in advance what the first pod would wait for. Called when the server answers requests; a second call does nothing."""

    def refusal(self) -> HeraUtilsError | None:
        """Why this machine can run no pod at all; None if it can, or if that is not known yet."""

    def launch(self, launch: Launch) -> None:
        """Queue the pod; it starts when the machine has the cores and the memory that it requests. Reports follow."""

    def kill(self, pod_uid: str, *, grace: float = 30.0, force: bool = False) -> None:
        """SIGTERM to the containers, SIGKILL to the whole process tree after `grace` seconds (at once with force)."""

    def reattach(self, launch: Launch) -> None:
        """After a restart: report the state of a pod that an earlier server launched; launch it if it never started."""

    def logs(
        self, pod_uid: str, container: str, *, follow: bool = False, tail: int | None = None
    ) -> Iterator[tuple[float, str]]:
        """(time, line without its newline) of a container, oldest first: its last `tail` lines; with follow, until the container ends.

        With follow, (0.0, "") comes whenever there is nothing new: the reader closes the iterator, or waits a little and reads on.
        """

    def waiting(self) -> dict[str, dict[str, str]]:
        """{run uid: {node id: why it waits}} of the pods in the queue. Called whenever a run is read, so it must be cheap."""

    def forget(self, pod_uid: str) -> None:
        """Remove the pod's folder (its logs and private files)."""

    def close(self) -> None:
        """Stop watching. Running pods continue by themselves."""
