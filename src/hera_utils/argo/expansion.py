"""Kubernetes' `$(NAME)` in commands, arguments and values of variables: known names are replaced, `$$` is a dollar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# The name is everything in the parentheses, even $$; a reference without a value stays as it is.
_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")


def expand(value: Any, variables: Mapping[str, str]) -> Any:
    """The value with the references in all its texts replaced."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: _expand_match(found, variables), value) if "$" in value else value
    if isinstance(value, list):
        return [expand(one, variables) for one in value]
    if isinstance(value, dict):
        return {key: expand(one, variables) for key, one in value.items()}
    return value


def _expand_match(match: re.Match[str], variables: Mapping[str, str]) -> str:
    return "$" if match[0] == "$$" else variables.get(match[1], match[0])
