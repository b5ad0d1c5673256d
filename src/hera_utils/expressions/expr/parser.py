"""expr-lang 1.17's grammar: tokens become a tree. A Pratt parser; precedences and messages are expr-lang's."""

from __future__ import annotations

import re
from typing import NoReturn

from hera_utils.expressions.expr.lexer import (
    BRACKET,
    BYTES,
    EOF,
    FAULT,
    IDENTIFIER,
    NUMBER,
    OPERATOR,
    STRING,
    CompileError,
    Token,
    is_word_character,
    tokenize,
    with_place,
)
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

UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
# operator → (precedence, whether it associates to the right).
BINARY = {
    "|": (0, False),
    "or": (10, False),
    "||": (10, False),
    "and": (15, False),
    "&&": (15, False),
    "==": (20, False),
    "!=": (20, False),
    "<": (20, False),
    ">": (20, False),
    ">=": (20, False),
    "<=": (20, False),
    "in": (20, False),
    "matches": (20, False),
    "contains": (20, False),
    "startsWith": (20, False),
    "endsWith": (20, False),
    "..": (25, False),
    "+": (30, False),
    "-": (30, False),
    "*": (60, False),
    "/": (60, False),
    "%": (60, False),
    "**": (100, True),
    "^": (100, True),
    "??": (500, False),
}
_NEGATABLE = frozenset({"contains", "matches", "startsWith", "endsWith", "in"})
_COMPARISONS = frozenset({"<", ">", ">=", "<="})

# function → its arguments: "e" an expression, "p" a predicate, "?" makes the following ones optional.
PREDICATES = {
    "all": "ep",
    "none": "ep",
    "any": "ep",
    "one": "ep",
    "filter": "ep",
    "map": "ep",
    "count": "eP",
    "sum": "eP",
    "find": "ep",
    "findIndex": "ep",
    "findLast": "ep",
    "findLastIndex": "ep",
    "groupBy": "ep",
    "sortBy": "epE",
    "reduce": "epE",
}
# fmt: off
BUILTINS = frozenset(PREDICATES) | {
    "len", "type", "abs", "ceil", "floor", "round", "int", "float", "string", "trim", "trimPrefix", "trimSuffix", "upper",
    "lower", "split", "splitAfter", "replace", "repeat", "join", "indexOf", "lastIndexOf", "hasPrefix", "hasSuffix", "max",
    "min", "mean", "median", "toJSON", "fromJSON", "toBase64", "fromBase64", "now", "duration", "date", "timezone", "first",
    "last", "get", "take", "keys", "values", "toPairs", "fromPairs", "reverse", "uniq", "concat", "flatten", "sort", "bitand",
    "bitor", "bitxor", "bitnand", "bitshl", "bitshr", "bitushr", "bitnot",
}
# fmt: on
_LARGEST = (1 << 63) - 1
MOST_NODES = 10_000
DEEPEST = 100


def parse(source: str, overridden: frozenset[str] = frozenset()) -> Node:
    """The tree of an expression. Raises CompileError.

    overridden: names of variables, which hide builtins of the same name.
    """
    parser = _Parser(source, overridden)
    try:
        node = parser.sequence()
    except RecursionError:
        raise CompileError("expression is nested too deeply") from None
    if parser.current.kind != EOF:
        parser.unexpected()
    return node


