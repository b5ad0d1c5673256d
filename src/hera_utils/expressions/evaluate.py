"""Walks the tree of an expression over an environment. Bounded: steps, items and text lengths."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hera_utils.errors import ExpressionError
from hera_utils.expressions import functions
from hera_utils.expressions import operations as op
from hera_utils.expressions.entropy import Entropy
from hera_utils.expressions.lexer import located
from hera_utils.expressions.nodes import (
    Array,
    Binary,
    Builtin,
    Call,
    Chain,
    Conditional,
    Constant,
    Let,
    Map,
    Member,
    Name,
    Node,
    Pointer,
    Predicate,
    Sequence,
    Slice,
    Unary,
)
from hera_utils.expressions.values import Byte, Failure, Function, Groups, go_type, is_nil

MOST_STEPS = 1_000_000
MOST_CHARACTERS = 50_000_000


class EvaluationError(ExpressionError):
    """An expression that fails while it is evaluated; the message is expr-lang's, with its place."""


class _Nil(Exception):
    """A nil within an optional chain."""


@dataclass
class _Loop:
    """What `#`, `#acc`, `#index` mean in a predicate."""

    item: Any = None
    index: int = 0
    accumulator: Any = None


@dataclass
class _Frame:
    locals: dict[str, Any] = field(default_factory=dict)
    loops: list[_Loop] = field(default_factory=list)


def evaluate(node: Node, source: str, environment: Mapping[str, Any], entropy: Entropy) -> Any:
    """The value of a tree. Raises EvaluationError."""
    walker = _Walker(environment, entropy)
    try:
        return walker.walk(node)
    except Failure as failure:
        raise EvaluationError(located(failure.message, source, walker.place)) from None
    except RecursionError:
        raise EvaluationError("expression is nested too deeply") from None


