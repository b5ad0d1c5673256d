"""Requests for mutexes and semaphores: a node or workflow stays Pending until the controller grants its locks (Argo: synchronization).

`run.memory["locks"]` has the holders that asked for locks or have them: "" is the workflow itself, else the id of a node.
`run.memory["full_locks"]` has the lock for which a node waits, and how many may hold it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import phases, timestamps
from hera_utils.interpreter import limits, new_nodes, unopened
from hera_utils.interpreter.commands import AskLock, ReleaseLock
from hera_utils.interpreter.events import LockAnswered
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.frames import Frame
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

_ASKED, _HELD = "asked", "held"


def ask_for_locks(context: Context, holder: str, synchronization: Json) -> None:
    """Ask for locks, unless they were asked for before."""
    states: dict[str, str] = context.run.memory.setdefault("locks", {})
    if holder not in states:
        states[holder] = _ASKED
        created = timestamps.seconds(context.document["metadata"].get("creationTimestamp"))
        context.say(AskLock(holder, synchronization, int(context.spec.get("priority") or 0), created))


def holds_locks(context: Context, holder: str) -> bool:
    return bool((context.run.memory.get("locks") or {}).get(holder) == _HELD)


def waits_for_locks(context: Context, holder: str) -> bool:
    return bool((context.run.memory.get("locks") or {}).get(holder) == _ASKED)


def awaits_answer(context: Context, node_id: str) -> bool:
    """Whether a call that had room asked for its locks or a cache and has no answer yet; it keeps the locks that it holds."""
    if f"memo:{node_id}" in (context.run.memory.get("asked") or {}):
        return True
    return waits_for_locks(context, node_id) and f"lock:{node_id}" not in context.answers


def any_may_be_granted(context: Context) -> bool:
    """Whether a holder waits for a lock that is not held by this run alone, so that another run may release it."""
    states: dict[str, str] = context.run.memory.get("locks") or {}
    return any(state == _ASKED and _own_lock(context, holder) is None for holder, state in states.items())


def waits_for_itself(context: Context) -> list[tuple[str, str]]:
    """(id of a node, name of the lock that it waits for and that this run alone holds)."""
    states: dict[str, str] = context.run.memory.get("locks") or {}
    locks = ((holder, _own_lock(context, holder)) for holder, state in states.items() if state == _ASKED)
    return [(holder, lock) for holder, lock in locks if lock is not None]


def _own_lock(context: Context, holder: str) -> str | None:
    """The lock for which a holder waits, if all its present holders belong to this run; else None."""
    name, limit = (context.run.memory.get("full_locks") or {}).get(holder) or ("", 0)
    if not limit:
        return None
    status = context.document["status"].get("synchronization") or {}
    holders = [
        holding["holder"] for holding in (status.get("mutex") or {}).get("holding") or () if holding["mutex"] == name
    ]
    for holding in (status.get("semaphore") or {}).get("holding") or ():
        if holding["semaphore"] == name:
            holders += holding["holders"]
    return name if len(set(holders)) >= limit else None


def acquire(context: Context, frame: Frame, node: Json | None) -> bool:
    """Whether the frame's node has its locks; asks for them the first time. Raises Fault if they can never be granted."""
    synchronization = frame.template.get("synchronization")
    if not synchronization:
        return True
    holder = frame.node_id
    answer = context.answers.pop(f"lock:{holder}", None)
    if holds_locks(context, holder):
        if node is not None and node.get("synchronizationStatus"):
            context.ledger.change(node, synchronizationStatus=None, message=None)
        return True
    if answer is None:
        ask_for_locks(context, holder, synchronization)
    elif answer.status.get("error"):
        context.run.memory["locks"].pop(holder, None)
        raise Fault(str(answer.status["error"]))
    else:
        if node is None:
            node = new_nodes.new_node(context, frame, new_nodes.node_type(context, frame.template), phases.PENDING)
        waiting = {"waiting": answer.status.get("waiting", "")}
        context.ledger.change(node, synchronizationStatus=waiting, message=answer.message)
        if reason := limits.reason_to_end(context, frame.on_exit):
            context.ledger.mark(node, phases.FAILED, reason)
        else:
            limits.check_pending(context, frame.template, node)
    return False