class _Parser:
    def __init__(self, source: str, overridden: frozenset[str]) -> None:
        self.source = source
        self.overridden = overridden
        self.tokens = tokenize(source)
        self.at = 0
        self.inside_predicates = 0
        self.depth = 0
        self.nodes = 0
        self.check_token()

    # -- tokens

    @property
    def current(self) -> Token:
        return self.tokens[self.at]

    def next(self) -> None:
        if self.current.kind == EOF:
            self.fail("unexpected end of expression")
        self.at += 1
        self.nodes += 1
        self.check_token()
        if self.nodes > MOST_NODES:
            self.fail("compilation failed: expression exceeds maximum allowed nodes")

    def check_token(self) -> None:
        if self.current.kind == FAULT:
            raise CompileError(self.current.value)

    def is_(self, kind: str, value: str | None = None) -> bool:
        token = self.tokens[self.at]
        return token.kind == kind and (value is None or token.value == value)

    def expect(self, kind: str, value: str | None = None) -> Token:
        token = self.current
        if not self.is_(kind, value):
            self.unexpected()
        self.next()
        return token

    def fail(self, message: str, token: Token | None = None) -> NoReturn:
        raise CompileError(with_place(message, self.source, (token or self.current).start))

    def unexpected(self) -> NoReturn:
        self.fail(f"unexpected token {self.current.display()}")

    # -- expressions

    def sequence(self) -> Node:
        nodes = [self.expression(0)]
        while self.is_(OPERATOR, ";"):
            self.next()
            if self.is_(EOF):
                break
            nodes.append(self.expression(0))
        return nodes[0] if len(nodes) == 1 else Sequence(nodes[0].place, tuple(nodes))

    def expression(self, precedence: int) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail("expression is nested too deeply")
        try:
            return self._expression(precedence)
        finally:
            self.depth -= 1

    def _expression(self, precedence: int) -> Node:
        if precedence == 0 and self.is_(OPERATOR, "let"):
            return self.declaration()
        if precedence == 0 and self.is_(OPERATOR, "if"):
            return self.conditional_if()
        left = self.primary()
        previous = ""
        while self.current.kind == OPERATOR:
            operator = self.current
            negation: Token | None = None
            if operator.value == "not":
                following = self.tokens[self.at + 1]
                if following.value not in _NEGATABLE:
                    self.next()
                    self.unexpected()
                if BINARY[following.value][0] < precedence:
                    break
                self.next()
                negation = operator = self.current
            strength, right_first = BINARY.get(operator.value, (-1, False))
            if strength < 0 or strength < precedence:
                break
            self.next()
            if operator.value == "|":
                name = self.expect(IDENTIFIER)
                left = self.call(name, [left])
            elif previous == "??" and operator.value != "??":
                self.fail(
                    f"Operator ({operator.value}) and coalesce expressions (??) cannot be mixed. Wrap either by parentheses.",
                    operator,
                )
            elif operator.value in _COMPARISONS:
                left = self.comparison(left, operator, strength)
            else:
                right = self.expression(strength if right_first else strength + 1)
                left = Binary(operator.start, operator.value, left, right)
                if negation is not None:
                    left = Unary(negation.start, "not", left)
            previous = operator.value
        return self.conditional(left) if precedence == 0 else left

    def comparison(self, left: Node, token: Token, precedence: int) -> Node:
        """`1 < x < 3` means `1 < x && x < 3`."""
        root: Node | None = None
        while True:
            right = self.expression(precedence + 1)
            one = Binary(token.start, token.value, left, right)
            root = one if root is None else Binary(token.start, "&&", root, one)
            left, token = right, self.current
            if token.kind != OPERATOR or token.value not in _COMPARISONS:
                return root
            self.next()

    def declaration(self) -> Node:
        self.expect(OPERATOR, "let")
        name = self.expect(IDENTIFIER)
        self.expect(OPERATOR, "=")
        value = self.expression(0)
        self.expect(OPERATOR, ";")
        return Let(name.start, name.value, value, self.sequence())

    def conditional_if(self) -> Node:
        start = self.current.start
        self.next()
        condition = self.expression(0)
        self.expect(BRACKET, "{")
        then = self.sequence()
        self.expect(BRACKET, "}")
        self.expect(OPERATOR, "else")
        if self.is_(OPERATOR, "if"):
            return Conditional(start, condition, then, self.conditional_if())
        self.expect(BRACKET, "{")
        otherwise = self.sequence()
        self.expect(BRACKET, "}")
        return Conditional(start, condition, then, otherwise)

    def conditional(self, node: Node) -> Node:
        while self.is_(OPERATOR, "?"):
            self.next()
            if self.is_(OPERATOR, ":"):
                self.next()
                then, otherwise = node, self.expression(0)
            else:
                then = self.expression(0)
                self.expect(OPERATOR, ":")
                otherwise = self.expression(0)
            node = Conditional(self.current.start, node, then, otherwise)
        return node

    # -- primaries

    def primary(self) -> Node:
        token = self.current
        if token.kind == OPERATOR and token.value in UNARY:
            self.next()
            return self.postfix(Unary(token.start, token.value, self.expression(UNARY[token.value])))
        if self.is_(BRACKET, "("):
            self.next()
            node = self.sequence()
            self.expect(BRACKET, ")")
            return self.postfix(node)
        if self.inside_predicates and token.kind == OPERATOR and token.value in ("#", "."):
            name = ""
            if token.value == "#":
                self.next()
                if self.is_(IDENTIFIER):
                    name = self.current.value
                    self.next()
            return self.postfix(Pointer(token.start, name))
        if self.is_(OPERATOR, "::"):
            self.next()
            name_token = self.expect(IDENTIFIER)
            return self.postfix(self.call(name_token, [], overrides=False))
        return self.secondary()

    def secondary(self) -> Node:
        token = self.current
        if token.kind == IDENTIFIER:
            self.next()
            if token.value in ("true", "false", "nil"):
                return Constant(token.start, {"true": True, "false": False, "nil": None}[token.value])
            if self.is_(BRACKET, "("):
                return self.postfix(self.call(token, []))
            return self.postfix(Name(token.start, token.value))
        if token.kind == NUMBER:
            self.next()
            return Constant(token.start, self.number(token))
        if token.kind == STRING:
            self.next()
            return self.postfix(Constant(token.start, token.value))
        if token.kind == BYTES:
            self.next()
            return self.postfix(Constant(token.start, token.data))
        if self.is_(BRACKET, "["):
            return self.postfix(self.array(token))
        if self.is_(BRACKET, "{"):
            return self.postfix(self.map(token))
        self.unexpected()

    def number(self, token: Token) -> int | float:
        text = token.value.replace("_", "").lower()
        kinds = {"0x": ("hex", 16), "0b": ("binary", 2), "0o": ("octal", 8)}
        kind, radix = kinds.get(text[:2], ("integer", 10))
        if radix != 16 and re.search("[.e]", text):
            return self.float(text)
        try:
            value = int(text[2:] if radix != 10 else text, radix)
        except ValueError:
            self.fail(f'invalid {kind} literal: strconv.ParseInt: parsing "{token.value}": invalid syntax')
        if value > _LARGEST:
            self.fail(f'invalid {kind} literal: strconv.ParseInt: parsing "{token.value}": value out of range')
        return value

    def float(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            self.fail(f'invalid float literal: strconv.ParseFloat: parsing "{text}": invalid syntax')
        if value == float("inf"):
            self.fail(f'invalid float literal: strconv.ParseFloat: parsing "{text}": value out of range')
        return value

    def array(self, token: Token) -> Node:
        self.expect(BRACKET, "[")
        nodes: list[Node] = []
        while not self.is_(BRACKET, "]"):
            if nodes:
                self.expect(OPERATOR, ",")
                if self.is_(BRACKET, "]"):
                    break
            nodes.append(self.expression(0))
        self.expect(BRACKET, "]")
        return Array(token.start, tuple(nodes))

    def map(self, token: Token) -> Node:
        self.expect(BRACKET, "{")
        pairs: list[tuple[Node, Node]] = []
        while not self.is_(BRACKET, "}"):
            if pairs:
                self.expect(OPERATOR, ",")
                if self.is_(BRACKET, "}"):
                    break
            key_token = self.current
            key: Node
            if key_token.kind in (NUMBER, STRING, IDENTIFIER):
                key = Constant(key_token.start, key_token.value)
                self.next()
            elif self.is_(BRACKET, "("):
                key = self.expression(0)
            else:
                self.fail(
                    "a map key must be a quoted string, a number, a identifier, or an expression enclosed in parentheses "
                    f"(unexpected token {key_token.display()})"
                )
            self.expect(OPERATOR, ":")
            pairs.append((key, self.expression(0)))
        self.expect(BRACKET, "}")
        return Map(token.start, tuple(pairs))

    # -- calls

    def call(self, token: Token, arguments: list[Node], *, overrides: bool = True) -> Node:
        hidden = overrides and token.value in self.overridden
        if token.value in PREDICATES and not hidden:
            return Builtin(token.start, token.value, self.predicate_arguments(PREDICATES[token.value], arguments))
        arguments = self.arguments(arguments)
        if token.value in BUILTINS and not hidden:
            return Builtin(token.start, token.value, tuple(arguments))
        return Call(token.start, Name(token.start, token.value), tuple(arguments))

    def arguments(self, arguments: list[Node]) -> list[Node]:
        given = len(arguments)
        self.expect(BRACKET, "(")
        while not self.is_(BRACKET, ")"):
            if len(arguments) > given:
                self.expect(OPERATOR, ",")
            if self.is_(BRACKET, ")"):
                break
            arguments.append(self.expression(0))
        self.expect(BRACKET, ")")
        return arguments

    def predicate_arguments(self, kinds: str, arguments: list[Node]) -> tuple[Node, ...]:
        self.expect(BRACKET, "(")
        kinds = kinds[len(arguments) :]
        for index, kind in enumerate(kinds):
            if self.is_(BRACKET, ")"):
                if kind.isupper():
                    break
                self.fail(f"expected at least {len(kinds)} arguments")
            if index > 0:
                self.expect(OPERATOR, ",")
            arguments.append(self.expression(0) if kind in "eE" else self.predicate())
        if self.is_(OPERATOR, ","):
            self.next()
        self.expect(BRACKET, ")")
        return tuple(arguments)

    def predicate(self) -> Node:
        start = self.current.start
        braces = self.is_(BRACKET, "{")
        if braces:
            self.next()
        self.inside_predicates += 1
        if braces:
            node = self.sequence()
        else:
            node = self.expression(0)
            if self.is_(OPERATOR, ";"):
                self.fail("wrap predicate with brackets { and }")
        self.inside_predicates -= 1
        if braces:
            self.expect(BRACKET, "}")
        return Predicate(start, node)

    def postfix(self, node: Node) -> Node:
        while True:
            token = self.current
            if token.kind == OPERATOR and token.value in (".", "?."):
                optional = token.value == "?."
                self.next()
                if optional and self.is_(BRACKET, "["):
                    node = self.subscript(node, optional=True)
                else:
                    node = self.property(node, optional=optional)
            elif token.kind == BRACKET and token.value == "[":
                node = self.subscript(node, optional=False)
            else:
                return node

    def property(self, node: Node, *, optional: bool) -> Node:
        token = self.current
        self.next()
        words = token.kind == OPERATOR and token.value and all(map(is_word_character, token.value))
        if token.kind != IDENTIFIER and not words:
            self.fail("expected name")
        chain = isinstance(node, Chain)
        if isinstance(node, Chain):
            node = node.node
        name = Constant(token.start, token.value)
        if self.is_(BRACKET, "("):
            member = Member(token.start, node, name, optional, method=True)
            node = Call(token.start, member, tuple(self.arguments([])))
        else:
            node = Member(token.start, node, name, optional)
        return Chain(token.start, node) if chain or optional else node

    def subscript(self, node: Node, *, optional: bool) -> Node:
        place = self.current.start
        self.expect(BRACKET, "[")
        start: Node | None = None
        end: Node | None = None
        if not self.is_(OPERATOR, ":"):
            start = self.expression(0)
            if not self.is_(OPERATOR, ":"):
                self.expect(BRACKET, "]")
                node = Member(place, node, start, optional)
                return Chain(place, node) if optional else node
        self.next()
        if not self.is_(BRACKET, "]"):
            end = self.expression(0)
        self.expect(BRACKET, "]")
        return Slice(place, node, start, end)
