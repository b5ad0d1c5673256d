"""Label selectors (as text and as object) and field selectors.

Grammar and messages are apimachinery's (pkg/labels, pkg/fields); node field selectors are Argo's (SelectorMatchesNode).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hera_utils.argo.faults import INTERNAL, INVALID_ARGUMENT
from hera_utils.argo.names import label_key_faults, label_value_faults
from hera_utils.errors import Refused
from hera_utils.memoised import memoised

Json = dict[str, Any]

MOST_REQUIREMENTS = 200
"""Requirements of one selector; the number is limited because each is checked for thousands of objects."""
_BINARY = "in, notin, =, ==, !=, gt, lt"  # as in Kubernetes' message about an expected operator
_TOKEN = re.compile(r"[ \t\r\n]*(?:(?P<symbol>!=|==|[=!(),<>])|(?P<word>[^ \t\r\n=!(),<>]+)|\Z)")


@dataclass(frozen=True)
class Requirement:
    """key, operator (exists, !, in, notin, =, ==, !=, gt, lt) and values of one term."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    @cached_property
    def _value_set(self) -> frozenset[str]:
        return frozenset(self.values)

    def matches(self, labels: Mapping[str, str]) -> bool:
        present = self.key in labels
        if self.operator in ("in", "=", "=="):
            return present and labels[self.key] in self._value_set
        if self.operator in ("notin", "!="):
            return not present or labels[self.key] not in self._value_set
        if self.operator == "exists":
            return present
        if self.operator == "!":
            return not present
        if not present:
            return False
        try:
            value, bound = int(labels[self.key]), int(self.values[0])
        except ValueError:
            return False
        return value > bound if self.operator == "gt" else value < bound


@dataclass(frozen=True)
class LabelSelector:
    """All requirements must hold; without any it matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        return all(requirement.matches(labels or {}) for requirement in self.requirements)

    def required_value(self, key: str) -> str | None:
        """The only value that `key` may have, or None; an index can use it."""
        for requirement in self.requirements:
            if requirement.key == key and requirement.operator in ("in", "=", "==") and len(requirement.values) == 1:
                return requirement.values[0]
        return None


@memoised(256)
def label_selector(text: str) -> LabelSelector:
    """`a=b,c!=d,e in (f,g),!h` → a selector. Raises Refused (INVALID_ARGUMENT, reason BadRequest) with Kubernetes' message."""
    return LabelSelector(tuple(_LabelParser(text).requirements()))


def label_selector_of(selector: Json | None) -> LabelSelector:
    """The object form: {"matchLabels": {…}, "matchExpressions": [{"key", "operator", "values"}]}. Raises Refused."""
    result = [
        Requirement(key, "=", (str(value),)) for key, value in ((selector or {}).get("matchLabels") or {}).items()
    ]
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
    for term in (selector or {}).get("matchExpressions") or []:
        operator = operators.get(term.get("operator", ""))
        if operator is None:
            raise _parse_error(f'"{term.get("operator", "")}" is not a valid label selector operator')
        result.append(Requirement(str(term.get("key", "")), operator, tuple(map(str, term.get("values") or ()))))
    return LabelSelector(tuple(result))


