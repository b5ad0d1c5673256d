"""JSONPath as Argo's `jsonpath(text, path)` has it (evilmonkeyinc/jsonpath 0.8.1). First version: names, indices, wildcards, slices."""

from __future__ import annotations

from typing import Any

from hera_utils.expressions.functions import from_json
from hera_utils.expressions.values import Failure


def query_text(text: Any, path: Any) -> Any:
    """The query over JSON text. Raises Failure."""
    return query(from_json(text), path)


def query(value: Any, path: str) -> Any:
    raise Failure(f"jsonpath: not supported yet: {path}")