def take_answer(context: Context, event: LockAnswered) -> bool:
    """Process an answer; returns False if nothing waits for it any longer."""
    states: dict[str, str] = context.run.memory.get("locks") or {}
    if event.holder not in states:
        return False
    if event.granted:
        states[event.holder] = _HELD
        _note_holding(context, event)
        context.run.memory.get("full_locks", {}).pop(event.holder, None)
    elif event.status.get("limit"):
        _note_waiting(context, event.status.get("holders") or {})
        full = [event.status["waiting"], event.status["limit"]]
        context.run.memory.setdefault("full_locks", {})[event.holder] = full
    context.answers[f"lock:{event.holder}"] = event
    return True


def _note_holding(context: Context, event: LockAnswered) -> None:
    """Add the locks that the workflow holds to status.synchronization."""
    status = context.document["status"].setdefault("synchronization", {})
    holder = _key(context, event.holder)
    for name in event.status.get("holding") or ():
        if "/Mutex/" in name:
            status.setdefault("mutex", {}).setdefault("holding", []).append({"mutex": name, "holder": holder})
        else:
            holding = status.setdefault("semaphore", {}).setdefault("holding", [])
            entry = next((candidate for candidate in holding if candidate["semaphore"] == name), None)
            if entry is None:
                entry = {"semaphore": name, "holders": []}
                holding.append(entry)
            entry["holders"].append(holder)


def _note_waiting(context: Context, holders: dict[str, list[str]]) -> None:
    """Add the holders of a lock when the workflow first waited for it to status.synchronization; as in Argo, they stay to its end."""
    status = context.document["status"].setdefault("synchronization", {})
    for name, keys in holders.items():
        kind = "mutex" if "/Mutex/" in name else "semaphore"
        waiting = status.setdefault(kind, {}).setdefault("waiting", [])
        if not any(entry[kind] == name for entry in waiting):
            waiting.append({kind: name, **({"holder": keys[0]} if kind == "mutex" else {"holders": keys})})


def _key(context: Context, holder: str) -> str:
    """Argo's name of a holder: `namespace/workflow`, or `namespace/workflow/id of the node`."""
    workflow = f"{context.run.namespace}/{context.run.name}"
    return f"{workflow}/{holder}" if holder not in ("", context.run.name) else workflow


def release(context: Context, holder: str) -> None:
    """Release the locks of a node or workflow that is over."""
    states: dict[str, str] = context.run.memory.get("locks") or {}
    if states.pop(holder, None) is None:
        return
    context.run.memory.get("full_locks", {}).pop(holder, None)
    context.answers.pop(f"lock:{holder}", None)
    context.say(ReleaseLock(holder))
    status = context.document["status"].get("synchronization") or {}
    holder_name = _key(context, holder)
    mutex = status.get("mutex")
    if mutex:
        mutex["holding"] = [entry for entry in mutex.get("holding") or () if entry["holder"] != holder_name]
    for one in (status.get("semaphore") or {}).get("holding") or ():
        one["holders"] = [name for name in one["holders"] if name != holder_name]


def release_unused(context: Context, holder: str) -> None:
    """Release locks that were granted when nothing needed them any longer, or when there was no room to use them."""
    opened = holder in context.frames or holder in context.held or context.plans_nothing()
    if holds_locks(context, holder) and not opened:
        release(context, holder)


def release_without_room(context: Context, holder: str) -> None:
    """Release the locks of a node without room to open, as others may wait for them. A mere request keeps its place in the queue."""
    if holds_locks(context, holder):
        release(context, holder)


def release_ended(context: Context) -> None:
    """Release the locks of all nodes that ended since the last call."""
    touched, context.ledger.touched = context.ledger.touched, set()
    memory = context.run.memory
    if not memory.get("locks") and not memory.get("unopened"):
        return
    for node_id in touched:
        node = context.ledger.get(node_id)
        if node is not None and phases.has_ended(node):
            unopened.forget(context, node_id)
            if node.get("synchronizationStatus"):
                context.ledger.change(node, synchronizationStatus=None)
            release(context, node_id)
            if node["type"] == "Pod":
                continue  # nothing is called within it
            for holder in unopened.within(context.run, node["name"]):
                unopened.forget(context, holder)
                release(context, holder)


def release_all(context: Context) -> None:
    for holder in list(context.run.memory.get("locks") or ()):
        release(context, holder)
    context.document["status"].pop("synchronization", None)
