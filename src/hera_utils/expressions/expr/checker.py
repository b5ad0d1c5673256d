"""expr-lang's checker: it refuses an expression with wrong types before the evaluation, also in parts that would not be evaluated.

`1 == "a"` is an error, `inputs.parameters.n == 1` is not: the types of values in maps are known only in the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

from hera_utils.expressions import regexp
from hera_utils.expressions.expr.builtin_signatures import RULES
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
    Name,
    Node,
    Pointer,
    Predicate,
    Sequence,
    Slice,
    Unary,
)
from hera_utils.expressions.expr.parser import BUILTINS as BUILTIN_NAMES
from hera_utils.expressions.expr.types import (
    ANY,
    BOOL,
    BUILTINS,
    DURATION,
    FLOAT,
    GROUPS,
    INT,
    LIST,
    MAP,
    METHODS,
    NIL,
    STRING,
    TIME,
    UNKNOWN,
    Nature,
    Signature,
    list_of,
    nature_named,
)
from hera_utils.expressions.values import Failure


def check(node: Node, source: str, environment: Mapping[str, Nature]) -> dict[int, Nature]:
    """The natures of the nodes, by id(). Raises CompileError with expr-lang's message: types that do not fit, an unknown name."""
    checker = _Checker(source, environment)
    try:
        checker.visit(node)
    except RecursionError:
        raise CompileError("expression is nested too deeply") from None
    return checker.natures


class _Mismatch(CompileError):
    """An overload of a function does not fit; another one may."""


