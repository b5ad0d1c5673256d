"""expr-lang 1.17 with the environment that Argo gives it (util/expr/env): `{{=…}}`, retry and hook expressions.

    parse(text)      → Program, memoised
    program.missing(variables)   the names that it needs and that do not exist
    program.evaluate(variables)  its value: None, bool, int, float, str, bytes, list, dict, a moment, a duration…

Variables have dotted names; the expression has them as nested maps: {"inputs.parameters.a": "1"} → inputs.parameters.a. If a name is
also the beginning of another ({"a": …, "a.b": …}), only the other exists, as in Argo. Argo adds the functions asInt, asFloat, jsonpath,
toJson, sprig.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hera_utils.errors import ExpressionError
from hera_utils.expressions.entropy import Entropy
from hera_utils.expressions.expr import functions, types
from hera_utils.expressions.expr.checker import check
from hera_utils.expressions.expr.evaluator import EvaluationError
from hera_utils.expressions.expr.evaluator import evaluate as _evaluate
from hera_utils.expressions.expr.lexer import CompileError
from hera_utils.expressions.expr.nodes import Binary, Constant, Let, Member, Name, Node, Pointer, children
from hera_utils.expressions.expr.optimizer import optimize
from hera_utils.expressions.expr.parser import BUILTINS
from hera_utils.expressions.expr.parser import parse as _parse
from hera_utils.expressions.gotext import text_of, to_json
from hera_utils.expressions.jsonpath import query
from hera_utils.expressions.sprig import registry
from hera_utils.expressions.values import Function, NilPointer
from hera_utils.memoised import memoised

Variables = Mapping[str, Any]


class Program:
    """A parsed expression. names: those that it uses, in order (roots and dotted paths), as Argo collects them.

    draws: whether its value depends on time or chance.
    """

    __slots__ = ("_paths", "_whole", "draws", "names", "node", "roots", "source")

    def __init__(self, source: str, node: Node) -> None:
        self.source = source
        self.node = node
        self.names = tuple(dict.fromkeys(_identifiers(node)))
        self.roots = frozenset(_roots(node))
        self.draws = "now" in self.roots or not registry.DRAWING.isdisjoint(self.names)
        self._whole = "$env" in self.roots
        self._paths = None if self._whole else _static_paths(node)

    def missing(self, variables: Variables) -> list[str]:
        """The names of the expression that do not exist (those behind `?.` and before `??` need not)."""
        return self.missing_in(self.environment(variables, Entropy())) if self.names else []

    def missing_in(self, environment: Mapping[str, Any]) -> list[str]:
        """As `missing`, for the result of `environment`."""
        return [name for name in self.names if not _exists(environment, name)]

    def environment(self, variables: Variables, entropy: Entropy) -> dict[str, Any]:
        """The variables as nested maps, only those that the expression uses."""
        environment = self._nest_variables(variables)
        for name in _ADDED if self._whole else self.roots & _ADDED:
            environment[name] = registry.functions(entropy) if name == "sprig" else _FUNCTIONS[name]
        return environment

    def _nest_variables(self, variables: Variables) -> dict[str, Any]:
        """Expand only the variables that the expression uses: scopes may have thousands."""
        if self._paths is None:
            return nest_variables(variables)
        if any(name in variables for name in self.roots & BUILTINS):
            return nest_variables(variables, self.roots)
        for path, above in self._paths:
            if path not in variables or any(prefix in variables for prefix in above):
                return nest_variables(variables, self.roots)
        seen = {path: variables[path] for path, _ in self._paths}
        below = tuple(path + "." for path, _ in self._paths if not _LEAF.match(path))
        if below:
            seen.update((name, variables[name]) for name in variables if name.startswith(below))
        return nest_variables(seen)

    def evaluate(self, variables: Variables, *, entropy: Entropy | None = None) -> Any:
        """The value for dotted variables. Raises CompileError (an unknown name…), EvaluationError."""
        entropy = entropy or Entropy()
        return self.evaluate_in(self.environment(variables, entropy), entropy=entropy)

    def evaluate_in(self, environment: Mapping[str, Any], *, entropy: Entropy | None) -> Any:
        """The value for an unchanged environment, without Argo's functions. Raises CompileError, EvaluationError."""
        overridden = self.roots & environment.keys()
        node = _compile(
            self.source,
            frozenset(overridden & BUILTINS),
            tuple(sorted(self._natures(environment), key=lambda pair: pair[0])),
        )
        if isinstance(node, str):
            raise CompileError(node)
        return _evaluate(node, self.source, environment, entropy or Entropy())

    def _natures(self, environment: Mapping[str, Any]) -> Iterator[tuple[str, types.Nature]]:
        for name in environment if self._whole else self.roots:
            if name in environment:
                yield name, types.of_value(environment[name])


