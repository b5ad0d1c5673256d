"""{{tags}}: replaced in any document, kept or refused when they cannot be resolved. Messages are Argo 4.1.2's."""

from __future__ import annotations

import json
from collections import UserDict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from call_counts import calls_of
from hera_utils.errors import ExpressionError
from hera_utils.expressions.entropy import Entropy
from hera_utils.expressions.tags import (
    MissingVariable,
    PreparedDocument,
    prepare,
    prepare_text,
    replace,
    simple_tags_in,
    tags_in,
)

VARIABLES: dict[str, Any] = {
    "inputs.parameters.a": "5",
    "inputs.parameters.quote": 'say "hi"\n',
    "workflow.name": "wf",
    "tasks.A.outputs.result": None,
    "tasks.A.status": "Skipped",
    "which": "a",
}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("plain", "plain"),
        ("{{workflow.name}}", "wf"),
        ("{{ workflow.name }}-{{inputs.parameters.a}}", "wf-5"),
        ({"a": ["{{inputs.parameters.quote}}", 1, None, True]}, {"a": ['say "hi"\n', 1, None, True]}),
        ({"{{workflow.name}}": "x"}, {"wf": "x"}),
        ("{{inputs.parameters.{{which}}}}", "{{inputs.parameters.a}}"),
        ("{{nope}} {{workflow.name}}", "{{nope}} wf"),
        ("{{=asInt(inputs.parameters.a) + 1}}", "6"),
        ("{{=inputs.parameters.a == '5' ? \"yes\" : 'no'}}", "yes"),
        ("{{=toJson({'k': [1, 2.5, nil]})}}", '{"k":[1,2.5,null]}'),
        ("{{={'k': 'v'} }}", '{"k":"v"}'),
        ("{{=[1, 'x']}}", '[1,"x"]'),
        ("{{=tasks.A.outputs.result ?? 'none'}}", "none"),
        ("{{=nope.x}}", "{{=nope.x}}"),
        ("{{=retries}}", "{{=retries}}"),
        ("{{=sprig.trim(' x ') | upper()}}", "X"),
        ("a < b & {{=1 < 2}} {{=nope < 1}}", "a < b & true {{=nope < 1}}"),
    ],
)
def test_replaced(document: Any, expected: Any) -> None:
    assert replace(document, VARIABLES) == expected


@pytest.mark.parametrize(
    ("document", "options", "message", "missing"),
    [
        ("{{nope}}", {"unresolved": "refuse"}, "failed to resolve {{nope}}", True),
        ("{{ nope }}", {"unresolved": "refuse"}, "failed to resolve {{ nope }}", True),
        (
            "{{tasks.B.outputs.result}}",
            {"strict": ("tasks", "steps")},
            "failed to resolve {{tasks.B.outputs.result}}",
            True,
        ),
        (
            "{{tasks.A.outputs.result}}",
            {},
            "unable to substitute {{tasks.A.outputs.result}}: output is an absent optional (skipped/omitted node with no default)",
            False,
        ),
        ("{{=nope}}", {"unresolved": "refuse"}, "failed to evaluate expression: nope is missing", True),
        (
            "{{=tasks.A.outputs.result}}",
            {"unresolved": "refuse"},
            'failed to evaluate expression "tasks.A.outputs.result"',
            False,
        ),
        (
            "{{=1 +}}",
            {},
            "failed to evaluate expression: unexpected token EOF (1:3)\n | 1 +\n | ..^",
            False,
        ),
        (
            "{{never closed",
            {},
            'Cannot find end tag="}}" in the template="\\"{{never closed\\"" starting from "never closed\\""',
            False,
        ),
    ],
)
def test_refused(document: Any, options: dict[str, Any], message: str, missing: bool) -> None:
    with pytest.raises(ExpressionError) as caught:
        replace(document, VARIABLES, **options)
    assert caught.value.message == message
    assert isinstance(caught.value, MissingVariable) is missing


def test_strict_lets_others_and_artifacts_stay() -> None:
    text = "{{tasksA.x}} {{inputs.x}} {{tasks.A.outputs.artifacts.b}}"
    assert replace(text, VARIABLES, strict=("tasks", "steps")) == text


def test_a_placeholder_excuses_what_fails() -> None:
    known = {"inputs.parameters.a": "__argo__internal__placeholder-1"}
    assert replace("{{=asInt(inputs.parameters.a)}}", known, unresolved="refuse") == "{{=asInt(inputs.parameters.a)}}"


def test_values_that_are_no_legal_json_text_are_refused() -> None:
    with pytest.raises(ExpressionError, match="the result was invalid JSON"):
        replace("{{a}}", {"a": "\x07"})


def test_what_has_no_tags_is_answered_itself() -> None:
    document = {"a": ["b", {"c": 1}]}
    assert replace(document, VARIABLES) is document
    kept = {"a": "{{nope}}"}
    assert replace(kept, VARIABLES) is kept