class _Checker:
    def __init__(self, source: str, environment: Mapping[str, Nature]) -> None:
        self.source = source
        self.environment = environment
        self.variables: list[tuple[str, Nature]] = []
        self.predicates: list[tuple[Nature, dict[str, Nature]]] = []
        self.natures: dict[int, Nature] = {}

    def fail(self, node: Node, message: str) -> NoReturn:
        raise CompileError(with_place(message, self.source, node.place))

    def mismatch(self, node: Node, message: str) -> NoReturn:
        raise _Mismatch(with_place(message, self.source, node.place))

    def visit(self, node: Node) -> Nature:
        nature = _VISITS[type(node)](self, node)
        self.natures[id(node)] = nature
        return nature

    # -- leaves

    def constant(self, node: Constant) -> Nature:
        value = node.value
        if value is None:
            return NIL
        if isinstance(value, bool):
            return BOOL
        if isinstance(value, bytes):
            return nature_named("[]uint8")
        return STRING if isinstance(value, str) else INT if isinstance(value, int) else FLOAT

    def name(self, node: Name) -> Nature:
        for name, nature in reversed(self.variables):
            if name == node.name:
                return nature
        if node.name == "$env":
            return UNKNOWN
        return self.identifier(node, node.name, builtins=True)

    def identifier(self, node: Node, name: str, *, builtins: bool, strict: bool = True) -> Nature:
        nature = self.environment.get(name)
        if nature is not None:
            return nature
        if builtins and name in BUILTIN_NAMES:
            return Nature("func")
        if strict:
            self.fail(node, f"unknown name {name}")
        return UNKNOWN

    def pointer(self, node: Pointer) -> Nature:
        if not self.predicates:
            self.fail(node, "cannot use pointer accessor outside predicate")
        collection, names = self.predicates[-1]
        if node.name == "":
            return collection.item if collection.kind == "slice" else UNKNOWN
        if node.name not in names:
            self.fail(node, f"unknown pointer #{node.name}")
        return names[node.name]

    # -- operators

    def unary(self, node: Unary) -> Nature:
        nature = self.visit(node.operand)
        if node.operator in ("!", "not"):
            if nature.type == "bool" or nature.unknown:
                return BOOL
        elif nature.number or nature.unknown:
            return nature if nature.number else UNKNOWN
        self.fail(node, f"invalid operation: {node.operator} (mismatched type {nature.display})")

    def binary(self, node: Binary) -> Nature:
        # A loop instead of recursion, as the tree of a chain of operators is as deep as the chain is long.
        chain = [node]
        while isinstance(chain[-1].left, Binary):
            chain.append(chain[-1].left)
        nature = self.visit(chain[-1].left)
        for link in reversed(chain):
            nature = self.check_operands(link, nature, self.visit(link.right))
            self.natures[id(link)] = nature
        return nature

    def check_operands(self, node: Binary, left: Nature, right: Nature) -> Nature:
        operator = node.operator
        if operator == "in":
            nature = self.check_in(node, left, right)
        elif operator == "??":
            return _coalesced_nature(left, right)
        elif operator in ("==", "!="):
            nature = BOOL if left.comparable_to(right) else None
        else:
            if operator == "matches" and isinstance(node.right, Constant) and isinstance(node.right.value, str):
                self.pattern(node, node.right.value)
            nature = _arithmetic_nature(operator, left, right)
        if nature is None:
            self.fail(node, f"invalid operation: {operator} (mismatched types {left.display} and {right.display})")
        return nature

    def pattern(self, node: Node, pattern: str) -> None:
        try:
            regexp.compile_pattern(pattern)
        except Failure as failure:
            self.fail(node, failure.message)

    def check_in(self, node: Binary, left: Nature, right: Nature) -> Nature | None:
        if right.kind == "struct":
            return BOOL if left.type == "string" or left.unknown else None
        if right.kind == "map":
            if not left.unknown and not left.assignable_to(right.key):
                self.fail(node, f"cannot use {left.display} as type {right.key.display} in map key")
            return BOOL
        if right.kind == "slice":
            if not left.comparable_to(right.item):
                self.fail(node, f"cannot use {left.display} as type {right.item.display} in array")
            return BOOL
        if right.unknown or (left.unknown and right.type == "string"):
            return BOOL
        return None

    def conditional(self, node: Conditional) -> Nature:
        condition = self.visit(node.condition)
        if condition.type != "bool" and not condition.unknown:
            self.fail(node.condition, f"non-bool expression (type {condition.display}) used as condition")
        then, otherwise = self.visit(node.then), self.visit(node.otherwise)
        if then.nil or otherwise.nil:
            return otherwise if then.nil else then
        if not then.assignable_to(otherwise):
            return UNKNOWN
        if then.kind == otherwise.kind == "slice":
            one, other = then.item, otherwise.item
            if not one.assignable_to(other) or not other.assignable_to(one):
                return nature_named(LIST)
        return then

    def sequence(self, node: Sequence) -> Nature:
        nature = UNKNOWN
        for child in node.nodes:
            nature = self.visit(child)
        return nature

    def let(self, node: Let) -> Nature:
        if node.name in self.environment:
            self.fail(node, f"cannot redeclare {node.name}")
        if node.name in BUILTIN_NAMES:
            self.fail(node, f"cannot redeclare builtin {node.name}")
        if any(node.name == name for name, _ in self.variables):
            self.fail(node, f"cannot redeclare variable {node.name}")
        self.variables.append((node.name, self.visit(node.value)))
        nature = self.visit(node.body)
        self.variables.pop()
        return nature

    # -- members

    def chain(self, node: Chain) -> Nature:
        return self.visit(node.node)

    def member(self, node: Member) -> Nature:
        constant = node.member.value if isinstance(node.member, Constant) else None
        name = constant if isinstance(constant, str) else None
        if isinstance(node.node, Name) and node.node.name == "$env":
            if name is None:
                return UNKNOWN
            return self.identifier(node, name, builtins=False, strict=not node.optional)
        base, member = self.visit(node.node), self.visit(node.member)
        if base.unknown:
            return UNKNOWN
        if name is not None:
            if base.nil:
                self.fail(node, f"type nil has no field {name}")
            methods = METHODS.get(base.type or "", {}).get(name)
            if methods:
                return Nature("func", signature=methods[0])
        if base.kind == "map":
            if not member.assignable_to(base.key) and not member.unknown:
                self.fail(node.member, f"cannot use {member.display} to get an element from {base.display}")
            return base.item
        if base.kind == "slice":
            if not member.integer and not member.unknown:
                self.fail(node.member, f"array elements can only be selected using an integer (got {member.display})")
            return base.item
        if name is not None:
            self.fail(node, f"type {base.display} has no {'method' if node.method else 'field'} {name}")
        self.fail(node, f"type {base.display}[{member.display}] is undefined")

    def slice(self, node: Slice) -> Nature:
        nature = self.visit(node.node)
        if nature.unknown:
            return UNKNOWN
        if nature.kind not in ("string", "slice"):
            self.fail(node, f"cannot slice {nature.display}")
        for limit in (node.start, node.end):
            if limit is not None:
                nature_of_limit = self.visit(limit)
                if not nature_of_limit.integer and not nature_of_limit.unknown:
                    self.fail(limit, f"non-integer slice index {nature_of_limit.display}")
        return nature

    def array(self, node: Array) -> Nature:
        natures = [self.visit(child) for child in node.nodes]
        if not natures:
            return list_of(UNKNOWN)
        return list_of(natures[-1]) if len({nature.kind for nature in natures}) == 1 else nature_named(LIST)

    def map(self, node: Map) -> Nature:
        for key, value in node.pairs:
            self.visit(key)
            self.visit(value)
        return nature_named(MAP)

    # -- calls

    def call(self, node: Call) -> Nature:
        callee = node.callee
        if isinstance(callee, Name) and callee.name == "$env":
            self.fail(node, "map[string]interface {} is not callable")
        nature = self.visit(callee)
        if nature.unknown:
            return UNKNOWN
        name = "function"
        if isinstance(callee, Name):
            name = callee.name
        elif (
            isinstance(callee, Member) and isinstance(callee.member, Constant) and isinstance(callee.member.value, str)
        ):
            name = callee.member.value
        if nature.nil:
            self.fail(node, f"{name} is nil; cannot call nil as function")
        if nature.kind != "func":
            self.fail(node, f"{nature.display} is not callable")
        if nature.signature is None:
            for argument in node.arguments:
                self.visit(argument)
            return UNKNOWN
        return self.arguments(name, nature.signature, node.arguments, node)

    def arguments(self, name: str, signature: Signature, arguments: tuple[Node, ...], node: Node) -> Nature:
        few, many = len(arguments) < len(signature.parameters), len(arguments) > len(signature.parameters)
        if few or many:
            for argument in arguments:
                self.argument(argument)
            self.mismatch(node, f"{'not enough' if few else 'too many'} arguments to call {name}")
        for parameter, argument in zip(signature.parameters, arguments, strict=True):
            nature, expected = self.argument(argument), nature_named(parameter)
            if nature.nil:
                if expected.kind not in ("ptr", "interface"):
                    self.mismatch(argument, f"cannot use nil as argument (type {parameter}) to call {name}")
            elif (
                not nature.unknown and not nature.assignable_to(expected) and not (expected.integer and nature.integer)
            ):
                self.mismatch(argument, f"cannot use {nature.display} as argument (type {parameter}) to call {name} ")
        return nature_named(signature.result)

    def argument(self, node: Node) -> Nature:
        """Check an argument. An error within it is final: no other overload can help."""
        try:
            return self.visit(node)
        except _Mismatch as error:
            raise CompileError(error.message) from None

    def builtin(self, node: Builtin) -> Nature:
        looped = _LOOPS.get(node.name)
        if looped is not None:
            return self.loop(node, looped)
        if node.name == "get":
            return self.get(node)
        if node.name in BUILTINS:
            return self.check_overloads(node)
        natures = [self.visit(argument) for argument in node.arguments]
        return self.check_rule(node, [nature_named(ANY) if nature.unknown else nature for nature in natures])

    def check_overloads(self, node: Builtin) -> Nature:
        last: _Mismatch | None = None
        for signature in BUILTINS[node.name]:
            try:
                return self.arguments(node.name, signature, node.arguments, node)
            except _Mismatch as error:
                last = error
        assert last is not None  # every builtin has an overload
        raise last

    def check_rule(self, node: Builtin, natures: list[Nature]) -> Nature:
        result = RULES[node.name](natures)
        if isinstance(result, str):
            self.fail(node, result)
        return result

    def get(self, node: Builtin) -> Nature:
        if len(node.arguments) != 2:
            self.fail(node, f"invalid number of arguments (expected 2, got {len(node.arguments)})")
        base, member = (self.visit(argument) for argument in node.arguments)
        if base.unknown:
            return UNKNOWN
        if base.kind == "slice":
            if not member.integer and not member.unknown:
                self.fail(node.arguments[1], f"non-integer slice index {member.display}")
            return base.item
        if base.kind == "map":
            if not member.assignable_to(base.key) and not member.unknown:
                self.fail(node.arguments[1], f"cannot use {member.display} to get an element from {base.display}")
            return base.item
        self.fail(node.arguments[0], f"type {base.display} does not support indexing")

    # -- predicates

    def loop(self, node: Builtin, result: Callable[[Nature, Nature], Nature]) -> Nature:
        collection = self.visit(node.arguments[0])
        if collection.kind != "slice" and not collection.unknown:
            self.fail(node.arguments[0], f"builtin {node.name} takes only array (got {collection.display})")
        if len(node.arguments) == 1:
            return INT if node.name == "count" else collection.item
        names: dict[str, Nature] = {}
        if node.name in ("map", "reduce"):
            names["index"] = INT
        if node.name == "reduce":
            names["acc"] = UNKNOWN
        self.predicates.append((collection, names))
        predicate = self.visit(node.arguments[1])
        self.predicates.pop()
        if len(node.arguments) == 3:
            extra = self.visit(node.arguments[2])
            if node.name == "sortBy" and extra.type != "string" and not extra.unknown:
                self.fail(node.arguments[2], f"sortBy order argument must be a string (got {extra.display})")
        if predicate.nil:
            outputs = "two input" if node.name == "reduce" else "one input"
            self.fail(node.arguments[1], f"predicate should has {outputs} and one output param")
        if node.name in _VERDICTS and predicate.type != "bool" and not predicate.unknown:
            self.fail(node.arguments[1], f"predicate should return boolean (got {predicate.display})")
        return result(collection, predicate)

    def predicate(self, node: Predicate) -> Nature:
        return self.visit(node.node)


