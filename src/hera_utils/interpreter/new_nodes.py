"""Creates nodes: their type, first fields, and the name of the pod."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hera_utils.argo import names
from hera_utils.interpreter.frames import Frame, TemplateCall
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.templates import POD_KINDS, kind_of

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

NODE_TYPES = {
    "steps": "Steps", "dag": "DAG", "suspend": "Suspend", "http": "HTTP", "plugin": "Plugin", **dict.fromkeys(POD_KINDS, "Pod"),
}  # fmt: skip


def retry_strategy(context: Context, template: Json) -> Json | None:
    """The template's own retry strategy, else the workflow's."""
    own = template.get("retryStrategy")
    strategy: Json | None = own if own is not None else context.spec.get("retryStrategy")
    return strategy


def node_type(context: Context, template: Json) -> str:
    """The type of a template's node."""
    return "Retry" if retry_strategy(context, template) is not None else NODE_TYPES[kind_of(template)]


def new_node(context: Context, frame: Frame, kind: str, phase: str) -> Json:
    """Create the node of a frame, with the values of its inputs."""
    template = frame.template
    inputs = template.get("inputs") or {}
    fields: Json = {"inputs": inputs if inputs.get("parameters") or inputs.get("artifacts") else None}
    memoize = template.get("memoize")
    if memoize:
        cached = ((memoize.get("cache") or {}).get("configMap") or {}).get("name", "")
        fields["memoizationStatus"] = {"hit": False, "key": memoize.get("key", ""), "cacheName": cached}
    return add_node(context, frame.call, kind, phase, **fields)


def add_node(context: Context, call: TemplateCall, kind: str, phase: str, message: str = "", **fields: Any) -> Json:
    # a hook that is retried has in Argo one flag with its attempts
    flag = {**call.flag, "retried": True} if kind == "Retry" and call.flag else call.flag
    return context.ledger.add(
        call.name,
        kind,
        phase,
        templateName=call.holder.get("template"),
        templateRef=call.holder.get("templateRef"),
        templateScope=str(call.home),
        boundaryID=call.boundary,
        message=message,
        nodeFlag=flag,
        **fields,
    )


def pod_name_of(context: Context, node_name: str, template: str) -> str:
    version = names.pod_name_format(context.document)
    return names.pod_name(context.run.name, node_name, template, context.ledger.id_of(node_name), version=version)


def pod_name(context: Context, node: Json) -> str:
    """The name of a node's pod."""
    template = node.get("templateName") or (node.get("templateRef") or {}).get("template") or ""
    return pod_name_of(context, node["name"], template)
