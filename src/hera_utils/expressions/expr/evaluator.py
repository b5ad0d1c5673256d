"""Evaluates the tree of an expression over an environment, with limits on steps, items and text lengths."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from hera_utils.errors import ExpressionError
from hera_utils.expressions import cost
from hera_utils.expressions import operations as op
from hera_utils.expressions.entropy import Entropy
from hera_utils.expressions.expr import functions
from hera_utils.expressions.expr.lexer import with_place
from hera_utils.expressions.expr.nodes import (
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
from hera_utils.expressions.values import Byte, Failure, Function, Groups, count_parts, go_type, is_nil

MOST_STEPS = 1_000_000
MOST_CHARACTERS = 50_000_000
_PARTS_OF_A_STEP = 10
"""Parts of a value (see count_parts) that count as one step, because they take about a microsecond, like any step."""
_TAKES_ONE = frozenset({
    "len", "type", "first", "last", "get", "take", "mustFirst", "mustLast", "dig", "hasKey", "list", "tuple", "dict",
    "default", "coalesce", "ternary", "kindOf", "kindIs", "typeOf", "typeIs", "typeIsLike",
})  # fmt: skip
"""Functions whose time does not depend on the size of their arguments."""
_MAKES_PARTS = frozenset({"fromJSON", "fromJson", "mustFromJson", "deepCopy", "mustDeepCopy"})
_SEARCHES = frozenset({"contains", "startsWith", "endsWith", "matches", "<", ">", "<=", ">="})
_COMPARES = frozenset({"==", "!=", "==string"})
_LONG = (str, bytes, list, tuple, dict)


class EvaluationError(ExpressionError):
    """An expression failed in its evaluation. The message is expr-lang's, with the place."""


class _Nil(Exception):
    """Leaves an optional chain; nil is on the stack."""


class _Loop:
    """A collection with its predicate: the values of `#`, `#acc`, `#index`."""

    __slots__ = ("accumulator", "count", "index", "items", "length")

    def __init__(self, values: Any) -> None:
        self.items = values.encode("utf-8", "surrogatepass") if isinstance(values, str) else values
        if not isinstance(self.items, list | tuple | bytes | dict):
            raise Failure(f"reflect: call of reflect.Value.Len on {_zero_kind(values)} Value")
        self.length = len(self.items)
        self.index = 0
        self.count = 0
        self.accumulator: Any = None

    def each(self, start: int = 0, *, backwards: bool = False) -> Iterator[None]:
        """Set the index to one item after the other."""
        for index in range(self.length - 1, -1, -1) if backwards else range(start, self.length):
            self.index = index
            yield

    def item(self) -> Any:
        if isinstance(self.items, dict):
            raise Failure("reflect: call of reflect.Value.Index on map Value")
        item = self.items[self.index]
        return Byte(item) if isinstance(self.items, bytes) else item


def evaluate(node: Node, source: str, environment: Mapping[str, Any], entropy: Entropy) -> Any:
    """The value of an optimized tree. Raises EvaluationError."""
    walker = _Evaluator(environment, entropy)
    try:
        cost.check()
        walker.run(node)
        return walker.stack.pop()
    except Failure as failure:
        raise EvaluationError(with_place(failure.message, source, walker.place)) from None
    except RecursionError:
        raise EvaluationError("expression is nested too deeply") from None
    finally:
        cost.spend(walker.steps, walker.characters)


