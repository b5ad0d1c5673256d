"""What a reference to an output of a skipped or omitted node gives, by Argo's documented rules (Outputs of Skipped and Omitted Nodes)."""

from __future__ import annotations

import itertools
from typing import Any

import playbook
import pytest

Json = dict[str, Any]
ABSENT = object()
OUTPUT = "a.outputs.parameters.o"

FORMS = {
    "pure": "{{%s}}",
    "pure with spaces": "{{ %s }}",
    "within a text": "x-{{%s}}",
    "bare expression": "{{= %s }}",
    "fallback": "{{= %s ?? 'fallback' }}",
    "equals nothing": "{{= %s == '' ? 'yes' : 'no' }}",
    "concatenated": "{{= %s + '-suffix' }}",
}


def _value(form: str, output: Any, default: str | None) -> Any:
    """The value of the consumer's input; ABSENT if the reference is an error."""
    if output is ABSENT:
        given = {"fallback": "fallback", "equals nothing": "no"}
        if form.startswith("pure"):
            return ABSENT if default is None else default
        return given.get(form, ABSENT)
    return {
        "within a text": f"x-{output}",
        "fallback": output,
        "equals nothing": "no" if output else "yes",
        "concatenated": f"{output}-suffix",
    }.get(form, output)


def _workflow(kind: str, produced: str | None, call: Json, consumer: Json, outputs: Json | None = None) -> Json:
    """A producer that is skipped or omitted, and a consumer b after it. produced: the default of its output."""
    source = {"path": "/o"} if produced is None else {"path": "/o", "default": produced}
    run = {"container": {"image": "i", "command": ["c"]}}
    first, second = {"name": "a", "template": "producer"}, {"name": "b", "template": "consumer", **call}
    if kind == "omitted":
        tasks = [
            {"name": "z", "template": "plain"},
            {**first, "depends": "z.Failed"},
            {**second, "depends": "a.Omitted"},
        ]
        main: Json = {"dag": {"tasks": tasks}}
    elif kind == "dag":
        main = {"dag": {"tasks": [{**first, "when": "false"}, {**second, "depends": "a.Skipped"}]}}
    else:
        main = {"steps": [[{**first, "when": "false"}], [second]]}
    templates = [
        {"name": "main", **main, **({"outputs": outputs} if outputs else {})},
        {"name": "producer", "outputs": {"parameters": [{"name": "o", "valueFrom": source}]}, **run},
        {"name": "consumer", "inputs": {"parameters": [consumer]}, **run},
        {"name": "plain", **run},
    ]
    return playbook.workflow({"entrypoint": "main", "templates": templates})


def _played(document: Json, mode: str = "restored") -> playbook.Play:
    play = playbook.Play(document, mode)
    while play.active:
        play.end(play.active[0])
    assert play.run.finished
    return play


def _reference(kind: str, form: str = "%s") -> str:
    return form % (("steps." if kind == "steps" else "tasks.") + OUTPUT)


CASES = list(itertools.product(["steps", "dag", "omitted"], FORMS, [None, "", "made"], [None, "own"]))


@pytest.mark.parametrize(("kind", "form", "produced", "default"), CASES)
def test_an_argument(kind: str, form: str, produced: str | None, default: str | None) -> None:
    consumer = {"name": "p"} if default is None else {"name": "p", "default": default}
    call = {"arguments": {"parameters": [{"name": "p", "value": _reference(kind, FORMS[form])}]}}
    play = _played(_workflow(kind, produced, call, consumer))
    wanted = _value(form, ABSENT if produced is None else produced, default)
    consumers = [node for node in play.run.nodes.values() if node["displayName"] == "b" and node["type"] == "Pod"]
    assert [node["inputs"]["parameters"][0]["value"] for node in consumers] == ([] if wanted is ABSENT else [wanted])
    assert (play.phase == "Succeeded") is (wanted is not ABSENT)


@pytest.mark.parametrize("produced", [None, "", "made"])
@pytest.mark.parametrize("kind", ["steps", "dag", "omitted"])
def test_a_condition(kind: str, produced: str | None) -> None:
    """A reference that nothing handles is an error in `when`; a step whose `when` is false may refer to what it likes."""
    absent = "x-" + _reference(kind, "{{%s}}")
    argument = {"arguments": {"parameters": [{"name": "p", "value": absent}]}}
    never = _played(_workflow(kind, produced, {"when": "false", **argument}, {"name": "p"}))
    assert (never.phase, never.node("b")["phase"]) == ("Succeeded", "Skipped")
    simple = _reference(kind, "'{{%s}}' == 'made'")
    play = _played(_workflow(kind, produced, {"when": simple}, {"name": "p", "default": "k"}))
    if produced is None:
        assert play.phase in ("Failed", "Error")
        assert "absent optional" in str(play.run.document)
    else:
        assert play.node("b")["phase"] == ("Succeeded" if produced == "made" else "Skipped")


@pytest.mark.parametrize("source", ["parameter", "expression"])
@pytest.mark.parametrize("own", [None, "own"])
@pytest.mark.parametrize("produced", [None, "", "made"])
@pytest.mark.parametrize("kind", ["steps", "dag", "omitted"])
def test_an_output_of_the_template_around_it(kind: str, produced: str | None, own: str | None, source: str) -> None:
    value_from = {source: _reference(kind, "{{%s}}" if source == "parameter" else "%s")}
    if own is not None:
        value_from["default"] = own
    outputs = {"parameters": [{"name": "r", "valueFrom": value_from}]}
    play = _played(_workflow(kind, produced, {}, {"name": "p", "default": "k"}, outputs))
    wanted = produced if produced is not None else own
    found = [one["value"] for one in (play.node("wf").get("outputs") or {}).get("parameters") or ()]
    assert found == ([] if wanted is None else [wanted])
    assert play.phase == ("Error" if wanted is None else "Succeeded")
