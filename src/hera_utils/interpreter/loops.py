"""Loops: one step or task for each item of withItems, withParam or withSequence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hera_utils.interpreter import substitution
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.values import go_json, item_text, plain_json, printed, text_of

_LOOPS = ("withItems", "withParam", "withSequence")
_FORMAT = re.compile(r"%([-+ 0#]*)(\d*)(?:\.(\d+))?([a-zA-Z%])")


def looped(step: Mapping[str, Any]) -> bool:
    """Whether the step stands for several."""
    return bool(step.get("withItems") or step.get("withParam") or step.get("withSequence"))


def expand(step: Json, known: substitution.Variables) -> list[Json]:
    """The steps that a looped step stands for, named `NAME(INDEX:ITEM)`. known: every variable in scope.

    Raises Fault with Argo's message when the items cannot be read and the step would run.
    """
    items = _items(step)
    bare = {key: value for key, value in step.items() if key not in _LOOPS}
    lenient = _never_runs(bare.get("when"))
    present = {key: value for key, value in known.items() if not (lenient and value is None)}
    variables = substitution.Variables(present, known.entropy)
    expanded = []
    for index, item in enumerate(items):
        added = dict(_item_variables(item))
        variables.update(added)
        one: Json = dict(substitution.replace(bare, variables, unresolved=lenient))
        for key in added:
            del variables[key]
        one["name"] = f"{step['name']}({index}:{_shown(item)})"
        if "template" in step:
            one["template"] = step["template"]
        expanded.append(one)
    return expanded


def _items(step: Json) -> list[Any]:
    if step.get("withItems"):
        return list(step["withItems"])
    try:
        if step.get("withParam"):
            return _parsed(text_of(step["withParam"]))
        return [*_sequence(step["withSequence"])]
    except Fault:
        if _never_runs(step.get("when")):
            return []
        raise


def _parsed(text: str) -> list[Any]:
    try:
        items = json.loads(text)
    except ValueError as error:
        raise Fault(
            f"withParam value could not be parsed as a JSON list: {text.strip()}: {_go_json_error(text, error)}"
        ) from None
    if items is None:
        return []
    if not isinstance(items, list):
        kind = {dict: "object", str: "string", bool: "bool"}.get(type(items), "number")
        raise Fault(f"withParam value could not be parsed as a JSON list: {text.strip()}: json: cannot unmarshal {kind} "
                    "into Go value of type []v1alpha1.Item")  # fmt: skip
    return items


def _go_json_error(text: str, error: ValueError) -> str:
    """Go's words for the common case: text that does not begin like JSON."""
    stripped = text.lstrip()
    if not stripped:
        return "unexpected end of JSON input"
    if isinstance(error, json.JSONDecodeError) and error.pos < len(text):
        return f"invalid character '{text[error.pos]}' looking for beginning of value"
    return "unexpected end of JSON input"


def _sequence(sequence: Json) -> Iterator[str]:
    start = _whole(sequence.get("start"), 0)
    if sequence.get("end") is not None:
        end = _whole(sequence["end"], 0)
    elif sequence.get("count") is not None:
        count = _whole(sequence["count"], 0)
        if count == 0:
            return
        end = start + count - 1
    else:
        raise Fault("neither end nor count was specified in withSequence")
    form = sequence.get("format") or "%d"
    numbers = range(start, end + 1) if start <= end else range(start, end - 1, -1)
    for number in numbers:
        yield formatted(form, number)


def _whole(value: Any, default: int) -> int:
    if value is None:
        return default
    text = text_of(value)
    if not re.fullmatch(r"[+-]?\d+", text):
        raise Fault(f"strconv.Atoi: parsing {plain_json(text)}: invalid syntax")
    return int(text)


def formatted(form: str, number: int) -> str:
    """The number in a format of Go's fmt, for the verbs that make sense of one: d x X o b c."""

    def one(match: re.Match[str]) -> str:
        flags, width, precision, verb = match.groups()
        if verb == "%":
            return "%"
        if verb not in "dxXobcvs":
            return f"%!{verb}(int={number})"
        if verb == "s":
            return f"%!s(int={number})"
        if verb == "c":
            body = chr(number)
        else:
            body = format(abs(number), {"v": "d"}.get(verb, verb))
            body = body.zfill(int(precision)) if precision else body
            sign = "-" if number < 0 else "+" if "+" in flags else " " if " " in flags else ""
            if "0" in flags and "-" not in flags and width and not precision:
                return sign + body.zfill(int(width) - len(sign))
            body = sign + body
        return body.ljust(int(width or 0)) if "-" in flags else body.rjust(int(width or 0))

    return _FORMAT.sub(one, form)


def _item_variables(item: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(item, dict):
        for key, value in item.items():
            yield f"item.{key}", item_text(value)
        yield "item", go_json(item)
    elif isinstance(item, list):
        yield "item", go_json(item)
    elif item is None:
        raise Fault("withItems[0] expected string, number, list, or map. received: null")
    else:
        yield "item", item if isinstance(item, str) else item_text(item)


def _shown(item: Any) -> str:
    if isinstance(item, dict):
        text = ",".join(sorted(f"{key}:{item_text(value)}" for key, value in item.items()))
    elif isinstance(item, list):
        text = printed([item_text(part) for part in item])
    else:
        text = item_text(item)
    return text.replace("(", "").replace(")", "")


def _never_runs(when: str | None) -> bool:
    """Whether a `when` without tags of the item says no already."""
    if not when:
        return False
    try:
        return not substitution.should_run(when)
    except Fault:
        return False