class _Evaluator:
    """Evaluates with a stack, as expr-lang's machine does, because findLast leaves a value below its result, which others then use."""

    def __init__(self, environment: Mapping[str, Any], entropy: Entropy) -> None:
        self.environment = environment
        self.entropy = entropy
        self.stack: list[Any] = []
        self.locals: dict[str, Any] = {}
        self.loops: list[_Loop] = []
        self.steps = 0
        self.items = 0
        self.characters = 0
        self.place = 0

    def run(self, node: Node) -> None:
        """Put the node's value on the stack."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Failure("evaluation takes too many steps")
        _RUNS[type(node)](self, node)

    def value_of(self, node: Node) -> Any:
        """The node's value, removed from the stack."""
        self.run(node)
        return self.stack.pop()

    def top(self, count: int) -> list[Any]:
        """The top `count` values of the stack, the topmost last."""
        at = len(self.stack) - count
        values = self.stack[at:]
        del self.stack[at:]
        return values

    def grow(self, count: int) -> None:
        self.items += count
        if self.items >= op.MOST_ITEMS:
            raise Failure("memory budget exceeded")

    def write(self, value: Any) -> None:
        """Count the length of a new text, as the sum of all lengths is limited."""
        if isinstance(value, str):
            self.characters += len(value)
            if self.characters > MOST_CHARACTERS:
                raise Failure("memory budget exceeded")

    def read(self, *values: Any) -> None:
        """Count the parts of values that an operation reads, because a text or list of a million parts takes as long as many steps."""
        for value in values:
            if isinstance(value, _LONG):
                self.steps += count_parts(value) // _PARTS_OF_A_STEP
        if self.steps > MOST_STEPS:
            raise Failure("evaluation takes too many steps")

    def read_by(self, operator: str, left: Any, right: Any) -> None:
        """Count what an operator reads. Comparing texts of different lengths and finding a key are fast and do not count."""
        if operator in _SEARCHES:
            self.read(left, right)
        elif operator == "in":
            self.read(None if isinstance(right, dict) else right)
        elif operator in _COMPARES and not (
            isinstance(left, str) and isinstance(right, str) and len(left) != len(right)
        ):
            self.read(right)

    def apply(self, name: str, function: Callable[..., Any], arguments: list[Any]) -> None:
        """Push the result of a function; the sizes of its arguments and result count."""
        if name not in _TAKES_ONE:
            self.read(*arguments)
        value = _apply(name, function, arguments)
        if name in _MAKES_PARTS:
            self.grow(count_parts(value))
        elif isinstance(value, list) and name not in _TAKES_ONE:
            self.grow(len(value))
        self.write(value)
        self.stack.append(value)

    # -- leaves

    def constant(self, node: Constant) -> None:
        self.stack.append(list(node.value) if isinstance(node.value, list) else node.value)

    def name(self, node: Name) -> None:
        if node.name in self.locals:
            self.stack.append(self.locals[node.name])
        elif node.name == "$env":
            self.stack.append(self.environment)
        else:
            self.stack.append(self.environment.get(node.name))

    def pointer(self, node: Pointer) -> None:
        loop = self.loops[-1]
        self.place = node.place
        if node.name == "index":
            self.stack.append(loop.index)
        else:
            self.stack.append(loop.accumulator if node.name == "acc" else loop.item())

    # -- operators

    def unary(self, node: Unary) -> None:
        self.run(node.operand)
        self.place = node.place
        if node.operator in ("!", "not"):
            self.stack.append(not check_boolean(self.stack.pop()))
        elif node.operator == "-":
            self.stack.append(op.negate(self.stack.pop()))

    def holds(self, node: Node) -> bool:
        """Whether the top of the stack is true; it stays there."""
        self.place = node.place
        return check_boolean(self.stack[-1])

    def binary(self, node: Binary) -> None:
        spine = [node]  # a loop instead of recursion, as the tree of a + b + c … is as deep as the expression is long
        while isinstance(spine[-1].left, Binary):
            spine.append(spine[-1].left)
        self.operand(spine[-1].left, spine[-1])
        for operator_node in reversed(spine):
            self.steps += 1
            operator = operator_node.operator
            if operator in ("&&", "and", "||", "or"):
                # expr-lang checks the type of the left side only.
                if self.holds(operator_node) is not (operator in ("||", "or")):
                    self.stack.pop()
                    self.run(operator_node.right)
            elif operator == "??":
                if is_nil(self.stack[-1]):
                    self.stack.pop()
                    self.operand(operator_node.right, operator_node)
            else:
                self.run(operator_node.right)
                right, left = self.stack.pop(), self.stack.pop()
                self.place = operator_node.place
                self.read_by(operator, left, right)
                value = _OPERATIONS[operator](left, right)
                if operator == "..":
                    self.grow(len(value))
                self.write(value)
                self.stack.append(value)

    def operand(self, node: Node, parent: Binary) -> None:
        """Put the value of an operand on the stack. A chain beside `??` may give a nil list."""
        if parent.operator == "??" and isinstance(node, Chain):
            self.chain(node, plain=False)
        else:
            self.run(node)

    def conditional(self, node: Conditional) -> None:
        self.run(node.condition)
        chosen = node.then if self.holds(node) else node.otherwise
        self.stack.pop()
        self.run(chosen)

    def sequence(self, node: Sequence) -> None:
        for child in node.nodes[:-1]:
            self.run(child)
            self.stack.pop()
        self.run(node.nodes[-1])

    def let(self, node: Let) -> None:
        value = self.value_of(node.value)
        saved = self.locals
        self.locals = {**saved, node.name: value}
        self.run(node.body)
        self.locals = saved

    # -- members

    def chain(self, node: Chain, *, plain: bool = True) -> None:
        with suppress(_Nil):
            self.run(node.node)
        if plain and is_nil(self.stack[-1]):
            self.stack[-1] = None

    def member(self, node: Member) -> None:
        self.run(node.node)
        if node.optional and is_nil(self.stack[-1]):
            raise _Nil
        self.run(node.member)
        key, value = self.stack.pop(), self.stack.pop()
        self.place = node.place
        if isinstance(value, str) and not value.isascii():
            self.read(value)
        self.stack.append(op.fetch(value, key))

    def slice(self, node: Slice) -> None:
        self.run(node.node)
        whole = self.stack[-1]
        if node.end is not None:
            self.run(node.end)
        else:
            self.place = node.place
            self.stack.append(op.length(whole))
        if node.start is not None:
            self.run(node.start)
        else:
            self.stack.append(0)
        start, end, value = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self.place = node.place
        if isinstance(value, str) and not value.isascii():
            self.read(value)
        cut = op.slice_of(value, start, end)
        if isinstance(cut, list):
            self.grow(len(cut))
        self.write(cut)
        self.stack.append(cut)

    def array(self, node: Array) -> None:
        for child in node.nodes:
            self.run(child)
        self.place = node.place
        self.gather(len(node.nodes))

    def gather(self, count: int) -> None:
        self.grow(count)
        self.stack.append(self.top(count))

    def map(self, node: Map) -> None:
        for key, value in node.pairs:
            self.run(key)
            self.run(value)
        self.place = node.place
        self.grow(len(node.pairs))
        result: dict[str, Any] = {}
        pairs = self.top(2 * len(node.pairs))
        for at in range(len(pairs) - 2, -1, -2):  # the first of two equal keys wins
            name = pairs[at]
            if not isinstance(name, str):
                type_name = "nil" if name is None else go_type(name)
                raise Failure(f"interface conversion: interface {{}} is {type_name}, not string")
            result[name] = pairs[at + 1]
        self.stack.append({pairs[at]: result[pairs[at]] for at in range(0, len(pairs), 2)})

    # -- calls

    def call(self, node: Call) -> None:
        for argument in node.arguments:
            self.run(argument)
        callee = self.value_of(node.callee)
        self.place = node.place
        if callee is None:
            raise Failure("invalid operation: cannot call nil")
        if not isinstance(callee, Function):
            raise Failure(f"invalid operation: cannot call non-function of type {go_type(callee)}")
        self.apply(callee.name, callee.call, callee.check_arguments(self.top(len(node.arguments))))

    def builtin(self, node: Builtin) -> None:
        looped = _LOOPS.get(node.name)
        if looped is not None:
            self.run_loop(node, looped)
            return
        for argument in node.arguments:
            self.run(argument)
        self.place = node.place
        arguments = self.top(len(node.arguments))
        if node.name == "now":
            self.stack.append(functions.now(self.entropy, *arguments[:1]))
            return
        self.apply(node.name, functions.BUILTINS[node.name], arguments)

    # -- predicates

    def run_loop(self, node: Builtin, how: Callable[[Any, Builtin, _Loop], None]) -> None:
        first = node.arguments[0]
        if node.name == "sum" and len(node.arguments) == 1 and isinstance(first, Array) and len(first.nodes) > 1:
            self.sum_array(node, first)
            return
        values = self.value_of(first)
        self.place = node.place
        loop = _Loop(values)
        self.loops.append(loop)
        how(self, node, loop)
        self.loops.pop()

    def sum_array(self, node: Builtin, array: Array) -> None:
        """The sum of an array in the order of expr-lang's optimizer: a + (b + c)."""
        for child in array.nodes:
            self.run(child)
        self.place = node.place
        for _ in array.nodes[1:]:
            right, left = self.stack.pop(), self.stack.pop()
            self.stack.append(op.add(left, right))

    def run_predicate(self, node: Builtin) -> bool:
        """The value of the predicate for the current item; it stays on the stack."""
        self.run(node.arguments[1])
        return self.holds(node)

    def predicate(self, node: Predicate) -> None:
        self.run(node.node)

    def chosen(self, node: Builtin, loop: _Loop) -> None:
        if node.mapped is not None:
            self.run(node.mapped)
        else:
            self.stack.append(loop.item())

    def quantifier(self, node: Builtin, loop: _Loop) -> None:
        for _ in loop.each():
            verdict = self.run_predicate(node)
            if node.name == "none":
                self.stack[-1] = verdict = not verdict
            if verdict is (node.name == "any"):
                return
            self.stack.pop()
        self.stack.append(node.name != "any")

    def exactly_one(self, node: Builtin, loop: _Loop) -> None:
        for _ in loop.each():
            loop.count += self.run_predicate(node)
            self.stack.pop()
        self.stack.append(loop.count == 1)

    def filter(self, node: Builtin, loop: _Loop) -> None:
        for _ in loop.each():
            verdict = self.run_predicate(node)
            self.stack.pop()
            if verdict:
                loop.count += 1
                self.chosen(node, loop)
        self.gather(loop.count)

    def mapped(self, node: Builtin, loop: _Loop) -> None:
        for _ in loop.each():
            self.run(node.arguments[1])
        self.gather(loop.length)

    def count(self, node: Builtin, loop: _Loop) -> None:
        for _ in loop.each():
            if len(node.arguments) == 2:
                self.run(node.arguments[1])
            else:
                self.stack.append(loop.item())
            verdict = self.holds(node)
            self.stack.pop()
            loop.count += verdict
            if verdict and node.most is not None and loop.count >= node.most:
                break
        self.stack.append(loop.count)

    def sum(self, node: Builtin, loop: _Loop) -> None:
        loop.accumulator = 0
        for _ in loop.each():
            if len(node.arguments) == 2:
                self.run(node.arguments[1])
            else:
                self.stack.append(loop.item())
            self.place = node.place
            loop.accumulator = op.add(self.stack.pop(), loop.accumulator)
        self.stack.append(loop.accumulator)

    def find(self, node: Builtin, loop: _Loop) -> None:
        backwards = "Last" in node.name
        for _ in loop.each(backwards=backwards):
            if backwards:
                self.stack.append(True)  # expr-lang leaves a value on the stack here
            verdict = self.run_predicate(node)
            self.stack.pop()
            if verdict:
                if node.name.endswith("Index"):
                    self.stack.append(loop.index)
                else:
                    self.chosen(node, loop)
                return
        if backwards:
            self.stack.append(False)
        if node.throws:
            raise Failure("reflect: slice index out of range")
        self.stack.append(None)

    def group(self, node: Builtin, loop: _Loop) -> None:
        groups = Groups()
        for _ in loop.each():
            key = self.value_of(node.arguments[1])
            self.place = node.place
            if isinstance(key, list | dict | bytes):
                raise Failure(f"runtime error: hash of unhashable type {go_type(key)}")
            groups.setdefault(key, []).append(loop.item())
        self.stack.append(groups)

    def sort(self, node: Builtin, loop: _Loop) -> None:
        order = self.value_of(node.arguments[2]) if len(node.arguments) > 2 else "asc"
        self.place = node.place
        if not isinstance(order, str):
            raise Failure("sortBy order argument must be a string")
        if order not in ("asc", "desc"):
            raise Failure("unknown order, use asc or desc")
        items, keys = [], []
        for _ in loop.each():
            keys.append(self.value_of(node.arguments[1]))
            items.append(loop.item())
        self.place = node.place
        self.grow(loop.length)
        self.stack.append(functions.order_by(items, keys, order))

    def reduce(self, node: Builtin, loop: _Loop) -> None:
        start = 0
        if len(node.arguments) > 2:
            loop.accumulator = self.value_of(node.arguments[2])
        else:
            if not loop.length:
                raise Failure("reduce of empty array with no initial value")
            loop.accumulator, start = loop.item(), 1
        for _ in loop.each(start):
            loop.accumulator = self.value_of(node.arguments[1])
        self.stack.append(loop.accumulator)


