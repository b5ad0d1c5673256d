"""Loops: one step or task for each item of withItems, withParam or withSequence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hera_utils.argo import gojson
from hera_utils.expressions import tags
from hera_utils.interpreter import substitution
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.items import Item
from hera_utils.interpreter.sprintf import sprintf
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.values import plain_json, text_of

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

_MOST_WRITTEN = 10_000_000
"""Characters of all items of a sequence."""
_MOST_DIGITS, _INT64 = 4000, 1 << 63
_LOOPS = ("withItems", "withParam", "withSequence")


def is_loop(step: Mapping[str, Any]) -> bool:
    """Whether the step is a loop."""
    return bool(step.get("withItems") or step.get("withParam") or step.get("withSequence") is not None)


def expand(step: Json, variables_above: substitution.Variables, most: int, *, task: bool = False) -> Iterator[Json]:
    """The steps of the items of a loop, named `NAME(INDEX:ITEM)`. variables_above: every variable in scope. task: of a DAG.

    most: the maximum number of items.

    Raises Fault with Argo's message when the items cannot be read and the step would run.
    """
    items = _items(step, most)
    bare = {key: value for key, value in step.items() if key not in _LOOPS}
    loop = {key: value for key, value in step.items() if key in _LOOPS}
    # Argo substitutes the items of a task (not those of a step) once more, which can only raise faults (expandTask).
    again = loop if task and tags.tags_in(loop) else None
    lenient = _never_runs(bare.get("when"))
    present = {key: value for key, value in variables_above.items() if not (lenient and value is None)}
    variables = substitution.Variables(present, variables_above.entropy)
    prepared: tags.PreparedDocument | None = None
    for index, item in enumerate(items):
        added = dict(item.variables())
        variables.update(added)
        if again is not None:
            substitution.replace(again, variables, unresolved=lenient)
        prepared = prepared or substitution.prepare(bare)
        expanded_step: Json = dict(substitution.fill_in(prepared, variables, unresolved=lenient))
        for key in added:
            del variables[key]
        expanded_step["name"] = f"{step['name']}({index}:{item.display()})"
        if "template" in step:
            expanded_step["template"] = step["template"]
        yield expanded_step


def _items(step: Json, most: int) -> list[Item]:
    if step.get("withItems"):
        _check_count("withItems", len(step["withItems"]), most)
        return [Item.of(value) for value in step["withItems"]]
    try:
        if step.get("withParam"):
            return parse_items(text_of(step["withParam"]), most)
        return [*_sequence(step["withSequence"], most)]
    except Fault:
        if _never_runs(step.get("when")):
            return []
        raise


def may_pause(context: Context, written: int) -> bool:
    """Whether a loop continues in a later event after `written` expanded items. A hundred items are as much work as a node."""
    if written % 100:
        return False
    context.opened += 1
    return context.is_out_of_time()


def _check_count(field: str, count: int, most: int) -> None:
    """Raise Fault for too many items: each becomes at least one node, and Argo expands a whole loop before it opens the first."""
    if count > most:
        raise Fault(f"{field} has more than {most} items: workflow is longer than maximum allowed size.")


def parse_items(text: str, most: int) -> list[Item]:
    """The items of a withParam. Raises Fault."""
    wrong = f"withParam value could not be parsed as a JSON list: {text.strip()}: "
    try:
        gojson.check(text)
    except gojson.InvalidJson as error:
        raise Fault(f"{wrong}{error}") from None
    first = text.lstrip()[0]
    if first == "n":
        return []
    if first != "[":
        kind = {"{": "object", '"': "string", "t": "bool", "f": "bool"}.get(first, "number")
        raise Fault(f"{wrong}json: cannot unmarshal {kind} into Go value of type []v1alpha1.Item")
    elements = gojson.elements(text)
    _check_count("withParam", len(elements), most)
    return [Item(element) for element in elements]


def _sequence(sequence: Json, most: int) -> Iterator[Item]:
    start = _integer(sequence.get("start"), 0)
    if sequence.get("end") is not None:
        end = _integer(sequence["end"], 0)
    elif sequence.get("count") is not None:
        count = _integer(sequence["count"], 0)
        if count == 0:
            return
        end = start + count - 1
    else:
        raise Fault("neither end nor count was specified in withSequence")
    form = sequence.get("format") or "%d"
    numbers = range(start, end + 1) if start <= end else range(start, end - 1, -1)
    _check_count("withSequence", abs(end - start) + 1, most)
    written = 0
    for number in numbers:
        raw = f'"{sprintf(form, number)}"'
        written += len(raw)
        if written > _MOST_WRITTEN:
            raise Fault(
                f"withSequence: the format {form[:40]!r} is too wide: its items have more than {_MOST_WRITTEN} characters"
            )
        try:
            gojson.check(raw)
        except gojson.InvalidJson as error:
            raise Fault(str(error)) from None
        yield Item(raw)


def _integer(value: Any, default: int) -> int:
    if value is None:
        return default
    text = text_of(value)
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise Fault(f"strconv.Atoi: parsing {plain_json(text)}: invalid syntax")
    number = int(text) if len(text) <= _MOST_DIGITS else _INT64
    if not -_INT64 <= number < _INT64:
        raise Fault(f"strconv.Atoi: parsing {plain_json(text)}: value out of range")
    return number


def _never_runs(when: str | None) -> bool:
    """Whether a `when` without tags of the item is false for all items."""
    if not when:
        return False
    try:
        return not substitution.should_run(when)
    except Fault:
        return False