_tree = memoised(512)(_parse)


@memoised(1024)
def _compile(source: str, hidden: frozenset[str], natures: tuple[tuple[str, types.Nature], ...]) -> Node | str:
    """The tree for variables of these types, or its error. Memoised, because templates repeat."""
    tree = _tree(source, hidden)
    try:
        return optimize(tree, source, check(tree, source, dict(natures)))
    except CompileError as error:
        return error.message


@memoised(1024)
def parse(source: str) -> Program:
    """A program, memoised. Raises CompileError."""
    return Program(source, _tree(source, frozenset()))


def evaluate(text: str, variables: Variables, *, entropy: Entropy | None = None) -> Any:
    """The value of an expression for dotted variables, with Argo's functions. Raises CompileError, EvaluationError."""
    return parse(text).evaluate(variables, entropy=entropy)


def evaluate_boolean(text: str, environment: Mapping[str, Any], *, entropy: Entropy) -> bool:
    """The value of a boolean expression (depends, hooks, retry, conditional artifacts; Argo: EvalBool): a nested environment, no functions.

    Raises ExpressionError with Argo's message when it fails or is not a boolean.
    """
    return _boolean(text, lambda: parse(text).evaluate_in(environment, entropy=entropy))


def evaluate_truth(text: str, variables: Variables, *, entropy: Entropy | None = None) -> bool:
    """As `evaluate_boolean`, for dotted variables and with Argo's functions. Raises ExpressionError."""
    return _boolean(text, lambda: parse(text).evaluate(variables, entropy=entropy))


def _boolean(text: str, evaluated: Callable[[], Any]) -> bool:
    try:
        value = evaluated()
    except EvaluationError as error:
        raise EvaluationError(f"unable to evaluate expression '{text}': {error}") from None
    if not isinstance(value, bool):
        raise EvaluationError(f"unable to cast expression result '{_percent_s(value)}' to bool")
    return value


def _percent_s(value: Any) -> str:
    """A value that is not a boolean in fmt's %s."""
    if isinstance(value, str):
        return value
    if value is None:
        return "%!s(<nil>)"
    if isinstance(value, int):
        return f"%!s(int={value})"
    if isinstance(value, float):
        return f"%!s(float64={text_of(value)})"
    return text_of(value)


# -- the environment ----------------------------------------------------------------------------------------------------

_FUNCTIONS = {
    "asInt": Function("asInt", functions.to_integer, "a"),
    "asFloat": Function("asFloat", functions.to_floating, "a"),
    "toJson": Function("toJson", to_json, "a"),
    "jsonpath": Function("jsonpath", query.query_text, "ss"),
}
_ADDED = frozenset(_FUNCTIONS) | {"sprig"}
# Names that cannot be the beginning of another one, because names of parameters, artifacts, steps and tasks have no dots in Argo. Most
# names of a scope are of this kind, and an expression that uses only these needs no others.
_LEAF = re.compile(
    r"(inputs|workflow|workflow\.outputs|outputs|(steps|tasks)\.[^.]+\.outputs)\.parameters\.[^.]+\Z"
    r"|(steps|tasks)\.[^.]+\.(outputs\.result|exitCode|status|id|ip|startedAt|finishedAt|hostNodeName)\Z"
    r"|workflow\.(name|uid|namespace|serviceAccountName|mainEntrypoint|status|priority|duration|failures)\Z"
)


