"""jq filters as far as people use them on objects of Kubernetes: paths, slices, pipes, constructors, conditions and the common functions.

Source: jq 1.7's manual and gojq, which Argo runs. What is not here (variables, reduce, foreach, def, assignment, regular expressions,
dates, paths as values) is refused by name and never guessed. A filter gives any number of values.

    pipe    := comma ('|' pipe)?            postfix := term ('.'name | '[' … ']' | '?')*
    comma   := alternative (',' …)*         term    := '.' | '..' | literal | "text" | '(' pipe ')' | '[' pipe? ']' | '{' … '}'
    alternative := or ('//' alternative)?              | '-' postfix | 'if' … 'end' | name ( '(' pipe (';' pipe)* ')' )?
    or, and, comparison, sum, product: as usual, from loose to tight
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from hera_utils.errors import ExpressionError
from hera_utils.expressions import jq_functions
from hera_utils.expressions.jq_functions import JqError

Values = Iterator[Any]
Filter = Callable[[Any], Values]
_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)"
    r"|(?P<field>\.[A-Za-z_]\w*)|(?P<name>@?[A-Za-z_]\w*)|(?P<sign>\.\.|//=?|[!=<>|+*/%-]=|[][{}()|,;:.?<>+*/%$-]|=))"
)
_REFUSED = frozenset({"def", "reduce", "foreach", "label", "break", "import", "include", "try", "as"})


class _Token(NamedTuple):
    kind: str
    text: str


def evaluate(program: str, document: Any) -> list[Any]:
    """All values that a filter gives for a document. Raises ExpressionError: what it cannot read, or what fails as it runs."""
    try:
        return list(_Parser(program).whole()(document))
    except JqError as error:
        raise ExpressionError(f"the jq filter {program!r} failed: {error}") from None
    except RecursionError:
        raise ExpressionError(f"the jq filter {program!r} nests too deeply") from None


class _Parser:
    def __init__(self, program: str) -> None:
        self._program = program
        self._tokens = _tokens(program)
        self._place = 0

    def whole(self) -> Filter:
        if not self._tokens:
            return lambda value: iter([value])
        found = self._pipe()
        if self._place < len(self._tokens):
            raise self._refusal(self._peek().text)
        return found

    # --- reading ------------------------------------------------------------------------------------------------------
    def _peek(self) -> _Token:
        return self._tokens[self._place] if self._place < len(self._tokens) else _Token("end", "")

    def _next(self) -> _Token:
        token = self._peek()
        self._place += 1
        return token

    def _take(self, *texts: str) -> str:
        """The next token's text if it is one of these, else ""."""
        token = self._peek()
        if token.kind in ("sign", "name") and token.text in texts:
            self._place += 1
            return token.text
        return ""

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._refusal(self._peek().text)

    def _refusal(self, what: str) -> ExpressionError:
        at = f"at {what!r}" if what else "at its end"
        return ExpressionError(
            f"the jq filter {self._program!r} cannot be evaluated here ({at}): use jsonPath, or jq in a task"
        )

    # --- from loose to tight ------------------------------------------------------------------------------------------
    def _pipe(self) -> Filter:
        first = self._comma()
        if not self._take("|"):
            return first
        rest = self._pipe()
        return lambda value: (out for one in first(value) for out in rest(one))

    def _comma(self) -> Filter:
        parts = [self._alternative()]
        while self._take(","):
            parts.append(self._alternative())
        return parts[0] if len(parts) == 1 else lambda value: (out for part in parts for out in part(value))

    def _alternative(self) -> Filter:
        first = self._or()
        if not self._take("//"):
            return first
        other = self._alternative()

        def run(value: Any) -> Values:
            good = [one for one in first(value) if jq_functions.true(one)]
            return iter(good) if good else other(value)

        return run

    def _or(self) -> Filter:
        first = self._and()
        while self._take("or"):
            first = _logic(first, self._and(), stop_at=True)
        return first

    def _and(self) -> Filter:
        first = self._comparison()
        while self._take("and"):
            first = _logic(first, self._comparison(), stop_at=False)
        return first

    def _comparison(self) -> Filter:
        first = self._sum()
        sign = self._take("==", "!=", "<", "<=", ">", ">=")
        return _binary(sign, first, self._sum()) if sign else first

    def _sum(self) -> Filter:
        first = self._product()
        while sign := self._take("+", "-"):
            first = _binary(sign, first, self._product())
        return first

    def _product(self) -> Filter:
        first = self._postfix()
        while sign := self._take("*", "/", "%"):
            first = _binary(sign, first, self._postfix())
        return first

    def _postfix(self) -> Filter:
        found = self._term()
        while True:
            token = self._peek()
            if token.kind == "field":
                self._place += 1
                found = _indexed(found, _constant(token.text[1:]))
            elif self._take("["):
                found = self._bracket(found)
            elif self._take("?"):
                found = _quiet(found)
            elif token.text == "." and self._place + 1 < len(self._tokens):
                self._place += 1
                if self._peek().kind == "text":
                    found = _indexed(found, self._text(self._next().text))
                elif self._peek().text != "[":
                    raise self._refusal(self._peek().text)
            else:
                return found

    def _bracket(self, of: Filter) -> Filter:
        if self._take("]"):
            return lambda value: (out for one in of(value) for out in jq_functions.each(one))
        if self._take(":"):
            end = self._pipe()
            self._expect("]")
            return _sliced(of, _constant(None), end)
        start = self._pipe()
        if not self._take(":"):
            self._expect("]")
            return _indexed(of, start)
        end = _constant(None) if self._peek().text == "]" else self._pipe()
        self._expect("]")
        return _sliced(of, start, end)

    # --- terms --------------------------------------------------------------------------------------------------------
    def _term(self) -> Filter:
        token = self._next()
        if token.kind == "field":
            return _indexed(_identity, _constant(token.text[1:]))
        if token.kind == "number":
            return _constant(jq_functions.number(token.text))
        if token.kind == "text":
            return self._text(token.text)
        if token.kind == "name":
            return self._named(token.text)
        if token.text == "..":
            return jq_functions.everything
        if token.text == ".":
            if self._peek().kind == "text":
                return _indexed(_identity, self._text(self._next().text))
            return _identity
        if token.text == "-":
            return _binary("-", _constant(0), self._postfix())
        if token.text == "(":
            found = self._pipe()
            self._expect(")")
            return found
        if token.text == "[":
            return self._array()
        if token.text == "{":
            return self._object()
        raise self._refusal(token.text)

    def _array(self) -> Filter:
        if self._take("]"):
            return lambda value: iter([[]])
        inner = self._pipe()
        self._expect("]")
        return lambda value: iter([list(inner(value))])

    def _object(self) -> Filter:
        pairs: list[tuple[Filter, Filter]] = []
        while not self._take("}"):
            if pairs:
                self._expect(",")
            token = self._next()
            if token.kind == "name":
                key = _constant(token.text)
            elif token.kind == "text":
                key = self._text(token.text)
            elif token.text == "(":
                key = self._pipe()
                self._expect(")")
            else:
                raise self._refusal(token.text)
            value = self._entry() if self._take(":") else _indexed(_identity, key)
            pairs.append((key, value))
        return lambda value: _objects(pairs, value)

    def _entry(self) -> Filter:
        """The value of an entry: a comma ends it, pipes are allowed between terms."""
        first = self._alternative()
        while self._take("|"):
            first = _piped(first, self._alternative())
        return first

    def _named(self, name: str) -> Filter:
        if name in ("null", "true", "false"):
            return _constant({"null": None, "true": True, "false": False}[name])
        if name == "if":
            return self._condition()
        if name in _REFUSED:
            raise self._refusal(name)
        arguments: list[Filter] = []
        if self._take("("):
            arguments.append(self._pipe())
            while self._take(";"):
                arguments.append(self._pipe())
            self._expect(")")
        function = jq_functions.FUNCTIONS.get((name, len(arguments)))
        if function is None:
            raise self._refusal(f"{name}/{len(arguments)}")
        return lambda value: function(value, *arguments)

    def _condition(self) -> Filter:
        asked = self._pipe()
        self._expect("then")
        yes = self._pipe()
        if self._take("elif"):
            no = self._condition()
        elif self._take("else"):
            no = self._pipe()
            self._expect("end")
        else:
            no = _identity
            self._expect("end")
        return lambda value: (
            out for one in asked(value) for out in (no if one is None or one is False else yes)(value)
        )

    def _text(self, quoted: str) -> Filter:
        """A text, perhaps with `\\(…)` in it; one that holds quotes of its own inside `\\(…)` is not read."""
        parts: list[Filter] = []
        inner, place = quoted[1:-1], 0
        while (start := inner.find("\\(", place)) >= 0:
            depth, end = 1, start + 2
            while end < len(inner) and depth:
                depth += {"(": 1, ")": -1}.get(inner[end], 0)
                end += 1
            if depth:
                raise self._refusal(inner[start:])
            parts += [
                _constant(jq_functions.unquoted(inner[place:start])),
                _as_text(_Parser(inner[start + 2 : end - 1]).whole()),
            ]
            place = end
        parts.append(_constant(jq_functions.unquoted(inner[place:])))
        found = parts[0]
        for part in parts[1:]:
            found = _binary("+", found, part)
        return found


