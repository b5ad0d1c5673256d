"""The conditions that a resource template waits for: gjson paths in a label selector. object_paths.py and jq.py read its outputs.

Pure. Source: Argo's matchConditions (workflow/executor/resource.go).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hera_utils.argo.selectors import LabelSelector, Requirement
from hera_utils.errors import InvalidWorkflow


class Fields(Mapping[str, str]):
    """The fields of an object, read like labels: `status.phase`, `spec.items.0.name`, `spec.items.#`."""

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
            elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
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


def check_conditions(document: Any, success: LabelSelector, failure: LabelSelector) -> bool:
    """Whether all success conditions hold. Raises InvalidWorkflow with Argo's message when a failure condition holds."""
    fields = Fields(document)
    for requirement in failure.requirements:
        if requirement.matches(fields):
            raise InvalidWorkflow(f"failure condition '{condition_text(requirement)}' evaluated true")
    return all(requirement.matches(fields) for requirement in success.requirements)


def condition_text(requirement: Requirement) -> str:
    """A requirement as Argo's messages write it: in Go's format of a struct."""
    values = sorted(requirement.values)
    return f"{{{requirement.key} {requirement.operator} [{' '.join(values)}]}}"


def as_text(value: Any) -> str:
    """A value as text: strings unchanged, null as "", other values as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, separators=(",", ":"))