class _LabelParser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[bool, str]] = []  # (is a word, text); the end is (False, "")
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None or match.end() == at:
                break
            word = match.group("word")
            symbol = match.group("symbol")
            if word is None and symbol is None:
                break
            self.tokens.append((word is not None, word if word is not None else symbol))
            at = match.end()
        self.tokens.append((False, ""))
        self.at = 0

    def requirements(self) -> list[Requirement]:
        result: list[Requirement] = []
        while True:
            word, text = self.peek()
            if not word and text == "":
                return result
            if not word and text != "!":
                raise _parse_error(
                    f"unable to parse requirement: found '{text}', expected: !, identifier, or 'end of string'"
                )
            result.append(self.requirement())
            if len(result) > MOST_REQUIREMENTS:
                raise _parse_error(f"the selector has more than {MOST_REQUIREMENTS} requirements")
            word, text = self.take()
            if not word and text == "":
                return result
            if word or text != ",":
                raise _parse_error(f"found '{text}', expected: ',' or 'end of string'")
            word, text = self.peek()
            if not word and text != "!":
                raise _parse_error(f"found '{text}', expected: identifier after ','")

    def requirement(self) -> Requirement:
        word, key = self.take()
        negated = not word and key == "!"
        if negated:
            word, key = self.take()
        if not word:
            raise _requirement_error(f"found '{key}', expected: identifier")
        faults = label_key_faults(key)
        if faults:
            raise _requirement_error(f'key: Invalid value: "{key}": {"; ".join(faults)}')
        next_word, following = self.peek()
        if negated or (not next_word and following in ("", ",")):
            return Requirement(key, "!" if negated else "exists")
        _, operator = self.take()
        if operator in ("in", "notin"):
            values = self.value_list()
        elif operator in ("=", "==", "!=", ">", "<"):
            values = (self.exact_value(),)
        else:
            raise _requirement_error(f"found '{operator}', expected: {_BINARY}")
        for value in values:
            faults = label_value_faults(value)
            if faults:
                raise _requirement_error(f'values[0][{key}]: Invalid value: "{value}": {"; ".join(faults)}')
        names = {">": "gt", "<": "lt"}
        operator = names.get(operator, operator)
        if operator in ("gt", "lt") and not re.fullmatch(r"[+-]?[0-9]+", values[0]):
            raise _requirement_error(
                f"values[0]: Invalid value: \"{values[0]}\": for 'Gt', 'Lt' operators, the value must be an integer"
            )
        return Requirement(key, operator, values)

    def exact_value(self) -> str:
        word, text = self.peek()
        if not word and text in ("", ","):
            return ""
        word, text = self.take()
        if not word:
            raise _requirement_error(f"found '{text}', expected: identifier")
        return text

    def value_list(self) -> tuple[str, ...]:
        word, text = self.take()
        if word or text != "(":
            raise _requirement_error(f"found '{text}' expected: '('")
        values: list[str] = []
        expecting = True
        while True:
            word, text = self.take()
            if word:
                if not expecting:
                    raise _requirement_error(f"found '{text}', expected: ',' or ')'")
                values.append(text)
                expecting = False
            elif text == ",":
                if expecting:
                    values.append("")
                expecting = True
            elif text == ")":
                if expecting:
                    values.append("")
                return tuple(dict.fromkeys(values))
            else:
                raise _requirement_error(f"found '{text}', expected: ',', or identifier")

    def peek(self) -> tuple[bool, str]:
        return self.tokens[self.at]

    def take(self) -> tuple[bool, str]:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token


# -- fields -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FieldSelector:
    """Terms (field, "=" or "!=", value) that must all hold; a field that is absent counts as empty text."""

    terms: tuple[tuple[str, str, str], ...] = ()

    def matches(self, value_of: Callable[[str], str]) -> bool:
        """Whether an object matches. value_of: field → its value, "" for an absent one."""
        return all((value_of(field) == value) == (operator == "=") for field, operator, value in self.terms)

    def required_value(self, field: str) -> str | None:
        """The only value that `field` may have, or None."""
        for name, operator, value in self.terms:
            if name == field and operator == "=":
                return value
        return None

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(field for field, _, _ in self.terms)


@memoised(256)
def field_selector(text: str) -> FieldSelector:
    """`a=b,c!=d` → a selector; "\\" escapes comma, equals sign and itself. Raises Refused with Kubernetes' message."""
    terms = []
    for part in _split_terms(text):
        if part == "":
            continue
        operator = re.search(r"!=|==|=", part)
        if operator is None:
            raise _parse_error(f"invalid selector: '{text}'; can't understand '{part}'")
        value = _unescape(part[operator.end() :])
        field = part[: operator.start()]
        if not field and not value:
            continue
        terms.append((field, "!=" if operator.group() == "!=" else "=", value))
        if len(terms) > MOST_REQUIREMENTS:
            raise _parse_error(f"the selector has more than {MOST_REQUIREMENTS} requirements")
    return FieldSelector(tuple(terms))


