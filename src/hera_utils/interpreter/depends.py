"""The dependencies of a task, and whether it runs after they have ended (Argo: common/ancestry.go).

`dependencies: [A, B]` means `depends: "(A.Succeeded || A.Skipped || A.Daemoned) && (B…)"`; a bare name within `depends` is short
for the same. An expression is parsed once for each template, not once for each task that ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hera_utils.argo import phases
from hera_utils.interpreter import substitution
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.state import Json

_NAME = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)")
_TOKEN = re.compile(r"\s*(?:(&&)|(\|\|)|(!)|(\()|(\))|([A-Za-z0-9_]+)\.([A-Z][A-Za-z]+))")

Results = Mapping[str, bool]


@dataclass(frozen=True)
class Dependencies:
    """names: the tasks that the task waits for, in the order of the expression. logic: the expression, "" without one."""

    names: tuple[str, ...]
    logic: str


def of_task(task: Json, tasks: Mapping[str, Json]) -> Dependencies:
    """The dependencies of a task. Raises Fault if it names a task that does not exist."""
    logic = task.get("depends") or ""
    if not logic:
        parts = [_any_good_end(name, _task(tasks, name)) for name in task.get("dependencies") or ()]
        logic = " && ".join(parts)
    names: dict[str, None] = {}

    def expand(match: re.Match[str]) -> str:
        result, bare = match.groups()
        if result:
            names[result.split(".")[0]] = None
            return str(result)
        names[bare] = None
        return _any_good_end(bare, _task(tasks, bare))

    logic = _NAME.sub(expand, logic)
    return Dependencies(tuple(names), logic)


def _task(tasks: Mapping[str, Json], name: str) -> Json:
    if name not in tasks:
        raise Fault(f"target {name} does not exist")
    return tasks[name]


def _any_good_end(name: str, task: Json) -> str:
    results = ["Succeeded", "Skipped", "Daemoned"]
    goes_on = task.get("continueOn") or {}
    results += ["Errored"] if goes_on.get("error") else []
    results += ["Failed"] if goes_on.get("failed") else []
    return "(" + " || ".join(f"{name}.{result}" for result in results) + ")"


def results_of(node: Json, children: Callable[[Json], list[Json]]) -> dict[str, bool]:
    """The results of a task in the words of `depends`. children: called only for a loop, to get its items, because the children of
    other nodes are their successors.
    """
    phase = node["phase"]
    items = children(node) if node["type"] == "TaskGroup" else []
    return {
        "Succeeded": phase == phases.SUCCEEDED,
        "Failed": phase == phases.FAILED,
        "Errored": phase == phases.ERROR,
        "Skipped": phase == phases.SKIPPED,
        "Omitted": phase == phases.OMITTED,
        "Daemoned": bool(node.get("daemoned")) and phase != phases.PENDING,
        "AnySucceeded": any(item["phase"] == phases.SUCCEEDED for item in items),
        "AllFailed": bool(items) and all(item["phase"] == phases.FAILED for item in items),
    }


def is_true(logic: str, results: Mapping[str, Results]) -> bool:
    """Whether a task with this logic runs. results: of every task that it names."""
    text = logic.replace("-", "_")
    named = {name.replace("-", "_"): result for name, result in results.items()}
    simple = _SimpleExpression(text, named).value()
    if simple is not None:
        return simple
    try:
        return substitution.evaluate_depends(text, named)
    except Fault as fault:
        raise Fault(f"unable to evaluate expression '{text}': {fault.message}") from None


class _SimpleExpression:
    """Evaluates the usual expressions (names, && || ! and parentheses) without the general evaluator; None for any other."""

    def __init__(self, text: str, results: Mapping[str, Results]) -> None:
        self.results = results
        self.tokens: list[Any] = []
        self.at = 0
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                self.tokens = []
                break
            position = match.end()
            name, result = match.group(6), match.group(7)
            if name:
                value = results.get(name, {}).get(result)
                if value is None:
                    self.tokens = []
                    break
                self.tokens.append(value)
            else:
                self.tokens.append(match.group().strip())

    def value(self) -> bool | None:
        if not self.tokens:
            return None
        try:
            verdict = self._or()
        except RecursionError:  # thousands of nested parentheses; the general evaluator reports its limit for them
            return None
        return verdict if self.at == len(self.tokens) else None

    def _next(self) -> Any:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _or(self) -> bool | None:
        verdict = self._and()
        while verdict is not None and self._next() == "||":
            self.at += 1
            other = self._and()
            verdict = None if other is None else verdict or other
        return verdict

    def _and(self) -> bool | None:
        verdict = self._operand()
        while verdict is not None and self._next() == "&&":
            self.at += 1
            other = self._operand()
            verdict = None if other is None else verdict and other
        return verdict

    def _operand(self) -> bool | None:
        token = self._next()
        self.at += 1
        if isinstance(token, bool):
            return token
        if token == "!":
            value = self._operand()
            return None if value is None else not value
        if token == "(":
            value = self._or()
            if self._next() != ")":
                return None
            self.at += 1
            return value
        return None
