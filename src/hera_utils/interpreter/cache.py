"""Memoization: outputs of an earlier execution of a template, kept in a config map (Argo: controller/cache)."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from hera_utils.argo import durations, phases, timestamps
from hera_utils.interpreter import new_nodes, unopened
from hera_utils.interpreter.commands import ReadObject, WriteObject
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.frames import Frame
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.values import text_of

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

_KEY = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*\Z")
_LONGEST_KEY = 253
_HELP = "https://argo-workflows.readthedocs.io/en/latest/memoization/#faqs"
_LABEL = "workflows.argoproj.io/configmap-type"


def look_up(context: Context, frame: Frame, node: Json | None) -> bool:
    """Whether the cache has answered. After a hit the node exists, is over, and has the cached outputs.

    Raises Fault for an illegal key or a config map that is not a cache.
    """
    memoize = frame.template.get("memoize")
    if not memoize or (node is not None and not unopened.waits(context.run, frame.node_id)):
        return True
    key, name = text_of(memoize.get("key", "")), _cache_name(memoize)
    question = f"memo:{frame.node_id}"
    if question not in context.answers:
        if not _KEY.match(key):
            raise Fault(f"invalid cache key: {key}")
        if not name:
            raise Fault("resource name may not be empty")
        context.ask(question, ReadObject(question, "ConfigMap", name))
        return False
    document = context.answers.pop(question)
    entry = _entry(document.document, key) if document.document is not None else None
    longest = _longest_age(memoize)
    if entry is None or not entry.get("nodeID") or _age_of(context, entry) > longest:
        return True
    if node is None:
        node = new_nodes.new_node(context, frame, new_nodes.node_type(context, frame.template), phases.PENDING)
    context.ledger.change(
        node, outputs=entry.get("outputs"), memoizationStatus={"hit": True, "key": key, "cacheName": name}
    )
    context.ledger.mark(node, phases.SUCCEEDED)
    entry["lastHitTimestamp"] = timestamps.text(context.ledger.now)
    _write(context, name, key, entry)
    return True


def _cache_name(memoize: Json) -> str:
    return str(((memoize.get("cache") or {}).get("configMap") or {}).get("name", ""))


def _entry(document: Json, key: str) -> Json | None:
    label = ((document.get("metadata") or {}).get("labels") or {}).get(_LABEL)
    if label is None:
        raise Fault(f"memoization configmap doesn't have {_LABEL} label, refusing to use it")
    if label != "Cache":
        raise Fault(f"memoization configmap doesn't have label {_LABEL} = Cache, refusing to use it")
    text = (document.get("data") or {}).get(key)
    if not text:
        return None
    try:
        entry: Json = json.loads(text)
    except ValueError as error:
        raise Fault(f"malformed cache entry: could not unmarshal JSON; unable to parse: {error}") from None
    return entry


def _longest_age(memoize: Json) -> float:
    """The seconds for which an entry is valid. Raises Fault for an illegal text, even without an entry, as in Argo."""
    try:
        return durations.seconds(str(memoize["maxAge"])) if memoize.get("maxAge") else math.inf
    except durations.DurationError as error:
        raise Fault(f"invalid maxAge: {error}") from None


def _age_of(context: Context, entry: Json) -> float:
    return context.ledger.now - timestamps.seconds(entry.get("creationTimestamp"))


def key_fault(node: Json) -> str:
    """The reason why Kubernetes would refuse to store a node's outputs: the key is not legal in a config map; "" if it is."""
    status = node.get("memoizationStatus") or {}
    key, name = status.get("key", ""), status.get("cacheName", "")
    if len(key) <= _LONGEST_KEY or status.get("hit"):
        return ""
    wrong = f'data[{key}]: Invalid value: "{key}": must be no more than {_LONGEST_KEY} characters'
    return f'error creating cache entry: ConfigMap "{name}" is invalid: {wrong}. Please check out this page for help: {_HELP}'


def save(context: Context, node: Json) -> None:
    """Cache the outputs of a node that succeeded, unless they come from the cache."""
    status = node.get("memoizationStatus")
    if not status or status.get("hit") or node["type"] == "Retry" or node["phase"] != phases.SUCCEEDED:
        return
    if key_fault(node):
        return  # in Argo steps and DAGs succeed even if their outputs cannot be stored
    now = timestamps.text(context.ledger.now)
    outputs = node.get("outputs")
    entry = {"nodeID": node["id"], "outputs": outputs, "creationTimestamp": now, "lastHitTimestamp": now}
    _write(context, status["cacheName"], status["key"], entry)


def _write(context: Context, name: str, key: str, entry: Json) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": context.run.namespace, "labels": {_LABEL: "Cache"}},
        "data": {key: json.dumps(entry, separators=(",", ":"), ensure_ascii=False)},
    }
    context.say(WriteObject(document))
