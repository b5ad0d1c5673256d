"""What a resource template asks of an object: conditions (gjson paths in a label selector) and JSONPath templates; jq.py has its filters.

Pure. Sources: Argo's matchConditions (workflow/executor/resource.go), kubectl's `-o jsonpath`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hera_utils.argo.selectors import LabelSelector, Requirement
from hera_utils.errors import InvalidWorkflow

_STEP = re.compile(r"\.\.|\.?(?P<name>[A-Za-z0-9_\-$/]+)|\.?\[(?P<index>\*|-?\d+|'[^']*'|\"[^\"]*\")\]|\.(?P<star>\*)")


class Fields(Mapping[str, str]):
    """An object as labels: `status.phase`, `spec.items.0.name`, `spec.items.#`."""

    def __init__(self, document: Any) -> None:
        self._document = document

    def _find(self, path: str) -> Any:
        value = self._document
        for part in re.split(r"(?<!\\)\.", path):
            name = part.replace("\\.", ".")
            if isinstance(value, dict) and name in value:
                value = value[name]
            elif isinstance(value, list) and name == "#":
                value = len(value)
            elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
                value = value[int(name)]
            else:
                raise KeyError(path)
        return value

    def __getitem__(self, path: str) -> str:
        return as_text(self._find(path))

    def __contains__(self, path: object) -> bool:
        try:
            self._find(str(path))
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def fulfilled(document: Any, success: LabelSelector, failure: LabelSelector) -> bool:
    """Whether all success conditions hold. Raises InvalidWorkflow with Argo's message when a failure condition holds."""
    fields = Fields(document)
    for requirement in failure.requirements:
        if requirement.matches(fields):
            raise InvalidWorkflow(f"failure condition '{condition_text(requirement)}' evaluated true")
    return all(requirement.matches(fields) for requirement in success.requirements)


def condition_text(requirement: Requirement) -> str:
    """A requirement as Argo writes it: in Go's words for a struct."""
    values = sorted(requirement.values)
    return f"{{{requirement.key} {requirement.operator} [{' '.join(values)}]}}"


def as_text(value: Any) -> str:
    """A value as text: strings as they are, the rest as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, separators=(",", ":"))


def json_path(document: Any, template: str) -> str:
    """kubectl's `-o jsonpath=TEMPLATE`: text with {paths}; a field that is not there gives nothing. Raises InvalidWorkflow."""
    if template.count("{") > template.count("}"):
        raise InvalidWorkflow(f"error: error parsing jsonpath {template}, unclosed action")
    result: list[str] = []
    for literal, path in re.findall(r"([^{]*)(?:\{([^}]*)\})?", template):
        result.append(literal)
        if path:
            result.append(" ".join(as_text(value) for value in _walk(document, path.strip())))
    return "".join(result)


def _walk(document: Any, path: str) -> list[Any]:
    if path[:1] in "'\"" and path[-1:] == path[:1] and len(path) > 1:
        return [path[1:-1]]
    if path.startswith("range") or path == "end" or "?(" in path:
        raise InvalidWorkflow(f"the JSONPath {{{path}}} uses what the local platform cannot evaluate (range, filters)")
    values, place = [document], len(path) - len(path.lstrip("$@"))
    while place < len(path):
        step = _STEP.match(path, place)
        if step is None or step.group() == "..":
            if path[place:] == ".":
                break
            raise InvalidWorkflow(f"the JSONPath {{{path}}} cannot be read at {path[place:]!r}")
        place = step.end()
        values = [found for value in values for found in _step(value, step, path)]
    return values


def _step(value: Any, step: re.Match[str], path: str) -> list[Any]:
    index = step.group("index")
    if step.group("star") or index == "*":
        return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []
    name = step.group("name") or (index[1:-1] if index and index[0] in "'\"" else None)
    if name is not None:
        if isinstance(value, dict) and name in value:
            return [value[name]]
        return []
    if isinstance(value, list) and index is not None and -len(value) <= int(index) < len(value):
        return [value[int(index)]]
    raise InvalidWorkflow(f"error executing jsonpath {{{path}}}: array index out of bounds: index {index}")
