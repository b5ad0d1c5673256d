"""Mutexes and semaphores: who asks for them stays Pending until they are granted (Argo: synchronization).

`run.memory["locks"]` holds who asked or holds: "" is the workflow itself, else a node's id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import phases, timestamps
from hera_utils.interpreter import new_nodes, unopened
from hera_utils.interpreter.commands import AskLock, ReleaseLock
from hera_utils.interpreter.events import LockAnswered
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.frames import Frame
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.walk import Walk

_ASKED, _HELD = "asked", "held"


def ask(walk: Walk, holder: str, synchronization: Json) -> None:
    """Ask for locks, once."""
    states: dict[str, str] = walk.run.memory.setdefault("locks", {})
    if holder not in states:
        states[holder] = _ASKED
        created = timestamps.seconds(walk.document["metadata"].get("creationTimestamp"))
        walk.say(AskLock(holder, synchronization, int(walk.spec.get("priority") or 0), created))


def held(walk: Walk, holder: str) -> bool:
    return bool((walk.run.memory.get("locks") or {}).get(holder) == _HELD)


def waits(walk: Walk, holder: str) -> bool:
    return bool((walk.run.memory.get("locks") or {}).get(holder) == _ASKED)


def any_waits(walk: Walk) -> bool:
    return _ASKED in (walk.run.memory.get("locks") or {}).values()


def acquired(walk: Walk, frame: Frame, node: Json | None) -> bool:
    """Whether the frame's node may go on; asks for its locks the first time. Raises Fault when they cannot be had at all."""
    synchronization = frame.template.get("synchronization")
    if not synchronization:
        return True
    holder = frame.node_id
    answer = walk.answers.pop(f"lock:{holder}", None)
    if held(walk, holder):
        if node is not None and node.get("synchronizationStatus"):
            walk.ledger.change(node, synchronizationStatus=None, message=None)
        return True
    if answer is None:
        ask(walk, holder, synchronization)
    elif answer.status.get("error"):
        walk.run.memory["locks"].pop(holder, None)
        raise Fault(str(answer.status["error"]))
    else:
        if node is None:
            node = new_nodes.new_node(walk, frame, new_nodes.node_type(walk, frame.template), phases.PENDING)
        waiting = {"waiting": answer.status.get("waiting", "")}
        walk.ledger.change(node, synchronizationStatus=waiting, message=answer.message)
    return False


def answered(walk: Walk, event: LockAnswered) -> bool:
    """Note an answer; False when nobody waits for it any more."""
    states: dict[str, str] = walk.run.memory.get("locks") or {}
    if event.holder not in states:
        return False
    if event.granted:
        states[event.holder] = _HELD
        _note_holding(walk, event)
    walk.answers[f"lock:{event.holder}"] = event
    return True


def _note_holding(walk: Walk, event: LockAnswered) -> None:
    """status.synchronization names the locks that the workflow holds."""
    status = walk.document["status"].setdefault("synchronization", {})
    holder = event.holder or walk.run.name
    for name in event.status.get("holding") or ():
        if "/Mutex/" in name:
            status.setdefault("mutex", {}).setdefault("holding", []).append({"mutex": name, "holder": holder})
        else:
            holding = status.setdefault("semaphore", {}).setdefault("holding", [])
            found = next((one for one in holding if one["semaphore"] == name), None)
            if found is None:
                found = {"semaphore": name, "holders": []}
                holding.append(found)
            found["holders"].append(holder)


def release(walk: Walk, holder: str) -> None:
    """Give back the locks of whoever is over."""
    states: dict[str, str] = walk.run.memory.get("locks") or {}
    if states.pop(holder, None) is None:
        return
    walk.answers.pop(f"lock:{holder}", None)
    walk.say(ReleaseLock(holder))
    status = walk.document["status"].get("synchronization") or {}
    holder_name = holder or walk.run.name
    mutex = status.get("mutex")
    if mutex:
        mutex["holding"] = [one for one in mutex.get("holding") or () if one["holder"] != holder_name]
    for one in (status.get("semaphore") or {}).get("holding") or ():
        one["holders"] = [name for name in one["holders"] if name != holder_name]


def release_unused(walk: Walk, holder: str) -> None:
    """Give back locks that were granted when nobody wanted them any more, or when there was no room to use them."""
    opened = holder in walk.frames or holder in walk.held or walk.spec.get("suspend")
    if held(walk, holder) and not opened:
        release(walk, holder)


def release_without_room(walk: Walk, holder: str) -> None:
    """What has no room to open holds no lock, which those with room may wait for. Who only asked keeps its place in the queue."""
    if held(walk, holder):
        release(walk, holder)


def release_ended(walk: Walk) -> None:
    """Give back the locks of all nodes that ended in this step of the interpreter, whoever ended them."""
    for node_id in walk.run.changed:
        node = walk.ledger.get(node_id)
        if node is not None and phases.ended(node):
            unopened.forget(walk, node_id)
            release(walk, node_id)
            for holder in unopened.within(walk.run, node["name"]):
                unopened.forget(walk, holder)
                release(walk, holder)


def release_all(walk: Walk) -> None:
    for holder in list(walk.run.memory.get("locks") or ()):
        release(walk, holder)
    walk.document["status"].pop("synchronization", None)
