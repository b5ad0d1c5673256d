"""Dialogues with the interpreter: what happens to a run, what it wants done. No pods, no clock: both are in the test."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import yaml

from hera_utils.interpreter import commands as c
from hera_utils.interpreter import events as e
from hera_utils.interpreter import stall
from hera_utils.interpreter import start as begin
from hera_utils.interpreter.advance import advance
from hera_utils.interpreter.state import Run
from hera_utils.local_platform.controller.lock_table import Holder, LockAnswer, LockTable, locks_of

BORN = "2026-01-01T00:00:00Z"
START = 1_767_225_600.0  # the same, in seconds


def workflow(spec: str | dict[str, Any], name: str = "wf", **metadata: Any) -> dict[str, Any]:
    """A workflow document as stored after its acceptance."""
    parsed = yaml.safe_load(spec) if isinstance(spec, str) else spec
    meta = {"name": name, "namespace": "default", "uid": "1234", "creationTimestamp": BORN, **metadata}
    return {"metadata": meta, "spec": parsed}


class Play:
    """One run. `launched`: node ids of pods in the order they were asked for.

    `commands`: those of the last event, `told`: its Kubernetes events. stalls: the run may come to where nothing can move it any more.
    mode: "live" keeps the run in memory; "restored" reads it back from its JSON before each event; "naive" also walks all of it
    again after each event: the oracle of the incremental walk. "hurried" does little in each event and the rest in the next ones,
    "hurried, restored" is both.
    """

    stalls = False

    def __init__(self, document: dict[str, Any], mode: str = "live", **submitted: Any) -> None:
        self.mode = mode
        self.at = START
        self.run = Run(json.loads(json.dumps(document)))
        self.launched: list[str] = []
        self.active: list[str] = []
        self.timers: dict[str, float] = {}
        self.commands: list[c.Command] = []
        self.tell(e.Submitted(self.at, "seed", **submitted))

    # --- what happens ---------------------------------------------------------------------------------------------
    def tell(self, event: e.Event) -> list[c.Command]:
        assert e.from_json(json.loads(json.dumps(e.to_json(event)))) == event
        before = json.loads(json.dumps(self.run.nodes))
        if self.mode not in ("live", "hurried"):
            self.run = Run(json.loads(json.dumps(self.run.document)), json.loads(json.dumps(self.run.memory)))
        if self.mode.startswith("hurried"):
            self.run.is_late, self.run.least = lambda: True, 1
        self.commands = advance(self.run, event)
        if self.mode == "naive" and not self.run.finished and self.run.index is not None:
            self.run.index.commands = self.commands
            self.run.index.ledger.now -= 0.5  # half a second earlier, as timers that are due now may not have fired yet
            begin.walk_again(self.run.index)
            self.commands = self.run.index.commands
        self.told = [one for one in self.commands if isinstance(one, c.EmitEvent)]
        self.commands = [one for one in self.commands if not isinstance(one, c.EmitEvent)]
        self._check_changed(before)
        assert self.stalls or stall.MESSAGE not in self.message, self.message
        for command in self.commands:
            if isinstance(command, c.LaunchPod):
                assert command.node_id not in self.launched, "launched twice"
                self.launched.append(command.node_id)
                self.active.append(command.node_id)
            elif isinstance(command, c.SetTimer):
                self.timers[command.key] = command.at
        if self.timers.pop(begin.GO_ON, None) is not None:
            commands, told = self.commands, self.told
            self.tell(e.TimerFired(max(self.at, event.at), "seed", begin.GO_ON))
            self.commands, self.told = commands + self.commands, told + self.told
        return self.commands

    def _check_changed(self, before: dict[str, Any]) -> None:
        """`run.changed` and `run.removed` name every node that differs."""
        after = json.loads(json.dumps(self.run.nodes))
        changed, removed = self.run.settle()
        touched = {key for key, node in after.items() if before.get(key) != node}
        assert touched <= changed, touched - changed
        assert {key for key in before if key not in after} <= removed

    def start(self, name: str) -> list[c.Command]:
        self.at += 1
        return self.tell(e.PodStarted(self.at, "seed", self.id(name), "10.0.0.1", "host"))

    def end(self, name: str, code: int = 0, **fields: Any) -> list[c.Command]:
        """The pod of a node ends; fields as PodFinished has them. outputs: {"parameters": {name: value}} is short for the list."""
        self.at += 1
        node_id = self.id(name)
        if node_id in self.active:
            self.active.remove(node_id)
        outputs = dict(fields.pop("outputs", {}))
        if isinstance(outputs.get("parameters"), dict):
            outputs["parameters"] = [{"name": key, "value": value} for key, value in outputs["parameters"].items()]
        reason = "Completed" if code == 0 else "Error"
        containers = (e.ContainerState("main", code, reason, "", self.at - 1, self.at),)
        phase = "Succeeded" if code == 0 else "Failed"
        fields = {"phase": phase, "containers": containers, "outputs": outputs, **fields}
        return self.tell(e.PodFinished(self.at, "seed", node_id, **fields))

    def start_and_end(self, name: str, code: int = 0) -> list[c.Command]:
        """Both are reported by one event."""
        self.at += 1
        start = e.PodStarted(self.at, "", self.id(name), "10.0.0.1", "host")
        return self.end(name, code, start=start)

    def wait(self, key: str = "") -> list[c.Command]:
        """The next timer fires (or the one with that key)."""
        chosen = key or min(self.timers, key=lambda one: self.timers[one])
        self.at = max(self.at, self.timers.pop(chosen))
        return self.tell(e.TimerFired(self.at, "seed", chosen))

    # --- what one sees --------------------------------------------------------------------------------------------
    def id(self, name: str) -> str:
        """The id of a node: by its name without the workflow's, by its display name, or as it is."""
        for node in self.run.nodes.values():
            if name in (node["id"], node["name"], node["name"].removeprefix(self.run.name), node["displayName"]):
                return str(node["id"])
        raise KeyError(name)

    def node(self, name: str) -> dict[str, Any]:
        return self.run.nodes[self.id(name)]

    def phases(self) -> dict[str, str]:
        """Name (without the workflow's) → phase."""
        return {node["name"].removeprefix(self.run.name): node["phase"] for node in self.run.nodes.values()}

    @property
    def phase(self) -> str:
        return self.run.phase

    @property
    def message(self) -> str:
        return str(self.run.document["status"].get("message", ""))

    def running(self) -> list[str]:
        """Names of the nodes with running pods, in the order of their launch."""
        return [self.run.nodes[one]["name"].removeprefix(self.run.name) for one in self.active]

    def picture(self) -> dict[str, Any]:
        """The visible state of the run, with unordered parts sorted."""
        nodes = {}
        for key, node in self.run.nodes.items():
            shown = {**node, "children": sorted(node.get("children") or ())}
            shown["outboundNodes"] = sorted(node.get("outboundNodes") or ())
            nodes[key] = shown
        status = {key: value for key, value in self.run.document["status"].items() if key not in ("nodes", "progress")}
        picture: dict[str, Any] = json.loads(json.dumps({"nodes": nodes, "status": status}))
        return picture


