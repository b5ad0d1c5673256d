"""The tree of an expression (expr-lang's ast). `place` is the character where messages point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Node:
    place: int


@dataclass(frozen=True, eq=False)
class Constant(Node):
    """nil, true, a number, a string, bytes; after the optimizer also a list or `Members`."""

    value: Any


@dataclass(frozen=True, eq=False)
class Name(Node):
    name: str


@dataclass(frozen=True, eq=False)
class Pointer(Node):
    """`#` (name ""), `#acc`, `#index`, or a bare `.` inside a predicate."""

    name: str


@dataclass(frozen=True, eq=False)
class Unary(Node):
    operator: str
    operand: Node


@dataclass(frozen=True, eq=False)
class Binary(Node):
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, eq=False)
class Chain(Node):
    """An optional chain: a nil before `?.` within it makes the whole chain nil."""

    node: Node


@dataclass(frozen=True, eq=False)
class Member(Node):
    node: Node
    member: Node
    optional: bool = False
    method: bool = False


@dataclass(frozen=True, eq=False)
class Slice(Node):
    node: Node
    start: Node | None
    end: Node | None


@dataclass(frozen=True, eq=False)
class Call(Node):
    callee: Node
    arguments: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Builtin(Node):
    """A function of the language. The other fields are set by the optimizer: of filter and find, the mapping of each kept item;
    of find and findLast, whether no result is an error; of count, where it may stop."""

    name: str
    arguments: tuple[Node, ...]
    mapped: Node | None = None
    throws: bool = False
    most: int | None = None


@dataclass(frozen=True, eq=False)
class Predicate(Node):
    node: Node


@dataclass(frozen=True, eq=False)
class Sequence(Node):
    nodes: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Let(Node):
    name: str
    value: Node
    body: Node


@dataclass(frozen=True, eq=False)
class Conditional(Node):
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, eq=False)
class Array(Node):
    nodes: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Map(Node):
    pairs: tuple[tuple[Node, Node], ...]


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below, in expr-lang's order of walking."""
    match node:
        case Unary():
            yield node.operand
        case Binary():
            yield node.left
            yield node.right
        case Chain() | Predicate():
            yield node.node
        case Member():
            yield node.node
            yield node.member
        case Slice():
            yield node.node
            if node.start is not None:
                yield node.start
            if node.end is not None:
                yield node.end
        case Call():
            yield node.callee
            yield from node.arguments
        case Builtin():
            yield from node.arguments
        case Sequence() | Array():
            yield from node.nodes
        case Let():
            yield node.value
            yield node.body
        case Conditional():
            yield node.condition
            yield node.then
            yield node.otherwise
        case Map():
            for key, value in node.pairs:
                yield key
                yield value
