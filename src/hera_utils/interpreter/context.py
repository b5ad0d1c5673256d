"""The part of a run that planners may read, and the commands that they may give; the recursion is in walk.py."""

from __future__ import annotations

import heapq
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.expressions.entropy import Entropy
from hera_utils.interpreter import commands
from hera_utils.interpreter.frames import Frame, TemplateCall
from hera_utils.interpreter.ledger import Ledger
from hera_utils.interpreter.state import Json, Run
from hera_utils.interpreter.substitution import Variables
from hera_utils.interpreter.templates import TemplateHolder, Templates
from hera_utils.interpreter.values import plain_json


class Context:
    """Everything that is derived from a run and kept between its events.

    spec: the executed one, with `workflow.*` substituted. variables: `workflow.*`. waiting: frames with children that the
    workflow's parallelism holds back. held: node id → the frame of a call that waits for a lock or a cache before it opens.
    timers: those that are set and not due yet. later: frames that continue in the next event, because this one has taken long enough.
    opened: the amount of work in this event. rebuilds: whether all open nodes are visited to rebuild their frames. opens: whether nodes
    may be added.
    """

    def __init__(self, run: Run, spec: Json, variables: Variables) -> None:
        self.run = run
        self.document = run.document
        self.spec = spec
        self.variables = variables
        self.ledger = Ledger(run)
        self.templates = Templates(spec, run.document, run.memory.get("templates") or ())
        self.config_maps: dict[str, dict[str, str]] = run.memory.get("config_maps") or {}
        self.frames: dict[str, Frame] = {}
        self.waiting: dict[str, Frame] = {}
        self.queue: list[tuple[str, str]] = []
        self.commands: list[commands.Command] = []
        self.cache: dict[Any, Any] = {}
        self.held: dict[str, Frame] = {}
        self.answers: dict[str, Any] = {}
        self.timers: set[str] = set()
        self.later: dict[str, Frame] = {}
        self.opened = 0
        self.rebuilds = False
        self.opens = True
        self._reacts_to_starts: bool | None = None
        local = "" if run.document["spec"].get("workflowTemplateRef") else run.name
        self.home = TemplateHolder("local", local)
        self.root = Frame(TemplateCall("", {}, self.home), "", "Workflow", {}, self.home)

    # --- one event ------------------------------------------------------------------------------------------------
    def begin(self, at: float, seed: str) -> None:
        """Start a step of the interpreter at that time, with that seed for random choices."""
        self.ledger.now = at
        self.variables.entropy = Entropy(at, seed)
        self.commands = []
        self.opened = 0
        self.rebuilds = False
        self.opens = True

    def is_out_of_time(self) -> bool:
        """Whether the rest is done in a later event. Not while frames are rebuilt, which must reach all open nodes at once."""
        return not self.rebuilds and self.has_no_time()

    def is_cut_short(self, frame: Frame) -> bool:
        """Whether work of the frame, or below it, is left for a later event."""
        for left in self.later.values():
            above: Frame | None = left
            while above is not None:
                if above is frame:
                    return True
                above = above.parent
        return False

    def plans_nothing(self) -> bool:
        """Whether no node is planned, because the run is suspended or its nodes are being ended (stop.py)."""
        return bool(self.spec.get("suspend") or self.run.memory.get("ending"))

    def reacts_to_starts(self) -> bool:
        """Whether the start of a pod may change more than its own node, because the run has hooks or daemons."""
        if self._reacts_to_starts is None:
            text = plain_json([self.spec, self.run.memory.get("templates")])
            self._reacts_to_starts = '"hooks"' in text or '"daemon"' in text
        return self._reacts_to_starts

    def has_no_time(self) -> bool:
        """Whether other runs wait, and this event has done a minimum of work."""
        return self.opened >= self.run.least and self.run.is_late()

    def entropy_of(self, what: str, name: str, since: Json | None) -> Entropy:
        """The time and randomness for the expressions in a part of a node (`what`). since: the node whose start is the time of that part.

        The result is reproducible, so a restored run gets the same names and values as one that was not restored.
        """
        stamp = (since or {}).get("startedAt") or timestamps.text(self.variables.entropy.at)
        return Entropy(timestamps.seconds(stamp), f"{self.run.uid}/{what}/{name}/{stamp}")

    def say(self, command: commands.Command) -> None:
        self.commands.append(command)

    def timer(self, key: str, at: float) -> None:
        self.timers.add(key)
        self.say(commands.SetTimer(key, at))

    def ask(self, key: str, command: commands.Command) -> None:
        """Give a command that will be answered, unless it was given before."""
        requests = self.run.memory.setdefault("asked", {})
        if key not in requests:
            requests[key] = True
            self.say(command)

    def wait(self, frame: Frame, holds: bool = True) -> None:
        """Note that a limit prevents the frame from opening a node, or (holds=False) that no limit does any longer."""
        if not holds:
            self.waiting.pop(frame.node_id, None)
        elif frame.node_id not in self.waiting:
            self.waiting[frame.node_id] = frame
            heapq.heappush(self.queue, (frame.call.name, frame.node_id))
