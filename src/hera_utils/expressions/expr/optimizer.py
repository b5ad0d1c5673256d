"""expr-lang's optimizer. It changes the result of an expression whose types are wrong, or with an operand that is unused or fails.

    true || 1 % 0 == 0     an error: constants are computed before anything runs
    x && false             false, whatever x is
    x in ["a", "b"]        an error when x is not a text

The passes and their order are expr-lang 1.17's, also where a pass hides a tree from the next one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeGuard

from hera_utils.expressions import operations as op
from hera_utils.expressions.expr.lexer import CompileError, with_place
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
    Node,
    Pointer,
    Predicate,
    Sequence,
    Slice,
    Unary,
    children,
)
from hera_utils.expressions.expr.types import UNKNOWN, Nature, nature_named
from hera_utils.expressions.values import Members, go_type, wrap_int64

_MOST_FOLDS = 1000
TYPED_EQUALITY = {"int": "==int", "string": "==string"}


def optimize(node: Node, source: str, natures: dict[int, Nature]) -> Node:
    """The tree to evaluate. natures: the results of the checker, by id(). Raises CompileError (a constant division by zero)."""
    optimizer = _Optimizer(source, natures)
    node = optimizer.walk(node, optimizer.in_array)
    for _ in range(_MOST_FOLDS):
        folded = optimizer.walk(node, optimizer.fold)
        if folded is node:
            break
        node = folded
    node = optimizer.walk(node, optimizer.in_range)
    if any(isinstance(descendant, Builtin) for descendant in _all_nodes(node)):
        for visit in (
            optimizer.filter_map, optimizer.filter_length, optimizer.filter_last, optimizer.filter_first,
            optimizer.combined_predicates, optimizer.sum_range, optimizer.sum_map, optimizer.count_any, optimizer.count_threshold,
        ):  # fmt: skip
            node = optimizer.walk(node, visit)
    return optimizer.walk(node, optimizer.equality, hidden=True)


class _Optimizer:
    def __init__(self, source: str, natures: dict[int, Nature]) -> None:
        self.source = source
        self.natures = natures
        self.replaced: list[Node] = []  # keeps replaced nodes alive, as ids are unique only while their nodes exist

    def nature(self, node: Node) -> Nature:
        return self.natures.get(id(node), UNKNOWN)

    def set_nature(self, node: Node, nature: Nature) -> Node:
        self.replaced.append(node)
        self.natures[id(node)] = nature
        return node

    def walk(self, node: Node, visit: Callable[[Node], Node], *, hidden: bool = False) -> Node:
        """The tree after a visit of every node, children first. hidden: visit also the mapping of a filter, which passes skip."""
        pending: list[tuple[Node, bool]] = [(node, False)]
        done: list[Node] = []
        while pending:
            current, opened = pending.pop()
            below = list(children(current))
            if hidden and isinstance(current, Builtin) and current.mapped is not None:
                below.append(current.mapped)
            if not opened:
                pending.append((current, True))
                pending.extend((child, False) for child in reversed(below))
                continue
            changed = done[len(done) - len(below) :]
            del done[len(done) - len(below) :]
            if any(old is not new for old, new in zip(below, changed, strict=True)):
                current = self.set_nature(_with_children(current, changed), self.nature(current))
            done.append(visit(current))
        return done[0]

    def copy_nature(self, node: Node, new: Node) -> Node:
        return self.set_nature(new, self.nature(node))

    def literal(self, node: Node, value: Any) -> Node:
        return self.set_nature(Constant(node.place, value), nature_named(go_type(value)))

    # -- constants

    def in_array(self, node: Node) -> Node:
        if not (isinstance(node, Binary) and node.operator == "in" and isinstance(node.right, Array)):
            return node
        items = [item.value if isinstance(item, Constant) else None for item in node.right.nodes]
        ints = self.nature(node.left).kind == "int" and all(type(item) is int for item in items)
        if items and (ints or all(type(item) is str for item in items)):
            members = self.set_nature(Constant(node.right.place, Members(items)), UNKNOWN)
            return self.copy_nature(node, Binary(node.place, "in", node.left, members))
        return node

    def fold(self, node: Node) -> Node:
        if isinstance(node, Unary):
            return self.fold_unary(node)
        if isinstance(node, Binary):
            if node.operator in ("and", "&&", "or", "||"):
                return self.fold_verdict(node, stops=node.operator in ("or", "||"))
            return self.fold_binary(node)
        if isinstance(node, Array) and node.nodes:
            values = [item.value if isinstance(item, Constant) else None for item in node.nodes]
            if all(type(value) in (int, float, str, bool) for value in values):
                return self.literal(node, values)
        if isinstance(node, Builtin) and node.name == "filter" and len(node.arguments) == 2:
            base, second = node.arguments
            if isinstance(base, Builtin) and base.name == "filter" and isinstance(second, Predicate):
                first = base.arguments[1]
                assert isinstance(first, Predicate)  # the parser makes no other
                both = Predicate(0, Binary(0, "&&", first.node, second.node))
                return self.copy_nature(node, Builtin(node.place, "filter", (base.arguments[0], both)))
        return node

    def fold_unary(self, node: Unary) -> Node:
        value = node.operand.value if isinstance(node.operand, Constant) else None
        if node.operator in ("!", "not"):
            return self.literal(node, not value) if isinstance(value, bool) else node
        if type(value) in (int, float):
            return self.literal(node, op.negate(value) if node.operator == "-" else value)
        return node

    def fold_verdict(self, node: Binary, *, stops: bool) -> Node:
        left, right = (side.value if isinstance(side, Constant) else None for side in (node.left, node.right))
        if left is (not stops):
            return self.copy_nature(node, dataclasses.replace(node.right, place=node.place))
        if right is (not stops):
            return self.copy_nature(node, dataclasses.replace(node.left, place=node.place))
        if left is stops or right is stops:
            return self.literal(node, stops)
        return node

    def fold_binary(self, node: Binary) -> Node:
        if not (isinstance(node.left, Constant) and isinstance(node.right, Constant)):
            return node
        left, right, operator = node.left.value, node.right.value, node.operator
        types = (type(left), type(right))
        if operator in _ARITHMETIC and types[0] in (int, float) and types[1] in (int, float):
            return self.literal(node, _ARITHMETIC[operator](left, right))
        if operator == "+" and types == (str, str):
            return self.literal(node, left + right)
        if operator == "%" and types == (int, int):
            if right == 0:
                raise CompileError(with_place("integer divide by zero", self.source, node.place))
            return self.literal(node, op.modulo(left, right))
        if operator == "==" and types in ((int, int), (str, str), (bool, bool)):
            return self.literal(node, left == right)
        return node

    # -- ranges and predicates

    def in_range(self, node: Node) -> Node:
        if isinstance(node, Binary) and node.operator == "in" and self.nature(node.left).kind == "int":
            limits = _range(node.right)
            if limits is not None:
                low, high = limits
                above = Binary(0, ">=", node.left, Constant(0, low))
                return self.copy_nature(
                    node, Binary(node.place, "and", above, Binary(0, "<=", node.left, Constant(0, high)))
                )
        return node

    def filter_map(self, node: Node) -> Node:
        if isinstance(node, Builtin) and node.name == "map" and len(node.arguments) == 2:
            base, predicate = node.arguments
            by_index = any(
                isinstance(descendant, Pointer) and descendant.name == "index" for descendant in _all_nodes(predicate)
            )
            if isinstance(predicate, Predicate) and _is(base, "filter") and base.mapped is None and not by_index:
                return self.copy_nature(node, Builtin(node.place, "filter", base.arguments, mapped=predicate.node))
        return node

    def filter_length(self, node: Node) -> Node:
        if isinstance(node, Builtin) and node.name == "len" and len(node.arguments) == 1:
            base = node.arguments[0]
            if _is(base, "filter") and len(base.arguments) == 2:
                return self.copy_nature(node, Builtin(node.place, "count", base.arguments))
        return node

    def filter_last(self, node: Node) -> Node:
        return self.filter_end(node, "last", -1, "findLast")

    def filter_first(self, node: Node) -> Node:
        return self.filter_end(node, "first", 0, "find")

    def filter_end(self, node: Node, function: str, index: int, name: str) -> Node:
        throws = isinstance(node, Member)
        if isinstance(node, Member) and not node.optional and isinstance(node.member, Constant):
            base = node.node if type(node.member.value) is int and node.member.value == index else None
        elif isinstance(node, Builtin) and node.name == function and len(node.arguments) == 1:
            base = node.arguments[0]
        else:
            return node
        if base is None or not _is(base, "filter") or len(base.arguments) != 2:
            return node
        return self.copy_nature(node, Builtin(node.place, name, base.arguments, mapped=base.mapped, throws=throws))

    def combined_predicates(self, node: Node) -> Node:
        if not (isinstance(node, Binary) and isinstance(node.left, Builtin) and isinstance(node.right, Builtin)):
            return node
        left, right = node.left, node.right
        operator = _COMBINED.get((left.name, node.operator))
        if operator is None or left.name != right.name:
            return node
        first_predicate, other = left.arguments[0], right.arguments[0]
        if self.nature(first_predicate).type != self.nature(other).type or _text(first_predicate) != _text(other):
            return node
        first, second = left.arguments[1], right.arguments[1]
        assert isinstance(first, Predicate)  # the parser makes no other
        assert isinstance(second, Predicate)
        both = self.combined_predicates(Binary(0, operator, first.node, second.node))
        return self.copy_nature(node, Builtin(node.place, left.name, (first_predicate, Predicate(0, both))))

    def sum_range(self, node: Node) -> Node:
        """The sum of a range is computed by its formula."""
        if not isinstance(node, Builtin) or node.name not in ("sum", "reduce") or not node.arguments:
            return node
        limits = _range(node.arguments[0])
        if limits is None or limits[1] < limits[0]:
            return node
        count = wrap_int64(limits[1] - limits[0] + 1)
        total: int | None = _half(wrap_int64(count * wrap_int64(limits[0] + limits[1])))
        assert total is not None
        if node.name == "sum":
            if len(node.arguments) == 2:
                total = _sum_of_terms(total, count, node.arguments[1])
        elif not _is_addition(node.arguments[1]):
            return node
        elif len(node.arguments) == 3:
            first = node.arguments[2]
            total = first.value + total if isinstance(first, Constant) and type(first.value) is int else None
        return node if total is None else self.literal(node, wrap_int64(total))

    def sum_map(self, node: Node) -> Node:
        if isinstance(node, Builtin) and node.name == "sum" and len(node.arguments) == 1:
            base = node.arguments[0]
            if _is(base, "map") and len(base.arguments) == 2:
                return self.copy_nature(node, Builtin(node.place, "sum", base.arguments))
        return node

    def count_any(self, node: Node) -> Node:
        counted = _counting_comparison(node)
        if counted is None or (counted[1], counted[2]) not in ((">", 0), (">=", 1)):
            return node
        return self.copy_nature(node, Builtin(node.place, "any", counted[0].arguments))

    def count_threshold(self, node: Node) -> Node:
        counted = _counting_comparison(node)
        if counted is None or counted[1] not in ("<", "<=", ">", ">="):
            return node
        count, operator, limit = counted
        most = limit + 1 if operator in (">", "<=") else limit
        if limit < 0 or most <= 1:
            return node
        assert isinstance(node, Binary)
        return self.copy_nature(
            node, dataclasses.replace(node, left=self.copy_nature(count, dataclasses.replace(count, most=most)))
        )

    # -- compiling

    def equality(self, node: Node) -> Node:
        """Compile the equality of two ints, or two strings, for that type, as the checker determined it."""
        if isinstance(node, Binary) and node.operator in ("==", "!="):
            left, right = self.nature(node.left).type, self.nature(node.right).type
            if left == right and left in TYPED_EQUALITY:
                typed = dataclasses.replace(node, operator=TYPED_EQUALITY[left])
                return typed if node.operator == "==" else Unary(node.place, "!", typed)
        return node


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": op.add, "-": op.subtract, "*": op.multiply, "/": op.divide, "**": op.power, "^": op.power,
}  # fmt: skip
_COMBINED = {
    ("all", "and"): "and", ("all", "&&"): "&&", ("any", "or"): "or", ("any", "||"): "||", ("none", "and"): "or", ("none", "&&"): "||",
}  # fmt: skip


def _is(node: Node, name: str) -> TypeGuard[Builtin]:
    return isinstance(node, Builtin) and node.name == name


def _range(node: Node) -> tuple[int, int] | None:
    """The ends of a range between two integer literals."""
    if isinstance(node, Binary) and node.operator == "..":
        low, high = (side.value if isinstance(side, Constant) else None for side in (node.left, node.right))
        if type(low) is int and type(high) is int:
            return low, high
    return None


def _counting_comparison(node: Node) -> tuple[Builtin, str, int] | None:
    """(the count, operator, integer) of a comparison of a count of a predicate with an integer."""
    if not isinstance(node, Binary) or not isinstance(node.right, Constant) or type(node.right.value) is not int:
        return None
    if not _is(node.left, "count") or len(node.left.arguments) != 2:
        return None
    return node.left, node.operator, node.right.value


def _half(value: int) -> int:
    return value // 2 if value >= 0 else -(-value // 2)


def _is_addition(node: Node) -> bool:
    if not isinstance(node, Predicate) or not isinstance(node.node, Binary) or node.node.operator != "+":
        return False
    sides = (node.node.left, node.node.right)
    return sorted(side.name for side in sides if isinstance(side, Pointer)) == ["", "acc"]


def _sum_of_terms(total: int, count: int, predicate: Node) -> int | None:
    """sum(m..n, # * k) and the like, from the sum and the count of the range."""
    inner = predicate.node if isinstance(predicate, Predicate) else None
    if isinstance(inner, Pointer):
        return total if inner.name == "" else None
    if not isinstance(inner, Binary):
        return None
    pointer_first = isinstance(inner.left, Pointer)
    pointer, literal = (inner.left, inner.right) if pointer_first else (inner.right, inner.left)
    if not (isinstance(pointer, Pointer) and pointer.name == ""):
        return None
    if not (isinstance(literal, Constant) and type(literal.value) is int):
        return None
    if inner.operator == "*":
        return literal.value * total
    if inner.operator == "+":
        return total + count * literal.value
    if inner.operator == "-":
        difference = total - count * literal.value
        return difference if pointer_first else -difference
    return None


def _all_nodes(node: Node) -> list[Node]:
    nodes, at = [node], 0
    while at < len(nodes):
        nodes.extend(children(nodes[at]))
        at += 1
    return nodes


def _text(node: Node) -> str:
    """A text that is the same for trees that are written in the same way."""
    parts = []
    for descendant in _all_nodes(node):
        fields = [
            f"{f.name}={getattr(descendant, f.name)!r}" for f in dataclasses.fields(descendant) if f.name in _PLAIN
        ]
        parts.append(f"{type(descendant).__name__}({','.join(fields)};{len(list(children(descendant)))})")
    return " ".join(parts)


_PLAIN = frozenset({"value", "name", "operator", "optional", "throws"})


def _with_children(node: Node, below: list[Node]) -> Node:
    """The node with other children, in the order of `children`."""
    match node:
        case Unary():
            return dataclasses.replace(node, operand=below[0])
        case Binary():
            return dataclasses.replace(node, left=below[0], right=below[1])
        case Chain() | Predicate():
            return dataclasses.replace(node, node=below[0])
        case Member():
            return dataclasses.replace(node, node=below[0], member=below[1])
        case Slice():
            rest = iter(below[1:])
            start = next(rest) if node.start is not None else None
            return Slice(node.place, below[0], start, next(rest) if node.end is not None else None)
        case Call():
            return Call(node.place, below[0], tuple(below[1:]))
        case Builtin():
            mapped = below.pop() if len(below) > len(node.arguments) else node.mapped
            return dataclasses.replace(node, arguments=tuple(below), mapped=mapped)
        case Sequence() | Array():
            return dataclasses.replace(node, nodes=tuple(below))
        case Let():
            return Let(node.place, node.name, below[0], below[1])
        case Conditional():
            return Conditional(node.place, below[0], below[1], below[2])
        case Map():
            return Map(node.place, tuple(zip(below[::2], below[1::2], strict=True)))
    return node
