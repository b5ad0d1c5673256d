"""Processes the answers to the interpreter's questions: a lock is granted or not yet, a config map has been read."""

from __future__ import annotations

from hera_utils.argo import phases
from hera_utils.interpreter import events, finish, lock_requests, start
from hera_utils.interpreter.walk import Walk


def lock_answered(walk: Walk, event: events.LockAnswered) -> None:
    """A lock was granted, or its holder has to wait."""
    if not lock_requests.take_answer(walk, event):
        return
    if event.status.get("bug"):
        finish.fail(walk, event.status["error"])
        return
    if event.holder:
        walk.reopen(event.holder)
        walk.answers.pop(f"lock:{event.holder}", None)
        lock_requests.release_unused(walk, event.holder)
    elif event.granted:
        walk.answers.clear()
        start.go_on(walk)
    elif event.status.get("error"):
        finish.close(walk, phases.FAILED, f"Failed to acquire the synchronization lock. {event.status['error']}")
    elif walk.run.phase in ("", phases.PENDING):
        finish.set_phase(walk, phases.PENDING, event.message)


def object_read(walk: Walk, event: events.ObjectRead) -> None:
    """A config map has been read."""
    awaited = walk.run.memory.get("asked") or {}
    if awaited.pop(event.key, None) is None:
        return
    kind, _, node_id = event.key.partition(":")
    if kind == "repository":
        start.repository_read(walk, event)
    else:
        walk.answers[event.key] = event
        walk.reopen(node_id)
        walk.answers.pop(event.key, None)  # a node without room asks again later, as the cache may have changed by then