def _coalesced_nature(left: Nature, right: Nature) -> Nature:
    if left.nil or right.nil:
        return right if left.nil else left
    return left if right.assignable_to(left) else UNKNOWN


def _promoted_nature(left: Nature, right: Nature) -> Nature:
    return FLOAT if "float64" in (left.type, right.type) else INT


_TEXT_OPERATORS = frozenset({"contains", "startsWith", "endsWith", "matches"})
# (operator, left, right) → type of the result, for types other than plain numbers.
_MIXED: dict[tuple[str, str, str], str] = {
    ("-", TIME, TIME): DURATION,
    ("-", TIME, DURATION): TIME,
    ("-", DURATION, DURATION): DURATION,
    ("+", "string", "string"): "string",
    ("+", TIME, DURATION): TIME,
    ("+", DURATION, TIME): TIME,
    ("+", DURATION, DURATION): DURATION,
    ("*", DURATION, DURATION): DURATION,
}
_CHECKS = {"+": "nstd", "-": "ntd", "*": "nd", "/": "n", "**": "n", "^": "n", "%": "i", "..": "i"}


def _arithmetic_nature(operator: str, left: Nature, right: Nature) -> Nature | None:
    """The type of an operator's result, None when the sides do not fit."""
    if operator in ("&&", "and", "||", "or"):
        fits = left.type == right.type == "bool" or left.maybe_compatible(right, "b")
        return BOOL if fits else None
    if operator in ("<", ">", "<=", ">="):
        same = left.type == right.type and left.is_any_of("std")
        return BOOL if same or (left.number and right.number) or left.maybe_compatible(right, "nstd") else None
    if operator in _TEXT_OPERATORS:
        texts = ("string", "[]uint8") if operator == "matches" else ("string",)
        return BOOL if (left.type in texts and right.type == "string") or left.maybe_compatible(right, "s") else None
    compatible = left.maybe_compatible(right, _CHECKS[operator])
    if operator == "..":
        return list_of(INT) if compatible or (left.integer and right.integer) else None
    if operator == "%":
        return INT if compatible or (left.integer and right.integer) else None
    if operator in ("/", "**", "^"):
        return FLOAT if compatible or (left.number and right.number) else None
    if left.number and right.number:
        return _promoted_nature(left, right)
    mixed = _MIXED.get((operator, left.type or "", right.type or ""))
    if mixed is not None:
        return nature_named(mixed)
    if operator == "*" and {left.type, right.type} >= {DURATION} and (left.number or right.number):
        return nature_named(DURATION)
    return UNKNOWN if compatible else None


