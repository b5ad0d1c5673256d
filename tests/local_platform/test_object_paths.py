"""JSONPath templates of resource templates: results as recorded from kubectl's library (client-go 0.35) for the same document."""

from __future__ import annotations

from typing import Any

import pytest

from hera_utils.errors import InvalidWorkflow
from hera_utils.local_platform.agents.object_paths import json_path

DOCUMENT: dict[str, Any] = {
    "kind": "List", "n": None, "b": True, "f": 1.5, "i": 12345678,
    "items": [{"name": "a", "n": 1, "t": ["x", "y"], "m": {"k": "v"}}, {"name": "b", "n": 2, "t": []},
              {"name": "c", "n": 3, "q": {"name": "deep"}}],
    "data": {"a": "1", "c.d": "dot", "e-f": "dash"}, "empty": {}, "nested": [[1, 2], [3]],
}  # fmt: skip


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (".kind", ".kind"),
        ("<{.kind}-{.absent.too}>}", "<List->}"),
        ("{.n} {.b} {.f} {.i}", "null true 1.5 12345678"),
        ("{.items[0]}", '{"m":{"k":"v"},"n":1,"name":"a","t":["x","y"]}'),
        ("{.items[*].name}-{.items[-1].name}-{.items[0:2].name}-{.items[::2].n}", "a b c-c-a b-1 3"),
        ("{.items[0,2].name}", "a c"),
        ("{.data['a','e-f']}|{.data.c\\.d}|{.data['c\\.d']}|{.data['c.d']}", "1 dash|dot|dot|"),
        ("{$.kind}{@.kind}{ .kind }{['kind']}", "ListListListList"),
        ("{.}", ""),
        ("{..name}", "a b c deep"),
        ("{.items[?(@.name=='b')].n}", "2"),
        ("{.items[?(@.n >= 2)].name}", "b c"),
        ("{.items[?(@.q)].name}", "c"),
        ("{.items[?(@.absent=='x')].n}", ""),
        ('{range .items[*]}{.name}{"\\t"}{.n}{"\\n"}{end}', "a\t1\nb\t2\nc\t3\n"),
        ("x{range .items[*]}[{.name}{range .t[*]}({@}){end}]{end}y", "x[a(x)(y)][b][c]y"),
        ("{range .absent[*]}a{end}b", "b"),
        ("{range .items[*]}{.name}", "abc"),
        ("{'lit'}{1}{\"a{b}c\"}", "lit1a{b}c"),
        ("{.nested[*][0]}", "1 3"),
    ],
)
def test_what_a_template_gives(template: str, text: str) -> None:
    assert json_path(DOCUMENT, template) == text


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{.kind", "error: error parsing jsonpath {.kind, unclosed action"),
        ("{.items[5]}", "array index out of bounds: index 5, length 3"),
        ("{.items[2:1]}", "starting index 2 is greater than ending index 1"),
        ("{.items[::0]}", "step must be > 0"),
        ("{.items[a]}", "invalid array index a"),
        ('{.data["a"]}', 'invalid array index "a"'),
        ("{.kind[0]}", "string is not array or slice"),
        ("{kind}", "unrecognized identifier kind"),
        ("{.kind,.n}", "unrecognized character in action: U+002C ','"),
        ("{.items[?(@.name==1)]}", "incompatible types for comparison"),
        ("{end}", "not in range, nothing to end"),
    ],
)
def test_what_cannot_be_read(template: str, complaint: str) -> None:
    with pytest.raises(InvalidWorkflow) as error:
        json_path(DOCUMENT, template)
    assert error.value.message.endswith(complaint)


def test_a_small_template_gives_no_endless_text() -> None:
    wide = {str(number): number for number in range(500)}
    with pytest.raises(InvalidWorkflow, match="more than 5000000 values and characters"):
        json_path(wide, "{range .*}" + "{range .*}{end}" * 3 + "{end}" + "{@}" * 2000)
    deep: Any = "leaf"
    for _ in range(200):
        deep = [deep]
    with pytest.raises(InvalidWorkflow, match="more than 100000 values"):
        json_path(deep, "{..[*]..[*]..[*]..[*]}")