class _Walker:
    def __init__(self, environment: Mapping[str, Any], entropy: Entropy) -> None:
        self.environment = environment
        self.entropy = entropy
        self.frame = _Frame()
        self.steps = 0
        self.items = 0
        self.characters = 0
        self.place = 0

    def walk(self, node: Node) -> Any:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Failure("evaluation takes too many steps")
        value = _WALKS[type(node)](self, node)
        self.place = node.place
        return value

    def grow(self, count: int) -> None:
        self.items += count
        if self.items >= op.MOST_ITEMS:
            raise Failure("memory budget exceeded")

    def write(self, text: str) -> None:
        """Texts are made anew each time: what all of them cost together is bounded."""
        self.characters += len(text)
        if self.characters > MOST_CHARACTERS:
            raise Failure("memory budget exceeded")

    # -- leaves

    def constant(self, node: Constant) -> Any:
        return node.value

    def name(self, node: Name) -> Any:
        if node.name in self.frame.locals:
            return self.frame.locals[node.name]
        if node.name == "$env":
            return self.environment
        return self.environment.get(node.name)

    def pointer(self, node: Pointer) -> Any:
        loop = self.frame.loops[-1]
        if node.name == "index":
            return loop.index
        if node.name == "acc":
            return loop.accumulator
        return loop.item

    # -- operators

    def unary(self, node: Unary) -> Any:
        value = self.walk(node.operand)
        self.place = node.place
        if node.operator in ("!", "not"):
            return not self.boolean(value)
        if node.operator == "-":
            return op.negate(value)
        return value

    def boolean(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise Failure(
                f"interface conversion: interface {{}} is {go_type(value) if value is not None else 'nil'}, not bool"
            )
        return value

    def binary(self, node: Binary) -> Any:
        operator = node.operator
        if operator in ("&&", "and", "||", "or"):
            stops = operator in ("||", "or")
            if isinstance(node.right, Constant) and isinstance(node.right.value, bool):
                # expr-lang's optimizer: the left side is not looked at, or is all that is left
                return stops if node.right.value is stops else self.walk(node.left)
            left = self.boolean(self.walk(node.left))
            return left if left is stops else self.walk(node.right)  # expr-lang leaves the right side as it is
        if operator == "??":
            return self.coalesce(node)
        spine = [node]  # a + b + c …: as deep as it is long, so not by recursion
        while isinstance(spine[-1].left, Binary) and spine[-1].left.operator in _OPERATIONS:
            spine.append(spine[-1].left)
        value = self.walk(spine[-1].left)
        for one in reversed(spine):
            self.steps += 1
            right = self.walk(one.right)
            self.place = one.place
            value = _OPERATIONS[one.operator](value, right)
            if one.operator == "..":
                self.grow(len(value))
            elif isinstance(value, str):
                self.write(value)
        return value

    def coalesce(self, node: Binary) -> Any:
        value = self.walk(node.left)
        return self.walk(node.right) if is_nil(value) else value

    def conditional(self, node: Conditional) -> Any:
        return self.walk(node.then if self.boolean(self.walk(node.condition)) else node.otherwise)

    def sequence(self, node: Sequence) -> Any:
        value: Any = None
        for one in node.nodes:
            value = self.walk(one)
        return value

    def let(self, node: Let) -> Any:
        value = self.walk(node.value)
        saved = self.frame.locals
        self.frame.locals = {**saved, node.name: value}
        try:
            return self.walk(node.body)
        finally:
            self.frame.locals = saved

    # -- members

    def chain(self, node: Chain) -> Any:
        try:
            return self.walk(node.node)
        except _Nil:
            return None

    def member(self, node: Member) -> Any:
        value = self.walk(node.node)
        if node.optional and is_nil(value):
            raise _Nil
        key = self.walk(node.member)
        self.place = node.place
        return op.fetch(value, key)

    def slice(self, node: Slice) -> Any:
        value = self.walk(node.node)
        end = self.walk(node.end) if node.end is not None else None
        start = self.walk(node.start) if node.start is not None else None
        self.place = node.place
        return op.sliced(value, start, end)

    def array(self, node: Array) -> Any:
        self.grow(len(node.nodes))
        return [self.walk(one) for one in node.nodes]

    def map(self, node: Map) -> Any:
        self.grow(len(node.pairs))
        found: dict[str, Any] = {}
        for key, value in node.pairs:
            name = self.walk(key)
            if not isinstance(name, str):
                raise Failure(f"interface conversion: interface {{}} is {go_type(name)}, not string")
            found[name] = self.walk(value)
        return found

    # -- calls

    def call(self, node: Call) -> Any:
        callee = self.walk(node.callee)
        arguments = [self.walk(one) for one in node.arguments]
        self.place = node.place
        if callee is None:
            raise Failure("invalid operation: cannot call nil")
        if not isinstance(callee, Function):
            raise Failure(f"invalid operation: cannot call non-function of type {go_type(callee)}")
        value = invoke(callee, arguments)
        if isinstance(value, str):
            self.write(value)
        return value

    def builtin(self, node: Builtin) -> Any:
        looped = _LOOPS.get(node.name)
        if looped is not None:
            return looped(self, node)
        arguments = [self.walk(one) for one in node.arguments]
        self.place = node.place
        if node.name == "now":
            return functions.now(self.entropy, *arguments[:1])
        value = _apply(node.name, functions.BUILTINS[node.name], arguments)
        if isinstance(value, list):
            self.grow(len(value))
        elif isinstance(value, str):
            self.write(value)
        return value

    # -- predicates

    def each(self, node: Builtin, values: Any, *, backwards: bool = False, bare: bool = False) -> Any:
        """Yields (loop, value of the predicate) for each item; `bare`: the item itself."""
        predicate = node.arguments[1] if len(node.arguments) > 1 and not bare else None
        self.place = node.place
        if isinstance(values, str | bytes):
            items: list[Any] = list(map(Byte, values.encode() if isinstance(values, str) else values))
        elif isinstance(values, dict):
            if values:
                raise Failure("reflect: call of reflect.Value.Index on map Value")
            items = []
        elif isinstance(values, list | tuple):
            items = list(values)
        else:
            raise Failure(f"reflect: call of reflect.Value.Len on {_zero_kind(values)} Value")
        loop = _Loop()
        order = range(len(items) - 1, -1, -1) if backwards else range(len(items))
        for index in order:
            loop.item, loop.index = items[index], index
            if predicate is None:
                yield loop, loop.item
                continue
            self.frame.loops.append(loop)
            try:
                value = self.walk(predicate.node if isinstance(predicate, Predicate) else predicate)
            finally:
                self.frame.loops.pop()
            self.place = node.place
            yield loop, value

    def quantifier(self, node: Builtin) -> Any:
        values = self.walk(node.arguments[0])
        verdicts = (self.boolean(value) for _, value in self.each(node, values))
        if node.name == "all":
            return all(verdicts)
        if node.name == "none":
            return not any(verdicts)
        if node.name == "any":
            return any(verdicts)
        return sum(verdicts) == 1

    def filter(self, node: Builtin) -> Any:
        values = self.walk(node.arguments[0])
        kept = [loop.item for loop, value in self.each(node, values) if self.boolean(value)]
        self.grow(len(kept))
        return kept

    def mapped(self, node: Builtin) -> Any:
        values = self.walk(node.arguments[0])
        found = [value for _, value in self.each(node, values)]
        self.grow(len(found))
        return found

    def count(self, node: Builtin) -> Any:
        values = self.walk(node.arguments[0])
        return sum(1 for _, value in self.each(node, values) if self.boolean(value))

    def sum(self, node: Builtin) -> Any:
        listed = node.arguments[0]
        if len(node.arguments) == 1 and isinstance(listed, Array) and len(listed.nodes) > 1:
            values = [self.walk(one) for one in listed.nodes]  # expr-lang's optimizer: a + (b + c)
            self.place = node.place
            return functools.reduce(lambda total, value: op.add(value, total), reversed(values[:-1]), values[-1])
        values = self.walk(node.arguments[0])
        found = [value for _, value in self.each(node, values)]
        self.place = node.place
        return functions.total(found)

    def find(self, node: Builtin) -> Any:
        values = self.walk(node.arguments[0])
        by_index = node.name.endswith("Index")
        for loop, value in self.each(node, values, backwards="Last" in node.name):
            if self.boolean(value):
                return loop.index if by_index else loop.item
        return None

    def group(self, node: Builtin) -> Any:
        values = self.walk(node.arguments[0])
        groups = Groups()
        for loop, key in self.each(node, values):
            if isinstance(key, list | dict):
                raise Failure(f"hash of unhashable type: {go_type(key)}")
            groups.setdefault(key, []).append(loop.item)
        return groups

    def sort(self, node: Builtin) -> Any:
        values = self.walk(node.arguments[0])
        order = self.walk(node.arguments[2]) if len(node.arguments) > 2 else "asc"
        if not isinstance(order, str):
            raise Failure("sortBy order argument must be a string")
        pairs = [(loop.item, key) for loop, key in self.each(node, values)]
        self.place = node.place
        return functions.ordered([item for item, _ in pairs], [key for _, key in pairs], order)

    def reduce(self, node: Builtin) -> Any:
        values = self.walk(node.arguments[0])
        items = [item for _, item in self.each(node, values, bare=True)]
        loop = _Loop()
        start = 0
        if len(node.arguments) > 2:
            loop.accumulator = self.walk(node.arguments[2])
        else:
            if not items:
                raise Failure("reduce of empty array with no initial value")
            loop.accumulator, start = items[0], 1
        predicate = node.arguments[1]
        for index in range(start, len(items)):
            loop.item, loop.index = items[index], index
            self.frame.loops.append(loop)
            try:
                loop.accumulator = self.walk(predicate.node if isinstance(predicate, Predicate) else predicate)
            finally:
                self.frame.loops.pop()
        return loop.accumulator


def invoke(function: Function, arguments: list[Any]) -> Any:
    """Call a function of the environment as Go's reflection does."""
    return _apply(function.name, function.call, function.fitted(arguments))


def _apply(name: str, function: Callable[..., Any], arguments: list[Any]) -> Any:
    try:
        return function(*arguments)
    except TypeError:
        try:
            inspect.signature(function).bind(*arguments)
        except TypeError:
            raise Failure(f"invalid number of arguments for {name} (got {len(arguments)})") from None
        except ValueError:
            pass
        raise Failure(f"invalid arguments for {name} ({', '.join(map(go_type, arguments))})") from None
    except (OverflowError, ValueError, ArithmeticError, AttributeError, LookupError) as error:
        raise Failure(f"invalid argument for {name}: {error}") from None


def _zero_kind(value: Any) -> str:
    return "zero" if value is None else go_type(value)


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": op.equal,
    "!=": lambda left, right: not op.equal(left, right),
    "<": op.less,
    ">": op.more,
    "<=": op.less_or_equal,
    ">=": op.more_or_equal,
    "+": op.add,
    "-": op.subtract,
    "*": op.multiply,
    "/": op.divide,
    "%": op.modulo,
    "**": op.power,
    "^": op.power,
    "..": op.make_range,
    "in": op.contained,
    "matches": op.matches,
    "contains": lambda left, right: op.text_operator("contains", left, right),
    "startsWith": lambda left, right: op.text_operator("startsWith", left, right),
    "endsWith": lambda left, right: op.text_operator("endsWith", left, right),
}

_WALKS: dict[type[Node], Callable[[Any, Any], Any]] = {
    Constant: _Walker.constant,
    Name: _Walker.name,
    Pointer: _Walker.pointer,
    Unary: _Walker.unary,
    Binary: _Walker.binary,
    Conditional: _Walker.conditional,
    Sequence: _Walker.sequence,
    Let: _Walker.let,
    Chain: _Walker.chain,
    Member: _Walker.member,
    Slice: _Walker.slice,
    Array: _Walker.array,
    Map: _Walker.map,
    Call: _Walker.call,
    Builtin: _Walker.builtin,
}

_LOOPS: dict[str, Callable[[Any, Any], Any]] = {
    "all": _Walker.quantifier,
    "none": _Walker.quantifier,
    "any": _Walker.quantifier,
    "one": _Walker.quantifier,
    "filter": _Walker.filter,
    "map": _Walker.mapped,
    "count": _Walker.count,
    "sum": _Walker.sum,
    "find": _Walker.find,
    "findIndex": _Walker.find,
    "findLast": _Walker.find,
    "findLastIndex": _Walker.find,
    "groupBy": _Walker.group,
    "sortBy": _Walker.sort,
    "reduce": _Walker.reduce,
}
