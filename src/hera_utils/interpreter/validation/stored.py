"""Kubernetes' checks when it stores a document that Argo's server has accepted: violations of the custom resource's schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hera_utils.argo.definitions import NOT_CHECKED
from hera_utils.argo.faults import INVALID_ARGUMENT
from hera_utils.errors import Refused

Json = dict[str, Any]


def check_stored(document: Json, kind: str = "Workflow") -> None:
    """Check a document with its final name; lint does not do this. Raises Refused with Kubernetes' message.

    An example is an empty group of steps: Argo's server stores null, where the schema requires a list.
    """
    faults = [
        f'{path}: Invalid value: "null": {path} in body must be of type array: "null"'
        for path in _empty_groups(document.get("spec") or {}, "spec")
    ]
    if faults:
        name = (document.get("metadata") or {}).get("name", "")
        raise Refused(
            INVALID_ARGUMENT,
            f'{kind}.argoproj.io "{name}" is invalid: [{", ".join([*faults, NOT_CHECKED])}]',
            reason="Invalid",
        )


def _empty_groups(spec: Mapping[str, Any], path: str) -> Iterator[str]:
    if spec.get("workflowSpec"):
        yield from _empty_groups(spec["workflowSpec"], f"{path}.workflowSpec")
    for number, template in enumerate(spec.get("templates") or ()):
        for index, group in enumerate(template.get("steps") or ()):
            if group is None:
                yield f"{path}.templates[{number}].steps[{index}]"
