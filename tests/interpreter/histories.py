"""Random histories of random workflows: pods that start, end, fail and report twice, timers, and users who stop, suspend, resume, set and
retry. A history is a list of whole numbers; what it means depends on nothing but the run, so that it can be told again in another mode.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import playbook
from hypothesis import strategies as st

from hera_utils.errors import Refused
from hera_utils.interpreter import commands as c
from hera_utils.interpreter import events as e

Json = dict[str, Any]
ENDED = {"Succeeded", "Failed", "Error", "Skipped", "Omitted"}
MOST_STEPS = 1000
OUTPUTS = {"parameters": [{"name": "made", "value": "it"}]}
USERS = ("suspend", "resume", "stop", "terminate", "set", "resume-node", "stop-node")


def pausing(draw: st.DrawFn) -> Json:
    """A template that waits for a user, or for a while."""
    template: Json = {"name": "pause", "inputs": {"parameters": [{"name": "x", "default": "d"}]}, "suspend": {}}
    if draw(st.booleans()):
        template["suspend"] = {"duration": draw(st.sampled_from(["3", "20s"]))}
    if draw(st.booleans()):
        template["outputs"] = {"parameters": [{"name": "given", "valueFrom": {"supplied": {}, "default": "nothing"}}]}
    return template


def calls(template: Json) -> list[Json]:
    """The steps or tasks of a template."""
    tasks = (template.get("dag") or {}).get("tasks", ())
    return [*tasks, *(step for group in template.get("steps", ()) for step in group)]


def fails(name: str, seed: int) -> int:
    """The exit code of a node's pod, the same in every replay."""
    return 1 if hashlib.sha256(f"{name}/{seed}".encode()).digest()[0] < 60 else 0


@dataclass
class Telling:
    """One telling of a history. story: the run as it looked after each step. users: how often a user acts, in percent."""

    spec: Json
    choices: list[int]
    seed: int
    mode: str = "live"
    users: int = 10
    story: list[Json] = field(default_factory=list)
    happened: list[e.Event] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    retries: int = 0

    def __post_init__(self) -> None:
        self.started: set[str] = set()
        self.play = playbook.Play(playbook.workflow(self.spec), self.mode)
        self.happened.append(e.Submitted(playbook.START, "seed"))
        self.story.append(self.play.picture())

    def tell(self) -> Telling:
        for index in range(MOST_STEPS):
            number = self.choices[index % len(self.choices)] + 7919 * (index // len(self.choices))
            if not self._step(number):
                break
            self.story.append(self.play.picture())
        return self

    # --- one thing happens ----------------------------------------------------------------------------------------
    def _step(self, number: int) -> bool:
        play = self.play
        if play.run.finished:
            if play.phase == "Succeeded" or self.retries >= 2 or number % 100 >= 10 * self.users:
                return False
            self._retry()
            return True
        if number % 100 < self.users:
            self._user(USERS[number // 100 % len(USERS)])
            return True
        possible = self._possible()
        if not possible:
            return self._tell(e.ResumeRequested(play.at + 1, "seed"))
        self._happen(possible[number // 100 % len(possible)], number)
        return True

    def _possible(self) -> list[str]:
        timers = sorted(self.play.timers)
        # Timers that are due must fire first.
        due = [key for key in timers if self.play.timers[key] <= self.play.at + 2]
        return due[:1] or sorted(self.play.active) + timers

    def _happen(self, chosen: str, number: int) -> None:
        play = self.play
        if chosen in play.timers:
            play.at = max(play.at, play.timers.pop(chosen))
            self._tell(e.TimerFired(play.at, "seed", chosen))
        elif chosen not in self.started:
            self.started.add(chosen)
            self._tell(e.PodStarted(play.at + 1, "seed", chosen, "10.0.0.1", "host"))
        else:
            play.active.remove(chosen)
            event = self._end_of(chosen)
            self._tell(event)
            if number % 7 == 0:
                self._again(event)

    def _end_of(self, node_id: str) -> e.PodFinished:
        node = self.play.run.nodes.get(node_id, {"name": node_id})
        code = fails(f"{node['name']}/{self.retries}", self.seed)
        at = self.play.at + 1
        state = e.ContainerState("main", code, "Error" if code else "Completed", "", at - 1, at)
        return e.PodFinished(
            at, "seed", node_id, "Failed" if code else "Succeeded", containers=(state,), outputs=OUTPUTS
        )

    def _again(self, event: e.PodFinished) -> None:
        """Check that a repeated event changes nothing."""
        if self.play.run.finished:
            return
        before = self.play.picture()
        self._tell(event)
        after = self.play.picture()
        for picture in (before, after):  # walking the whole again may tell the time
            picture["status"].pop("conditions", None)
        assert after == before

    def _user(self, what: str) -> None:
        at = self.play.at + 1
        events: dict[str, e.Event] = {
            "suspend": e.SuspendRequested(at, "seed"),
            "resume": e.ResumeRequested(at, "seed"),
            "stop": e.ShutdownRequested(at, "seed", "Stop"),
            "terminate": e.ShutdownRequested(at, "seed", "Terminate"),
            "set": e.SetRequested(at, "seed", "templateName=pause", "", "said", {"given": "value"}),
            "resume-node": e.ResumeRequested(at, "seed", "templateName=pause"),
            "stop-node": e.ShutdownRequested(at, "seed", "Stop", "no", "templateName=pause"),
        }
        self._tell(events[what])

    def _retry(self) -> None:
        """The run is retried in place. Pods that failing templates left behind go on, unless their nodes were taken back."""
        play = self.play
        self.retries += 1
        left = list(play.active)
        play.launched.clear()
        play.active.clear()
        play.timers.clear()
        self._tell(e.RetryRequested(play.at + 1, "seed"))
        self.started &= {*left} - {*play.launched}
        for node_id in left:
            node = play.run.nodes.get(node_id)
            if node is not None and node["phase"] not in ENDED and node_id not in play.launched:
                play.active.append(node_id)

    def _tell(self, event: e.Event) -> bool:
        """Whether the run accepted the event; a refused one changes nothing."""
        play = self.play
        before = play.picture()
        try:
            play.tell(event)
        except Refused as refusal:
            assert play.picture() == before
            self.refused.append(refusal.message)
            return False
        play.at = max(play.at, event.at)
        self.happened.append(event)
        for command in play.commands:
            if isinstance(command, c.KillPod) and command.node_id in play.active and not self._tells(command.node_id):
                play.active.remove(command.node_id)
        return True

    def _tells(self, node_id: str) -> bool:
        """Whether a pod that was killed will tell its end: only some of those that the run waits for do."""
        return node_id in (self.play.run.memory.get("killed") or {}) and not fails(f"{node_id}/tells", self.seed)


def replayed(spec: Json, happened: list[e.Event], prefix: int) -> Json:
    """The picture of a run that is told events again; after `prefix` of them it is read back from what was stored."""
    first, *rest = [e.from_json(json.loads(json.dumps(e.to_json(one)))) for one in happened]
    play = playbook.Play.__new__(playbook.Play)
    play.mode, play.at, play.launched, play.active, play.timers = "live", playbook.START, [], [], {}
    play.run = playbook.Run(json.loads(json.dumps(playbook.workflow(spec))))
    for number, event in enumerate([first, *rest]):
        if number == prefix:
            play.run = playbook.Run(json.loads(json.dumps(play.run.document)), json.loads(json.dumps(play.run.memory)))
        if isinstance(event, e.RetryRequested):
            play.launched.clear()
        play.tell(event)
    return play.picture()