def _asker(answer: e.Event) -> str:
    return answer.holder if isinstance(answer, e.LockAnswered) else str(getattr(answer, "key", ""))


class Answering(Play):
    """A run whose requests are answered at once: locks from a real table, in which others may hold locks, and memoization config maps.

    late: the answers are kept in `answers` until `answer()` hands out the next one. limit: of every semaphore.
    """

    limit = 1

    def __init__(
        self, document: dict[str, Any], mode: str = "live", *, late: bool = False, cached: tuple[str, ...] = ()
    ) -> None:
        self.late = late
        self.table = LockTable()
        self.answers: list[e.Event] = []
        label = {"workflows.argoproj.io/configmap-type": "Cache"}
        entries = {key: json.dumps({"nodeID": "x", "outputs": {}, "creationTimestamp": BORN}) for key in cached}
        self.maps: dict[str, Any] = {"cache": {"metadata": {"labels": label}, "data": entries}} if cached else {}
        super().__init__(document, mode)

    def tell(self, event: e.Event) -> list[c.Command]:
        commands = super().tell(event)
        for command in commands:
            self._consider(command)
        while self.answers and not self.late:
            self.answer()
        return commands

    def answer(self) -> None:
        self.tell(self.next_answer())

    def next_answer(self) -> e.Event:
        """Deliver the answer to the first request, sorted by key, so that the order of the requests does not matter."""
        first = min(self.answers, key=_asker)
        self.answers.remove(first)
        return replace(first, at=self.at)

    def hold(self, mutex: str) -> None:
        """Another run takes a mutex."""
        self.hold_all({"mutexes": [{"name": mutex}]})

    def hold_all(self, synchronization: dict[str, Any]) -> None:
        self.table.ask(self.limit_of, Holder("other", "", "default/other"), locks_of(synchronization, "default"))

    def let_go(self) -> None:
        self._hear(self.table.release(self.limit_of, "other", ""))
        while self.answers and not self.late:
            self.answer()

    def limit_of(self, place: tuple[str, str, str]) -> int:
        return self.limit

    def _consider(self, command: c.Command) -> None:
        if isinstance(command, c.AskLock):
            name = f"default/wf/{command.holder}" if command.holder not in ("", "wf") else "default/wf"
            wanted = locks_of(command.synchronization, "default")
            self._hear([self.table.ask(self.limit_of, Holder("wf", command.holder, name), wanted)])
        elif isinstance(command, c.ReleaseLock):
            self._hear(self.table.release(self.limit_of, "wf", command.holder))
        elif isinstance(command, c.ReadObject):
            self.answers.append(e.ObjectRead(self.at, "seed", command.key, self.maps.get(command.name)))
        elif isinstance(command, c.WriteObject) and command.document["kind"] == "ConfigMap":
            known = self.maps.setdefault(command.document["metadata"]["name"], command.document)
            known["data"] = {**known["data"], **command.document["data"]}

    def _hear(self, answers: list[LockAnswer]) -> None:
        for one in answers:
            if one.holder.run == "wf":
                held = {name: self.table.holders(name) for name in one.names if self.table.holders(name)}
                waiting = {"waiting": one.waiting_for, "limit": one.limit, "holders": held}
                status = {"holding": list(one.names)} if one.granted else waiting
                self.answers.append(e.LockAnswered(self.at, "seed", one.holder.key, one.granted, one.message, status))