def node_field_selector(text: str) -> FieldSelector:
    """The selector of a verb such as stop. Argo's server answers an invalid one with INTERNAL."""
    try:
        return field_selector(text)
    except Refused as fault:
        raise Refused(INTERNAL, fault.message) from None


def field_value(document: Any, path: str) -> str:
    """The text at a dotted path, "" if there is none; keys that contain dots are found, too."""
    if not isinstance(document, dict):
        return ""
    if path in document:
        value = document[path]
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None or isinstance(value, dict | list) else str(value)
    head, dot, rest = path.partition(".")
    while dot:
        if head in document:
            return field_value(document[head], rest)
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return ""


def node_fields(node: Json) -> dict[str, str]:
    """The fields of a node for selectors: its names, phase, id, templateRef and inputs.parameters.X.value."""
    fields = {key: str(node.get(key) or "") for key in ("displayName", "templateName", "phase", "name", "id")}
    reference = node.get("templateRef")
    if reference:
        fields["templateRef.name"] = str(reference.get("name") or "")
        fields["templateRef.template"] = str(reference.get("template") or "")
        fields["templateName"] = fields["templateName"] or fields["templateRef.template"]
    for parameter in (node.get("inputs") or {}).get("parameters") or ():
        fields[f"inputs.parameters.{parameter['name']}.value"] = str(parameter.get("value") or "")
    return fields


def node_matches(selector: FieldSelector, node: Json) -> bool:
    """Whether a node field selector matches the node."""
    fields = node_fields(node)
    return selector.matches(lambda field: fields.get(field, ""))


def _split_terms(text: str) -> Sequence[str]:
    terms, start, escaped = [], 0, False
    for at, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ",":
            terms.append(text[start:at])
            start = at + 1
    return [*terms, text[start:]]


def _unescape(text: str) -> str:
    if not any(character in text for character in "\\,="):
        return text
    characters, escaped = [], False
    for character in text:
        if escaped:
            if character not in "\\,=":
                raise _parse_error(f"invalid field selector: invalid escape sequence: \\{character}")
            characters.append(character)
            escaped = False
        elif character == "\\":
            escaped = True
        elif character in ",=":
            raise _parse_error(f"invalid field selector: unescaped character in value: {ord(character)}")
        else:
            characters.append(character)
    if escaped:
        raise _parse_error("invalid field selector: invalid escape sequence: \\")
    return "".join(characters)


def _parse_error(message: str) -> Refused:
    return Refused(INVALID_ARGUMENT, message, reason="BadRequest")


def _requirement_error(message: str) -> Refused:
    return _parse_error(f"unable to parse requirement: {message}")


def label_selector_faults(selector: Mapping[str, Any], field: str) -> list[str]:
    """Kubernetes' complaints about a selector in an object (ValidateLabelSelector); empty if it is legal."""
    faults: list[str] = []
    for key, value in (selector.get("matchLabels") or {}).items():
        faults += [_invalid_value_fault(f"{field}.matchLabels", key, fault) for fault in label_key_faults(str(key))]
        faults += [
            _invalid_value_fault(f"{field}.matchLabels", value, fault) for fault in label_value_faults(str(value))
        ]
    for index, requirement in enumerate(selector.get("matchExpressions") or ()):
        path = f"{field}.matchExpressions[{index}]"
        operator, values = str(requirement.get("operator") or ""), requirement.get("values") or ()
        if operator in ("In", "NotIn"):
            if not values:
                faults.append(f"{path}.values: Required value: must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                faults.append(
                    f"{path}.values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                )
        else:
            faults.append(_invalid_value_fault(f"{path}.operator", operator, "not a valid selector operator"))
        key = str(requirement.get("key") or "")
        faults += [_invalid_value_fault(f"{path}.key", key, fault) for fault in label_key_faults(key)]
        for place, value in enumerate(values):
            faults += [
                _invalid_value_fault(f"{path}.values[{place}]", value, fault)
                for fault in label_value_faults(str(value))
            ]
    return faults


def _invalid_value_fault(field: str, value: object, fault: str) -> str:
    return f"{field}: Invalid value: {json.dumps(str(value), ensure_ascii=False)}: {fault}"