_VERDICTS = frozenset(
    ["all", "none", "any", "one", "filter", "count", "find", "findLast", "findIndex", "findLastIndex"]
)
_LOOPS: dict[str, Callable[[Nature, Nature], Nature]] = {
    **dict.fromkeys(("all", "none", "any", "one"), lambda collection, predicate: BOOL),
    **dict.fromkeys(("count", "findIndex", "findLastIndex"), lambda collection, predicate: INT),
    **dict.fromkeys(("find", "findLast"), lambda collection, predicate: collection.item),
    "filter": lambda collection, predicate: nature_named(LIST) if collection.unknown else list_of(collection.item),
    "map": lambda collection, predicate: list_of(predicate),
    "sum": lambda collection, predicate: predicate,
    "groupBy": lambda collection, predicate: Nature(GROUPS),
    "sortBy": lambda collection, predicate: collection,
    "reduce": lambda collection, predicate: predicate,
}

_VISITS: dict[type[Node], Callable[..., Nature]] = {
    Constant: _Checker.constant,
    Name: _Checker.name,
    Pointer: _Checker.pointer,
    Unary: _Checker.unary,
    Binary: _Checker.binary,
    Conditional: _Checker.conditional,
    Sequence: _Checker.sequence,
    Let: _Checker.let,
    Chain: _Checker.chain,
    Member: _Checker.member,
    Slice: _Checker.slice,
    Array: _Checker.array,
    Map: _Checker.map,
    Call: _Checker.call,
    Builtin: _Checker.builtin,
    Predicate: _Checker.predicate,
}
