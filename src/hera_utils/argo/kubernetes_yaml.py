"""Reads YAML as Kubernetes and the argo command do, through Go's JSON. Source: sigs.k8s.io/yaml, goyaml.v2/resolve.go.

For PyYAML `12:30` is 750 and `1e-3` a text; for Go the first is a text and the second a number. A date stays a text.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_NUMBER = re.compile(r"^(?:[-+]_*)?\.?[0-9][0-9a-fA-FxXoO_.+-]*$")
"""Scalars that may be numbers; the constructor decides."""
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BOOLEANS = {"y", "yes", "on", "true"} | {"n", "no", "off", "false"}
_BOOLEAN = re.compile("^(?:" + "|".join(f"{word}|{word.capitalize()}|{word.upper()}" for word in _BOOLEANS) + ")$")
_MOST_INTEGER, _LEAST_INTEGER = 2**64, -(2**63)
_LARGEST_WITHOUT_EXPONENT = 1e21


class Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """PyYAML's loader with Go's rules for plain scalars, and for keys, which are texts in JSON (`y: 1` is `"true": 1`)."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
        return {_key(key, node): value for key, value in super().construct_mapping(node, deep).items()}


def _key(key: Any, node: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, (int, float)):
        return f"{key:g}" if isinstance(key, float) else str(key)
    raise yaml.constructor.ConstructorError(None, None, f"unsupported map key: {key}", node.start_mark)


def _number(loader: Any, node: Any) -> Any:
    text = loader.construct_scalar(node)
    value = number(text)
    return text if value is None else value


def number(text: str) -> int | float | None:
    """The number of a plain scalar, None if it is a text."""
    plain = text if text.startswith(".") and text.endswith("_") else text.replace("_", "")
    try:
        # For Go a leading zero means octal.
        whole = int(re.sub(r"^([-+]?)0([0-9]+)$", r"\g<1>0o\2", plain), 0)
    except ValueError:
        whole = None
    if whole is not None and _LEAST_INTEGER <= whole < _MOST_INTEGER:
        return whole
    if not _FLOAT.fullmatch(plain):
        return None
    value = float(plain)
    if value in (float("inf"), float("-inf")):
        return None
    return int(value) if value.is_integer() and abs(value) < _LARGEST_WITHOUT_EXPONENT else value


def _boolean(loader: Any, node: Any) -> bool:
    return str(loader.construct_scalar(node)).lower() in ("y", "yes", "on", "true")


def _not_finite(loader: Any, node: Any) -> Any:
    text = str(loader.construct_scalar(node)).lower()
    word = "NaN" if "nan" in text else "-Inf" if text.startswith("-") else "+Inf"
    raise yaml.constructor.ConstructorError(None, None, f"json: unsupported value: {word}", node.start_mark)


def _binary(loader: Any, node: Any) -> str:
    try:
        return base64.b64decode(loader.construct_scalar(node)).decode("utf-8", "replace")
    except ValueError:
        raise yaml.constructor.ConstructorError(
            None, None, "!!binary value contains invalid base64 data", node.start_mark
        ) from None


Loader.yaml_implicit_resolvers = {}
Loader.add_implicit_resolver(f"{_TAG}float", _NUMBER, list("-+.0123456789"))
Loader.add_implicit_resolver(f"{_TAG}bool", _BOOLEAN, list("yYnNoOtTfF"))
Loader.add_implicit_resolver(f"{_TAG}null", re.compile("^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
Loader.add_implicit_resolver(f"{_TAG}merge", re.compile("^<<$"), ["<"])
_NOT_FINITE = "!not-finite"
Loader.add_implicit_resolver(_NOT_FINITE, re.compile(r"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"), list("-+."))
Loader.add_constructor(f"{_TAG}float", _number)
Loader.add_constructor(f"{_TAG}int", _number)
Loader.add_constructor(f"{_TAG}bool", _boolean)
Loader.add_constructor(f"{_TAG}binary", _binary)
Loader.add_constructor(f"{_TAG}merge", lambda loader, node: loader.construct_scalar(node))
Loader.add_constructor(_NOT_FINITE, _not_finite)