def check_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Failure(f"interface conversion: interface {{}} is {'nil' if value is None else go_type(value)}, not bool")
    return value


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
    "==int": functools.partial(op.equal_typed, "int"),
    "==string": functools.partial(op.equal_typed, "string"),
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
    "in": op.contains,
    "matches": op.matches,
    "contains": lambda left, right: op.text_operator("contains", left, right),
    "startsWith": lambda left, right: op.text_operator("startsWith", left, right),
    "endsWith": lambda left, right: op.text_operator("endsWith", left, right),
}

_RUNS: dict[type[Node], Callable[[Any, Any], Any]] = {
    Constant: _Evaluator.constant,
    Name: _Evaluator.name,
    Pointer: _Evaluator.pointer,
    Unary: _Evaluator.unary,
    Binary: _Evaluator.binary,
    Conditional: _Evaluator.conditional,
    Sequence: _Evaluator.sequence,
    Let: _Evaluator.let,
    Predicate: _Evaluator.predicate,
    Chain: _Evaluator.chain,
    Member: _Evaluator.member,
    Slice: _Evaluator.slice,
    Array: _Evaluator.array,
    Map: _Evaluator.map,
    Call: _Evaluator.call,
    Builtin: _Evaluator.builtin,
}

_LOOPS: dict[str, Callable[[Any, Any, Any], None]] = {
    "all": _Evaluator.quantifier,
    "none": _Evaluator.quantifier,
    "any": _Evaluator.quantifier,
    "one": _Evaluator.exactly_one,
    "filter": _Evaluator.filter,
    "map": _Evaluator.mapped,
    "count": _Evaluator.count,
    "sum": _Evaluator.sum,
    "find": _Evaluator.find,
    "findIndex": _Evaluator.find,
    "findLast": _Evaluator.find,
    "findLastIndex": _Evaluator.find,
    "groupBy": _Evaluator.group,
    "sortBy": _Evaluator.sort,
    "reduce": _Evaluator.reduce,
}
