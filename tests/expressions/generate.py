# ruff: noqa: E501 - lists of cases
"""Random expressions, drawn from a seed: mostly sensible, with some nonsense."""

from __future__ import annotations

import random
from typing import Any

VARIABLES: dict[str, Any] = {
    "inputs.parameters.n": "5",
    "inputs.parameters.s": "hello world",
    "inputs.parameters.json": '{"a": [1, 2.5, "x"], "b": {"c": null, "d": true}}',
    "inputs.parameters.list": "[3, 1, 2]",
    "inputs.parameters.empty": "",
    "workflow.name": "wf-x7",
    "tasks.A.outputs.result": "7",
    "tasks.A.status": "Succeeded",
    "tasks.B.outputs.result": None,
    "item": "item-1",
    "item.a": "1",
    "number": 3.5,
    "flag": True,
    "steps.a-b.outputs.result": "dashed",
    "box": {"x": 1, "y": [1, 2]},
    "array": ["b", "a", "c"],
}

_TEXTS = [
    "",
    "a",
    "abc",
    "a,b,c",
    " x ",
    "10",
    "-3",
    "1.5",
    "0x1f",
    "010",
    "true",
    "é",
    "2023-08-14",
    "1h30m",
    "[1]",
    '{"k":1}',
    "A_b-cD",
]
_NUMBERS = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "10",
    "100",
    "-1",
    "1.5",
    "0.1",
    "2.0",
    "1e3",
    "0x10",
    "1_000",
    "0b11",
    "0o17",
    ".5",
]
_NAMES = [
    "inputs.parameters.n", "inputs.parameters.s", "inputs.parameters.json", "inputs.parameters.list", "inputs.parameters.empty",
    "workflow.name", "tasks.A.outputs.result", "tasks.B.outputs.result", "tasks.A.status", "item", "item.a", "number", "flag",
    "steps['a-b'].outputs.result", "box", "box.x", "box.y", "array", "inputs.parameters.nope", "unknown", "inputs?.parameters?.zz",
    "tasks.C?.outputs", "nil",
]  # fmt: skip
_BINARY = ["+", "-", "*", "/", "%", "**", "^", "==", "!=", "<", ">", "<=", ">=", "in", "not in", "contains", "startsWith", "endsWith",
           "matches", "&&", "||", "and", "or", "..", "??", "not contains"]  # fmt: skip

_PATTERNS = ['"^a"', '"[0-9]+$"', '"("', '"(?i)HELLO"', '"\\\\d"']
_MEMBERS = [".a", "?.b", ".a.b", "?.a?.b", '["c d"]', ".a[0]"]
_PATHS = ['"$.a[0]"', '"$.b.d"', '"$..c"', '"$.a[-1:]"', '"$.zz"']