def _tokens(program: str) -> list[_Token]:
    found, place = [], 0
    text = program.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ExpressionError(f"the jq filter {program!r} cannot be read at {text[place:].strip()!r}")
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind]))
        place = match.end()
    return found


def _identity(value: Any) -> Values:
    return iter([value])


def _constant(constant: Any) -> Filter:
    return lambda value: iter([constant])


def _piped(first: Filter, second: Filter) -> Filter:
    return lambda value: (out for one in first(value) for out in second(one))


def _as_text(of: Filter) -> Filter:
    return lambda value: (jq_functions.text(one) for one in of(value))


def _indexed(of: Filter, key: Filter) -> Filter:
    return lambda value: (jq_functions.index(one, at) for one in of(value) for at in key(value))


def _sliced(of: Filter, start: Filter, end: Filter) -> Filter:
    return lambda value: (
        jq_functions.piece(one, low, high) for one in of(value) for high in end(value) for low in start(value)
    )


def _quiet(of: Filter) -> Filter:
    def run(value: Any) -> Values:
        try:
            yield from of(value)
        except JqError:
            return

    return run


def _logic(first: Filter, second: Filter, *, stop_at: bool) -> Filter:
    def run(value: Any) -> Values:
        for left in first(value):
            if jq_functions.true(left) == stop_at:
                yield stop_at
            else:
                yield from (jq_functions.true(right) for right in second(value))

    return run


def _binary(sign: str, first: Filter, second: Filter) -> Filter:
    operation = jq_functions.OPERATIONS[sign]
    return lambda value: (operation(left, right) for right in second(value) for left in first(value))


def _objects(pairs: list[tuple[Filter, Filter]], value: Any) -> Values:
    found: list[dict[str, Any]] = [{}]
    for key, of in pairs:
        following = []
        for one in found:
            for name in key(value):
                if not isinstance(name, str):
                    raise JqError(f"expected a string for object key but got: {jq_functions.described(name)}")
                following += [{**one, name: each} for each in of(value)]
        found = following
    return iter(found)