def test_tags_in() -> None:
    tags = tags_in(["{{ a.b }}", "{{=x + 1}}", {"{{k}}": 1}])
    assert [(tag.name, tag.expression) for tag in tags] == [("a.b", False), ("x + 1", True), ("k", False)]
    assert simple_tags_in(["{{ a.b }}", "{{=x + 1}}"]) == ("a.b",)


def test_an_expression_changes_nothing_outside() -> None:
    artifact = {"name": "a", "s3": {"key": "k"}}
    variables = {"inputs.artifacts.a": artifact}
    assert replace("{{=sprig.set(inputs.artifacts.a, 'name', 'b').name}}", variables) == "b"
    assert artifact == {"name": "a", "s3": {"key": "k"}}


def test_a_value_that_holds_itself_is_refused() -> None:
    with pytest.raises(ExpressionError, match="encountered a cycle"):
        replace("{{=sprig.set(v, 'a', v)}}", {"v": {}}, unresolved="refuse")


def test_randomness_and_time_come_from_the_event() -> None:
    document = ["{{=sprig.uuidv4()}}", "{{=sprig.uuidv4()}}", "{{=now().Unix()}}", "{{=sprig.randAlphaNum(8)}}"]
    once = replace(document, {}, entropy=Entropy(1700000000.5, "seed"))
    assert once == replace(document, {}, entropy=Entropy(1700000000.5, "seed"))
    assert once != replace(document, {}, entropy=Entropy(1700000000.5, "other"))
    assert once[0] != once[1]
    assert once[2] == "1700000000"


texts = st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"], exclude_characters="{}"))
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(documents)
def test_a_document_without_tags_stays_as_it_is(document: Any) -> None:
    assert replace(document, VARIABLES, unresolved="refuse") is document


@given(texts, documents)
def test_a_value_arrives_as_it_was(value: str, document: Any) -> None:
    assert replace([document, "<{{v}}>"], {"v": value}) == [document, f"<{value}>"]
    assert replace("{{=v}}", {"v": value}) == value


@given(documents)
def test_a_value_of_an_expression_is_its_json(value: Any) -> None:
    written = replace("{{=toJson(v.x)}}", {"v.x": value})
    assert json.loads(written) == value


def test_a_template_without_tags_costs_next_to_nothing() -> None:
    template = prepare({"container": {"args": ["echo hello"] * 20}})
    assert isinstance(template, PreparedDocument)
    assert calls_of(lambda: template.replace(VARIABLES)) < 20


def test_the_cost_of_an_expression_does_not_depend_on_the_number_of_variables() -> None:
    def cost(count: int) -> int:
        # A UserDict, so that each access is a Python call that is counted.
        many = UserDict({f"tasks.t{number}.outputs.result": "x" for number in range(count)})
        return calls_of(lambda: replace("{{=tasks.t1.outputs.result}}", many))

    cost(2)  # so that parsing, which is memoised, does not count
    assert cost(50_000) == cost(2)


def test_a_name_that_is_the_beginning_of_another_gives_way() -> None:
    assert replace("{{=item.a}}", {"item": "x", "item.a": "1"}) == "1"
    assert (
        replace("{{=toJson(workflow.labels.a)}}", {"workflow.labels.a": "x", "workflow.labels.a.b": "1"}) == '{"b":"1"}'
    )


PIECES = [
    "{{",
    "}}",
    "{{a}}",
    "{{ odd }}",
    "{{=a + odd}}",
    "{{=nope}}",
    "{{b{{a}}}}",
    '"',
    "\\",
    "\\u003c",
    "\n",
    "é",
    "x",
    "{",
    "}",
]
tagged = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)
tagged_documents = st.recursive(
    tagged | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(tagged, inner, max_size=3),
    max_leaves=12,
)


@given(tagged_documents, tagged, st.sampled_from(["keep", "refuse"]))
def test_tags_are_replaced_text_by_text_as_in_the_whole_json_text(document: Any, odd: str, rule: Any) -> None:
    def outcome(prepared: Callable[[], PreparedDocument]) -> Any:
        try:
            return prepared().replace({"a": "5", "odd": odd + "\a"[: len(odd) % 2]}, unresolved=rule)
        except ExpressionError as error:
            return type(error), error.message

    assert outcome(lambda: prepare(document)) == outcome(lambda: prepare_text(document))


def test_a_key_of_yaml_need_not_be_a_text() -> None:
    assert replace({1: "{{workflow.name}}", "{{which}}": {True: 2}}, VARIABLES) == {1: "wf", "a": {True: 2}}


def test_what_has_no_tags_is_shared() -> None:
    document = {"container": {"args": ["{{workflow.name}}"], "env": [{"name": "A"}]}, "inputs": {"x": ["{{nope}}"]}}
    filled = replace(document, VARIABLES)
    assert filled == {"container": {"args": ["wf"], "env": [{"name": "A"}]}, "inputs": {"x": ["{{nope}}"]}}
    assert filled["container"]["env"] is document["container"]["env"]
    assert filled["inputs"] is document["inputs"]