class Generator:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def pick(self, choices: list[Any]) -> Any:
        return self.random.choice(choices)

    def text(self) -> str:
        text = self.pick(_TEXTS)
        if self.random.random() < 0.1:
            return "`" + text + "`"
        return (
            "'" + text.replace("'", "\\'") + "'" if self.random.random() < 0.6 else '"' + text.replace('"', '\\"') + '"'
        )

    def any(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.12:
            return self.leaf()
        return self.pick(
            [
                self.number,
                self.string,
                self.boolean,
                self.list,
                self.map,
                self.mixed,
                self.mixed,
                self.rare,
                self.rare,
                self.odd,
            ]
        )(depth - 1)

    def leaf(self) -> str:
        return self.pick(
            [
                lambda: self.pick(_NUMBERS),
                self.text,
                lambda: self.pick(_NAMES),
                lambda: self.pick(["true", "false", "nil"]),
            ]
        )()

    def number(self, depth: int) -> str:
        if depth <= 0:
            return self.pick([*_NUMBERS, "asInt(inputs.parameters.n)", "number"])
        d = depth - 1
        return self.pick([
            lambda: f"{self.number(d)} {self.pick(['+', '-', '*', '/', '%', '**'])} {self.number(d)}",
            lambda: f"({self.number(d)})",
            lambda: f"-{self.number(d)}",
            lambda: f"{self.pick(['int', 'float', 'asInt', 'asFloat', 'abs', 'ceil', 'floor', 'round', 'string'])}({self.any(d)})",
            lambda: f"len({self.any(d)})",
            lambda: f"{self.pick(['max', 'min', 'mean', 'median', 'sum'])}({self.list(d)})",
            lambda: f"{self.pick(['count', 'findIndex', 'findLastIndex'])}({self.list(d)}, {self.predicate(d)})",
            lambda: f"{self.pick(['bitand', 'bitor', 'bitxor', 'bitshl', 'bitshr', 'bitushr', 'bitnand'])}({self.number(d)}, {self.number(d)})",
            lambda: f"indexOf({self.string(d)}, {self.string(d)})",
            lambda: f"reduce({self.list(d)}, #acc + #, {self.number(d)})",
            lambda: f"({self.boolean(d)} ? {self.number(d)} : {self.number(d)})",
            lambda: self.pick(_NUMBERS),
        ])()  # fmt: skip

    def string(self, depth: int) -> str:
        if depth <= 0:
            return self.pick([self.text(), "inputs.parameters.s", "workflow.name", "item"])
        d = depth - 1
        return self.pick([
            lambda: f"{self.string(d)} + {self.string(d)}",
            lambda: f"{self.pick(['upper', 'lower', 'trim', 'string', 'toJSON', 'toJson', 'type', 'toBase64', 'fromBase64'])}({self.any(d)})",
            lambda: f"{self.pick(['trimPrefix', 'trimSuffix', 'trim'])}({self.string(d)}, {self.string(d)})",
            lambda: f"replace({self.string(d)}, {self.string(d)}, {self.string(d)})",
            lambda: f"join({self.list(d)}, {self.string(d)})",
            lambda: f"repeat({self.string(d)}, {self.pick(['0', '1', '3', '-1', '1.0'])})",
            lambda: f"{self.string(d)}[{self.pick(['0', '1', '-1', ':2', '1:', '1:3', '-2:', '9'])}]",
            lambda: f"({self.boolean(d)} ? {self.string(d)} : {self.string(d)})",
            self.text,
        ])()  # fmt: skip

    def boolean(self, depth: int) -> str:
        if depth <= 0:
            return self.pick(["true", "false", "flag"])
        d = depth - 1
        return self.pick([
            lambda: f"{self.any(d)} {self.pick(['==', '!=', 'in', 'not in'])} {self.any(d)}",
            lambda: f"{self.number(d)} {self.pick(['<', '>', '<=', '>=', '=='])} {self.number(d)}",
            lambda: f"{self.string(d)} {self.pick(['contains', 'startsWith', 'endsWith', '<', '==', 'not contains'])} {self.string(d)}",
            lambda: f"{self.boolean(d)} {self.pick(['&&', '||', 'and', 'or', '=='])} {self.boolean(d)}",
            lambda: f"{self.pick(['!', 'not '])}{self.boolean(d)}",
            lambda: f"{self.pick(['all', 'none', 'any', 'one'])}({self.list(d)}, {self.predicate(d)})",
            lambda: f"{self.string(d)} matches {self.pick(_PATTERNS)}",
            lambda: f"({self.boolean(d)})",
            lambda: f"{self.pick(['hasPrefix', 'hasSuffix'])}({self.string(d)}, {self.string(d)})",
            lambda: f"{self.number(d)} < {self.number(d)} < {self.number(d)}",
        ])()  # fmt: skip

    def list(self, depth: int) -> str:
        if depth <= 0:
            return self.pick(
                [
                    "[]",
                    "[1, 2, 3]",
                    "1..3",
                    '["a", "b"]',
                    "array",
                    "[3, 1, 2]",
                    "[1, 'a', nil]",
                    "[1.5, 2]",
                    "[[1], [2, 3]]",
                    "box.y",
                ]
            )
        d = depth - 1
        return self.pick([
            lambda: f"[{', '.join(self.any(d) for _ in range(self.random.randrange(4)))}]",
            lambda: f"{self.number(d)}..{self.number(d)}",
            lambda: f"split({self.string(d)}, {self.string(d)})",
            lambda: f"{self.pick(['filter', 'map', 'sortBy', 'groupBy', 'find', 'findLast'])}({self.list(d)}, {self.predicate(d)})",
            lambda: f"{self.pick(['sort', 'reverse', 'uniq', 'flatten', 'first', 'last'])}({self.list(d)})",
            lambda: f"take({self.list(d)}, {self.pick(['0', '1', '2', '9'])})",
            lambda: f"concat({self.list(d)}, {self.list(d)})",
            lambda: f"{self.list(d)}[{self.pick(['1:', ':1', '0:2', '-1:', '0', '-1'])}]",
            lambda: f"{self.list(d)} | {self.pick(['map(# + 1)', 'filter(# > 1)', 'sum()', 'len()', 'reverse()', 'sort()', 'map(string(#))'])}",
            lambda: "fromJSON(inputs.parameters.list)",
            lambda: f"values({self.map(d)})" if self.random.random() < 0.3 else f"[{self.map(d)}]",
        ])()  # fmt: skip

    def map(self, depth: int) -> str:
        if depth <= 0:
            return self.pick(["{}", "{a: 1}", "{'b': 2, c: 'x'}", "box", "inputs.parameters"])
        d = depth - 1
        return self.pick([
            lambda: "{" + ", ".join(f"{key}: {self.any(d)}" for key in self.random.sample(["a", "b", "'c d'", "1", "('e')"], self.random.randrange(4))) + "}",
            lambda: "fromJSON(inputs.parameters.json)",
            lambda: f"groupBy({self.list(d)}, {self.predicate(d)})",
            lambda: f"fromPairs([['a', {self.any(d)}]])",
        ])()  # fmt: skip

    def predicate(self, depth: int) -> str:
        return self.pick(["# > 1", "{# == 'a'}", "true", "# != nil", "len(#) > 0", "#index < 2", "{let x = #; x == 1}", "# in [1, 'a']", "string(#)", "# % 2 == 0", "#", ".a", f"# == {self.any(min(depth, 1))}"])  # fmt: skip

    def mixed(self, depth: int) -> str:
        d = depth - 1
        return self.pick([
            lambda: f"{self.any(d)} {self.pick(_BINARY)} {self.any(d)}",
            lambda: f"({self.any(d)})",
            lambda: f"{self.any(d)} ?? {self.any(d)}",
            lambda: f"{self.boolean(d)} ? {self.any(d)} : {self.any(d)}",
            lambda: f"if {self.boolean(d)} {{{self.any(d)}}} else {{{self.any(d)}}}",
            lambda: f"let v = {self.any(d)}; {self.pick(['v', 'v + v', '[v]', 'v == nil', 'len(v)'])}",
            lambda: f"{self.map(d)}{self.pick(_MEMBERS)}",
            lambda: f"get({self.any(d)}, {self.any(d)})",
            lambda: f"{self.pick(['keys', 'toPairs', 'type', 'len'])}({self.any(d)})",
            lambda: f"jsonpath(inputs.parameters.json, {self.pick(_PATHS)})",
            lambda: self.pick(_NAMES),
            lambda: f"duration({self.string(d)})" if self.random.random() < 0.3 else f"date({self.string(d)})",
            lambda: f"{self.any(d)}; {self.any(d)}",
        ])()  # fmt: skip

    def rare(self, depth: int) -> str:
        """What expr-lang's optimizer rewrites, optional arguments, moments and durations."""
        d = depth - 1
        small = [str(number) for number in range(-2, 6)]
        return self.pick([
            lambda: f"filter({self.list(d)}, {self.predicate(d)}){self.pick(['[0]', '[-1]', ' | first()', ' | last()', ' | len()', '[1]', '[0]?.a'])}",
            lambda: f"map(filter({self.list(d)}, {self.predicate(d)}), {self.predicate(d)}){self.pick(['', '[0]', '[-1]', ' | len()', ' | last()'])}",
            lambda: f"filter(filter({self.list(d)}, {self.predicate(d)}), {self.predicate(d)})",
            lambda: f"count({self.list(d)}, {self.predicate(d)}) {self.pick(['>', '>=', '<', '<=', '=='])} {self.pick(small)}",
            lambda: (lambda name, over: f"{name}({over}, {self.predicate(d)}) {self.pick(['&&', '||', 'and', 'or'])} {name}({over}, {self.predicate(d)})")(self.pick(['all', 'any', 'none', 'one']), self.list(d)),
            lambda: f"sum({self.pick(small)}..{self.pick(small)}{self.pick(['', ', #', ', # * 3', ', 2 - #', ', # - 2', ', 1 + #', ', # / 2', ', #index'])})",
            lambda: f"reduce({self.pick(small)}..{self.pick(small)}, {self.pick(['# + #acc', '#acc + #', '#acc * #', '#acc + #index'])}{self.pick(['', ', 1', ', 1.5', ', nil'])})",
            lambda: f"sum(map({self.list(d)}, {self.predicate(d)}))",
            lambda: f"sum({self.list(d)}, {self.predicate(d)})",
            lambda: f"{self.any(d)} {self.pick(['in', 'not in'])} {self.pick(['[1, 2]', '[1]', '1..3', '[1, 1.5]', '[true]', self.list(0)])}",
            lambda: f"{self.any(d)} {self.pick(['==', '!='])} {self.any(d)}",
            lambda: f"sortBy({self.list(d)}, {self.predicate(d)}, {self.pick(['asc', 'desc', 'up'])!r})",
            lambda: f"sort({self.list(d)}, {self.pick(['asc', 'desc', 'up'])!r})",
            lambda: f"groupBy({self.list(d)}, {self.predicate(d)}){self.pick(['', '[1]', '.a', '[true]', '[nil]', '?.b', '[1.0]'])}",
            lambda: f"{self.pick(['split', 'splitAfter'])}({self.string(d)}, {self.string(d)}, {self.pick([*small, 'nil', 'number'])})",
            lambda: f"replace({self.string(d)}, {self.string(d)}, {self.string(d)}, {self.pick([*small, 'nil'])})",
            lambda: f"lastIndexOf({self.string(d)}, {self.string(d)})",
            lambda: "{" + f"a: {self.any(d)}, a: {self.any(d)}" + "}",
            lambda: f"let v = {self.any(d)}; let w = {self.any(d)}; {self.pick(['[v, w]', 'v == w', 'v ?? w', 'map([1, 2], v)', '[w, v]'])}",
            lambda: f'''$env{self.pick(['.flag', '["number"]', '?.nope', '.item.a', '.nope', '[inputs.parameters.s]'])}''',
            lambda: f"{self.any(d)} | {self.pick(['type()', 'string()', 'len()', 'toJSON()', 'int()', 'get(0)', 'first()', 'keys()'])}",
            lambda: f'''date('2023-08-14T10:20:30Z'){self.pick(['.Year()', '.Month()', '.Weekday().String()', '.Add(duration("1h"))', '.Unix()', '.Format("2006")', ' - date("2023-08-13")', ' > date("2023-08-13")', '.Nope()', '.YearDay()', '.AddDate(0, 1, 0)'])}''',
            lambda: f'''duration('1h30m'){self.pick(['.Hours()', '.Minutes()', ' + duration("5s")', ' * 2', ' * 1.5', '.String()', ' < duration("2h")', ' / 2', '.Milliseconds()', ' == 1'])}''',
            lambda: f"{self.pick(['findLast', 'findLastIndex', 'findIndex', 'find'])}({self.list(d)}, {self.predicate(d)})",
            lambda: f"map({self.list(d)}, map({self.list(d)}, {self.predicate(d)}))",
            lambda: f'''({self.map(d)}){self.pick(['["a"]', '?.["b"]', '.a?.b.c', '.nope?.x ?? 1', '?.a?.b', '[1]'])}''',
            lambda: f"toPairs({self.map(0)})[0][{self.pick(['0', '1', '2'])}]",
        ])()  # fmt: skip

    def odd(self, depth: int) -> str:
        """Something with a piece missing or one too many."""
        text = self.any(depth - 1)
        place = self.random.randrange(len(text) + 1)
        if self.random.random() < 0.5:
            return text[:place] + text[place + 1 :]
        return text[:place] + self.pick(list("()[]{}.,+-*?:#|\"'`!=&1a ;")) + text[place:]

    # -- sprig

    def sprig(self) -> str:
        name, kinds = self.pick(SPRIG)
        return f"sprig.{name}({', '.join(self.argument(kind) for kind in kinds)})"

    def argument(self, kind: str) -> str:
        if kind == "s":
            return self.text() if self.random.random() < 0.9 else self.leaf()
        if kind == "i":
            return self.pick(["0", "1", "2", "3", "5", "8", "12", "-1", "-3"])
        if kind == "a":
            return self.any(1)
        if kind == "n":
            return self.pick([*_NUMBERS, self.text(), "inputs.parameters.n", "true", "nil"])
        if kind == "l":
            return self.list(1)
        if kind == "m":
            return self.pick(["{}", "{a: 1, b: 'x'}", "box", "{a: {b: 2}}", "{a: ''}"])
        if kind == "b":
            return self.pick(["true", "false"])
        return kind


SPRIG = [
    ("abbrev", "is"), ("abbrevboth", "iis"), ("trunc", "is"), ("trim", "s"), ("upper", "s"), ("lower", "s"), ("title", "s"),
    ("untitle", "s"), ("substr", "iis"), ("repeat", "is"), ("trimAll", "ss"), ("trimSuffix", "ss"), ("trimPrefix", "ss"),
    ("nospace", "s"), ("initials", "s"), ("swapcase", "s"), ("snakecase", "s"), ("camelcase", "s"), ("kebabcase", "s"),
    ("wrap", "is"), ("wrapWith", "iss"), ("contains", "ss"), ("hasPrefix", "ss"), ("hasSuffix", "ss"), ("quote", "aa"),
    ("squote", "aa"), ("cat", "aaa"), ("indent", "is"), ("nindent", "is"), ("replace", "sss"), ("plural", "ssi"), ("sha1sum", "s"),
    ("sha256sum", "s"), ("adler32sum", "s"), ("toString", "a"), ("atoi", "s"), ("int64", "n"), ("int", "n"), ("float64", "n"),
    ("seq", "i"), ("seq", "ii"), ("seq", "iii"), ("toDecimal", "n"), ("split", "ss"), ("splitList", "ss"), ("splitn", "sis"),
    ("toStrings", "a"), ("until", "i"), ("untilStep", "iii"), ("add1", "n"), ("add", "nnn"), ("sub", "nn"), ("div", "nn"),
    ("mod", "nn"), ("mul", "nnn"), ("addf", "nn"), ("subf", "nn"), ("divf", "nn"), ("mulf", "nn"), ("max", "nnn"), ("min", "nn"),
    ("maxf", "nn"), ("minf", "nn"), ("ceil", "n"), ("floor", "n"), ("round", "ni"), ("join", "sl"), ("sortAlpha", "l"),
    ("default", "aa"), ("empty", "a"), ("coalesce", "aaa"), ("all", "aa"), ("any", "aa"), ("compact", "l"), ("fromJson", "s"),
    ("toJson", "a"), ("toPrettyJson", "a"), ("toRawJson", "a"), ("ternary", "aab"), ("typeOf", "a"), ("kindOf", "a"),
    ("kindIs", "sa"), ("deepEqual", "aa"), ("base", "s"), ("dir", "s"), ("clean", "s"), ("ext", "s"), ("isAbs", "s"),
    ("b64enc", "s"), ("b64dec", "s"), ("b32enc", "s"), ("b32dec", "s"), ("list", "aa"), ("dict", "sasa"), ("get", "ms"),
    ("set", "msa"), ("unset", "ms"), ("hasKey", "ms"), ("pluck", "smm"), ("pick", "mss"), ("omit", "ms"), ("merge", "mm"),
    ("mergeOverwrite", "mm"), ("append", "la"), ("prepend", "la"), ("first", "l"), ("rest", "l"), ("last", "l"), ("initial", "l"),
    ("reverse", "l"), ("uniq", "l"), ("without", "la"), ("has", "al"), ("slice", "lii"), ("concat", "ll"), ("chunk", "il"),
    ("dig", "ssm"), ("semverCompare", "ss"), ("regexMatch", "ss"), ("regexFindAll", "ssi"), ("regexFind", "ss"),
    ("regexReplaceAll", "sss"), ("regexReplaceAllLiteral", "sss"), ("regexSplit", "ssi"), ("regexQuoteMeta", "s"),
    ("duration", "a"), ("durationRound", "s"), ("dateInZone", "sis"), ("htmlDateInZone", "is"), ("toDate", "ss"), ("urlParse", "s"),
    ("nope", "s"), ("add", ""), ("trim", "ss"),
]  # fmt: skip

_WHEN_WORDS = ["a", "foo", "true", "false", "1", "2.5", "0x1F", "'x y'", '"2020-01-01"', "'2020-01-02'", "[b c]", "in", "IN", "a-b", "a.b", "v1.2",
               "A.B", "é", "10", "'it\\'s'", "a\\ b", "Succeeded", "-1", "!true", "~3", "(", ")", "1e3", "01", ".5", "1.2.3", "_x", "x_1", "''", "\"\""]  # fmt: skip
_WHEN_SIGNS = ["==", "!=", "<", ">", "<=", ">=", "=~", "!~", "&&", "||", "+", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", "in", ",", "?", ":",
               "??", "===", "=", "{{", "$", "in (1, a, 'x')", "in (a)"]  # fmt: skip


def when(seed: int) -> str:
    """A random `when`."""
    draw = random.Random(seed)
    if draw.random() < 0.15:
        return "".join(
            draw.choice(_WHEN_WORDS + _WHEN_SIGNS + [" ", " ", "(", ")"]) for _ in range(draw.randrange(1, 7))
        )

    def operand(depth: int) -> str:
        if depth <= 0 or draw.random() < 0.6:
            return draw.choice(_WHEN_WORDS)
        return f"({chain(depth - 1)})"

    def chain(depth: int) -> str:
        parts = [operand(depth)]
        for _ in range(draw.choice([0, 1, 1, 1, 2, 3, 5])):
            signs = ["==", "!=", "&&", "||", "<", "+", "-", "*"] if draw.random() < 0.7 else _WHEN_SIGNS
            parts += [draw.choice(signs), operand(depth)]
        return " ".join(parts)

    return chain(2)


_PIECES = [
    "a", "b", "c", "ab", ".", "\\d", "\\w", "\\s", "\\W", "[a-c]", "[^a]", "[[:alpha:]]", "[[:^digit:]]", "[\\d\\-]", "^", "$", "\\b", "\\B", "\\A",
    "\\z", "é", "\\x41", "\\x{e9}", "\\.", "(a)", "(?:b)", "(?P<n>c)", "(?<m>c)", "(?i:A)", "\\pL", "\\PL", "\\p{Lu}", "[\\pL]", "\\n", "-", "[a\\]]",
    "[]a]", "[-a]", "\\Qa.b\\E", "(?i)", "(?)", "(?s)", "(?m)", "(?U)", "\\141", "\\0", "[à-ü]",
]  # fmt: skip


def pattern(draw: random.Random, depth: int = 4) -> str:
    """A random regular expression."""
    kind = draw.random()
    if depth == 0 or kind < 0.35:
        return draw.choice(_PIECES)
    if kind < 0.6:
        return pattern(draw, depth - 1) + pattern(draw, depth - 1)
    if kind < 0.72:
        return pattern(draw, depth - 1) + "|" + pattern(draw, depth - 1)
    if kind < 0.82:
        return "(" + pattern(draw, depth - 1) + ")"
    if kind < 0.96:
        return pattern(draw, depth - 1) + draw.choice(
            ["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "+?", "??", "{0,2}?"]
        )
    text = pattern(draw, depth - 1)
    place = draw.randrange(len(text) + 1)
    return text[:place] + draw.choice("()[]{}*+?|^$\\-:") + text[place:]


def subject(draw: random.Random) -> str:
    """A text to look for a pattern in."""
    pieces = ["a", "b", "c", "A", "é", "1", "-", ".", "\n", " ", "_", "ab", "abc", "\t", "a.b"]
    return "".join(draw.choice(pieces) for _ in range(draw.randrange(9)))


def quantity(draw: random.Random) -> str:
    """A text that may be a Kubernetes quantity."""
    if draw.random() < 0.1:
        return "".join(draw.choice("0123456789.+-eEinumkKMGTP x") for _ in range(draw.randrange(7)))
    digits = draw.choice(
        [
            "",
            "0",
            "1",
            "5",
            "12",
            "007",
            "100",
            "1024",
            "999999999",
            "123456789012345678",
            "9223372036854775808",
            "1" * 25,
        ]
    )
    fraction = draw.choice(["", "", "", ".", ".5", ".0", ".001", ".25", ".0000000001", ".123456789012"])
    suffix = draw.choice(
        ["", "", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "n", "u", "e3", "E2", "e-3", "e+1", "E", "e", "K", "i", "mi", "e20", "-1"]
    )  # fmt: skip
    return draw.choice(["", "", "", "-", "+"]) + digits + fraction + suffix


def duration(draw: random.Random) -> str:
    """A text that may be a Go duration."""
    parts = [
        draw.choice(["", "0", "1", "15", "007", "999999", "9223372036854775807", "92233720368547758080"])
        + draw.choice(["", "", ".", ".5", ".000000001", ".1234567891234"])
        + draw.choice(["s", "s", "m", "h", "ms", "us", "µs", "μs", "ns", "", "d", " ", "é", "H"])
        for _ in range(draw.choice([0, 1, 1, 1, 2, 3]))
    ]
    return draw.choice(["", "", "", "-", "+", " "]) + "".join(parts)


_TAG_PIECES = [
    "{{",
    "}}",
    "{",
    "}",
    "a",
    "b.c",
    " ",
    "{{a}}",
    "{{ b.c }}",
    "{{nope}}",
    "{{\ta}}",
    '"',
    "\\",
    "é",
    "\n",
    "{{a{{b.c}}}}",
    "{{}}",
    "<&>",
    "{{odd}}",
]
TAG_VARIABLES = {"a": "1", "b.c": 'x "y"\n', "odd": "\u2028é\x00", "": "empty"}


def tagged(draw: random.Random) -> str:
    """A text with tags, whole and broken."""
    return "".join(draw.choice(_TAG_PIECES) for _ in range(draw.randrange(7)))


_PATH_PIECES = [
    ".a", ".c", ".o", ".s", ".n", ".x", ".length", "..x", "..", "[0]", "[-1]", "[*]", ".*", "[1:]", "[:1]", "[::2]", "[0,1]", "['a']", "['x','y']",
    '["o"]', "[?(@.x)]", "[?(@.x == 2)]", "[?(@ > 1)]", "[?(@.y =~ '^p')]", "[(@.length-1)]", "[?(@.x > 1 && @.y)]", "[?(!@.x)]", "[", "]", "[?(@.x", " ", "[9]", ".zz",
]  # fmt: skip


def path(draw: random.Random) -> str:
    """A JSONPath, or nearly one."""
    return draw.choice(["$", "$", "$", "$", "@", ""]) + "".join(
        draw.choice(_PATH_PIECES) for _ in range(draw.randrange(4))
    )
