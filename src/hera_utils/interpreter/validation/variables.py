"""The variables that a part of a template may use, as far as they are known before a run (Argo: resolveAllVariables)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from hera_utils.errors import InvalidWorkflow
from hera_utils.expressions import tags
from hera_utils.interpreter.validation.fields import is_tag

Json = dict[str, Any]

# Only tags with these beginnings are checked, as other text between braces may be the user's own.
_CHECKED = ("item.", "steps.", "inputs.", "outputs.", "pod.", "workflow.", "tasks.")
# Known only in the run, so never refused. `outputs.`: metrics use those of their own node.
_LATER = (
    "outputs.", "workflow.creationTimestamp", "workflow.scheduledTime", "workflow.duration",
    "tasks.name", "steps.name", "node.name",
)  # fmt: skip

ANY_ITEM = "item.*"
ANY_OUTPUT_PARAMETER = "workflow.outputs.parameters.*"
ANY_OUTPUT_ARTIFACT = "workflow.outputs.artifacts.*"
_OUTPUTS = {"workflow.outputs.parameters.": ANY_OUTPUT_PARAMETER, "workflow.outputs.artifacts.": ANY_OUTPUT_ARTIFACT}

RETRIES = ("retries", "lastRetry.exitCode", "lastRetry.status", "lastRetry.duration", "lastRetry.message")


class CheckedScope:
    """The allowed variables (names). `global_names` is shared by the whole document and grows while it is checked."""

    def __init__(self, global_names: Mapping[str, str], *, template: bool) -> None:
        self.names: set[str] = set()
        self.global_names = global_names
        self.template = template

    def check(self, document: Any, more: Collection[str] = (), also: Callable[[str], bool] | None = None) -> None:
        """Every simple tag of the document can be resolved. Raises InvalidWorkflow `failed to resolve {{…}}`.

        more: names that are known only here; also: called with a name before it is refused.
        """
        for tag in tags.tags_in(document):
            if tag.expression or not tag.name.startswith(_CHECKED):
                continue
            is_known = tag.name in self.names or tag.name in more or tag.name in self.global_names
            if not is_known and not self._may_exist_later(tag.name, more) and not (also is not None and also(tag.name)):
                raise InvalidWorkflow(f"failed to resolve {{{{{tag.raw}}}}}")

    def _may_exist_later(self, name: str, more: Collection[str]) -> bool:
        if name.startswith("item.") and (ANY_ITEM in self.names or ANY_ITEM in more):
            return True
        for prefix, magic in _OUTPUTS.items():
            if name.startswith(prefix) and (magic in self.names or magic in self.global_names or magic in more):
                return True
        if name.startswith(_LATER):
            return True
        return self.template and name.startswith("workflow.parameters")

    def add_node(self, ref: str, template: Json | None, global_names: dict[str, str], *, many: bool) -> None:
        """Add the outputs of a step or a task (`ref`: `steps.NAME`). many: whether it is a loop, whose outputs are lists."""
        names = self.names
        names.update(f"{ref}.{fact}" for fact in ("id", "startedAt", "finishedAt", "hostNodeName"))
        if template is None:
            return
        if template.get("daemon"):
            names.add(f"{ref}.ip")
        if has_result(template):
            names.update((f"{ref}.outputs.result", f"{ref}.exitCode"))
        outputs = template.get("outputs") or {}
        for kind, magic in (("parameters", ANY_OUTPUT_PARAMETER), ("artifacts", ANY_OUTPUT_ARTIFACT)):
            for output in outputs.get(kind) or ():
                names.add(f"{ref}.outputs.{kind}.{output.get('name', '')}")
                shared = output.get("globalName")
                if shared and is_tag(shared):
                    names.add(magic)
                elif shared:
                    names.add(f"workflow.outputs.{kind}.{shared}")
                    global_names[f"workflow.outputs.{kind}.{shared}"] = tags.PLACEHOLDER + "0"
        if many:
            names.add(f"{ref}.outputs.parameters")
            if template.get("script") is not None or template.get("containerSet") is not None:
                names.update((f"{ref}.outputs.result", f"{ref}.exitCode"))


def has_result(template: Mapping[str, Any]) -> bool:
    """Whether a node of the template has a result and an exit code."""
    if any(template.get(kind) is not None for kind in ("container", "script", "data", "http", "plugin")):
        return True
    containers = (template.get("containerSet") or {}).get("containers") or ()
    return any(container.get("name") == "main" for container in containers)


def item_names(holder: Mapping[str, Any]) -> set[str]:
    """The variables `item…` within a step or a task. Raises InvalidWorkflow."""
    loops = [holder.get("withItems"), holder.get("withParam"), holder.get("withSequence")]
    if sum(1 for loop in (bool(loops[0]), bool(loops[1]), loops[2] is not None) if loop) > 1:
        raise InvalidWorkflow("only one of withItems, withParam, withSequence can be specified")
    if loops[0]:
        return _names_of_items(loops[0])
    if loops[1]:
        return {"item", ANY_ITEM}
    if loops[2] is not None:
        if loops[2].get("count") is not None and loops[2].get("end") is not None:
            raise InvalidWorkflow("only one of count or end can be defined in withSequence")
        return {"item"}
    return set()


def _names_of_items(items: Iterable[Any]) -> set[str]:
    names: set[str] = set()
    for item in items:
        if isinstance(item, dict):
            names.update(f"item.{key}" for key in item)
        elif isinstance(item, list):
            names.update(f"item.[{index}]" for index in range(len(item)))
        elif item is not None:
            names.add("item")
    return names