def nest_variables(variables: Variables, roots: frozenset[str] | None = None) -> dict[str, Any]:
    """Dotted variables as nested maps; only below `roots` when given."""
    environment: dict[str, Any] = {}
    for name in variables:
        root, dot, rest = name.partition(".")
        if roots is not None and root not in roots:
            continue
        value = variables[name]
        if isinstance(value, dict | list):
            value = copy.deepcopy(value)  # because sprig.set and similar functions change their arguments
        elif isinstance(value, NilPointer):
            value = None
        if not dot:
            if not isinstance(environment.get(root), _Branch):
                environment[root] = value
            continue
        branch = environment.get(root)
        if not isinstance(branch, _Branch):
            branch = environment[root] = _Branch()
        parts = rest.split(".")
        for part in parts[:-1]:
            below = branch.get(part)
            if not isinstance(below, _Branch):
                below = branch[part] = _Branch()
            branch = below
        if not isinstance(branch.get(parts[-1]), _Branch):
            branch[parts[-1]] = value
    return environment


class _Branch(dict[str, Any]):
    """A map created from dotted names, as opposed to a map that is a value."""


def _exists(environment: Mapping[str, Any], name: str) -> bool:
    current: Any = environment
    for part in name.split("."):
        if not isinstance(current, Mapping) or part not in current:
            return False
        current = current[part]
    return True


# -- names --------------------------------------------------------------------------------------------------------------


def _identifiers(node: Node) -> Iterator[str]:
    """The names in an expression in Argo's order: the parts of a member before the member."""
    guarded: set[int] = set()
    for part in _all_nodes(node):
        if isinstance(part, Binary) and part.operator == "??":
            guarded.update(id(below) for below in _all_nodes(part.left) if isinstance(below, Member))
        elif isinstance(part, Member) and part.optional and isinstance(part.node, Member):
            guarded.add(id(part.node))
    for part in _all_nodes(node):
        if id(part) in guarded:
            continue
        if isinstance(part, Name):
            yield part.name
        elif isinstance(part, Member):
            path = _path(part)
            if path:
                yield path


def _all_nodes(node: Node) -> Iterator[Node]:
    """All nodes, children before their parents. Without recursion: chains of operators are as deep as they are long."""
    pending: list[tuple[Node, bool]] = [(node, False)]
    while pending:
        one, opened = pending.pop()
        if opened:
            yield one
            continue
        pending.append((one, True))
        pending.extend((below, False) for below in reversed(list(children(one))))


def _path(node: Member) -> str | None:
    parts: list[str] = []
    current: Node = node
    while isinstance(current, Member):
        if current.optional or not isinstance(current.member, Constant) or not isinstance(current.member.value, str):
            return None
        parts.append(current.member.value)
        current = current.node
    if not isinstance(current, Name):
        return None
    return ".".join([current.name, *reversed(parts)])


def _static_paths(node: Node) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The dotted names that an expression reads, each with the names above it, without functions and its own variables."""
    paths: list[str] = []
    own: set[str] = set(_ADDED)
    pending = [node]
    while pending:
        current = pending.pop()
        if isinstance(current, Let):
            own.add(current.name)
        path = current.name if isinstance(current, Name) else _path(current) if isinstance(current, Member) else None
        if path is None:
            pending.extend(children(current))
        else:
            paths.append(path)
    found = []
    for path in dict.fromkeys(paths):
        parts = path.split(".")
        if parts[0] not in own:
            found.append((path, tuple(".".join(parts[:index]) for index in range(1, len(parts)))))
    return tuple(found)


def _roots(node: Node) -> Iterator[str]:
    for descendant in _all_nodes(node):
        if isinstance(descendant, Name):
            yield descendant.name
        else:
            called = getattr(descendant, "name", None)
            if isinstance(called, str) and not isinstance(descendant, Pointer | Let):
                yield called  # a builtin, unless a variable hides it


__all__ = [
    "CompileError",
    "EvaluationError",
    "ExpressionError",
    "Program",
    "evaluate",
    "evaluate_boolean",
    "evaluate_truth",
    "nest_variables",
    "parse",
]
