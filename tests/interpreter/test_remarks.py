"""What a valid workflow probably does not mean is told before it runs."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from hera_utils.expressions import dashes
from hera_utils.interpreter.remarks import remarks

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("expression", "better"),
    [
        ("steps.a-b.outputs.result", ["steps['a-b'].outputs.result"]),
        ("sprig.last(tasks.a-b.outputs.parameters.c-d)", ["tasks['a-b'].outputs.parameters['c-d']"]),
        ("inputs.parameters.c-d + inputs.parameters.c-d", ["inputs.parameters['c-d']"]),
        ("steps['a-b'].outputs.result", []),
        ('steps["a-b"].outputs.result == "steps.a-b"', []),
        ("steps.a.outputs.result-steps.b.outputs.result", []),
        ("steps.a - b", []),
        ("steps.a-b-c.status", []),
    ],
)
def test_names_with_a_dash(expression: str, better: list[str]) -> None:
    assert [one.better for one in dashes.find_dashed_paths(expression, ["a-b", "c-d", "a", "b"])] == better


def _workflow(main: str, kind: str = "Workflow") -> Json:
    return {"kind": kind, "metadata": {"name": "w"}, "spec": {"templates": [{"name": "main", **yaml.safe_load(main)}]}}


@pytest.mark.parametrize(
    ("field", "path"),
    [
        (
            "arguments: {parameters: [{name: x, value: '{{=steps.a-b.id}}'}]}",
            "steps[1][0].arguments.parameters[0].value",
        ),
        ("when: '{{=steps.a-b.id}} == 1'", "steps[1][0].when"),
        ("hooks: {h: {template: t, expression: 'steps.a-b.id == 1'}}", "steps[1][0].hooks.h.expression"),
        (
            "arguments: {artifacts: [{name: x, fromExpression: 'steps.a-b.id'}]}",
            "steps[1][0].arguments.artifacts[0].fromExpression",
        ),
    ],
)
def test_a_dashed_name_is_told_wherever_an_expression_stands(field: str, path: str) -> None:
    document = _workflow(f"steps: [[{{name: a-b, template: t}}], [{{name: c, template: t, {field}}}]]")
    assert remarks(document) == [f"spec.templates[0].{path}: steps.a-b.id subtracts; write steps['a-b'].id"]


def test_simple_tags_and_depends_may_have_dashes() -> None:
    value = "value: '{{tasks.a-b.outputs.result}}'"
    assert not remarks(
        _workflow(
            f"dag: {{tasks: [{{name: a-b}}, {{name: c, depends: a-b.Succeeded, arguments: {{parameters: [{{name: x, {value}}}]}}}}]}}"
        )
    )


LOOP = "{name: d, withItems: [1], inline: {container: {image: i}}}"


@pytest.mark.parametrize(
    ("main", "many"),
    [
        (f"steps: [[{LOOP}]]", 1),
        (f"dag: {{tasks: [{LOOP}]}}", 0),
        (f"dag: {{tasks: [{LOOP}, {{name: e, template: t}}]}}", 0),
        (f"dag: {{tasks: [{LOOP}, {{name: e, template: t, depends: d}}]}}", 1),
        ("steps: [[{name: d, inline: {container: {image: i}}}]]", 0),
    ],
)
def test_a_loop_of_an_inline_template_that_argo_does_not_end_well(main: str, many: int) -> None:
    found = remarks(_workflow(main))
    assert len(found) == many
    assert all("spec.templates[0].d: a loop of an inline template" in one for one in found)


KEPT = "steps: [[{name: a, inline: {inputs: {parameters: [{name: own}]}, container: {image: i, args: ['%s']}}}]]"


@pytest.mark.parametrize(
    ("tag", "told"),
    [
        ("{{item}}", True),
        ("{{item.x}}", True),
        ("{{inputs.parameters.outer}}", True),
        ("{{steps.z.outputs.result}}", True),
        ("{{inputs.parameters.own}}", False),
        ("{{workflow.name}}", False),
        ("{{steps.name}}", False),
    ],
)
def test_what_a_stored_inline_template_does_not_get_from_its_caller(tag: str, told: bool) -> None:
    stored = _workflow(KEPT % tag, "WorkflowTemplate")
    caller: Json = {"kind": "Workflow", "spec": {}}
    assert [tag in one for one in remarks(caller, [stored])] == [True] * told
    assert bool(remarks(stored)) is told
    assert not remarks({"kind": "Workflow", "spec": {"workflowTemplateRef": {"name": "w"}}}, [stored])


def test_stored_inline_templates_of_one_name() -> None:
    stored = _workflow(
        "steps: [[{name: a, inline: {script: {source: x}}}], [{name: a, inline: {script: {source: y}}}]]",
        "WorkflowTemplate",
    )
    assert "runs the inline template of the first step of that name" in remarks({}, [stored])[0]


def test_a_group_that_is_no_group_is_for_the_validation_to_refuse() -> None:
    assert list(remarks(_workflow("steps: [null, [{name: a, template: b}]]"), [])) == []


@pytest.mark.parametrize("condition", [{}, {"when": "a"}, {"depends": "a"}, {"withItems": [1]}])
def test_a_template_that_calls_itself_without_a_condition(condition: Json) -> None:
    dag = {"name": "plot", "dag": {"tasks": [{"name": "draw", "template": "plot", **condition}]}}
    steps = {"name": "plot", "steps": [[{"name": "draw", "template": "plot", **condition}]]}
    for template in (dag, steps):
        told = remarks({"spec": {"templates": [template]}})
        assert bool(told) is (not condition)
        assert all(one.startswith("spec.templates[0].draw calls the template it is in") for one in told)


def test_a_recursion_after_other_steps_is_meant() -> None:
    first, again = {"name": "flip", "template": "coin"}, {"name": "again", "template": "main"}
    assert remarks({"spec": {"templates": [{"name": "main", "steps": [[first], [again]]}]}}) == []


@pytest.mark.parametrize(
    ("hooked", "of_hook", "name", "told"),
    [
        (True, True, "running", True),
        (True, True, "exit", False),
        (False, True, "running", False),
        (True, False, "running", False),
    ],
)
def test_a_hook_that_a_cluster_takes_for_an_attempt(hooked: bool, of_hook: bool, name: str, told: bool) -> None:
    again: Json = {"retryStrategy": {"limit": 1}}
    document = _workflow(f"steps: [[{{name: a, template: t, hooks: {{{name}: {{template: h, expression: 'true'}}}}}}]]")
    document["spec"]["templates"] += [
        {"name": "t", **(again if hooked else {})},
        {"name": "h", **(again if of_hook else {})},
    ]
    found = remarks(document)
    assert len(found) == told
    assert all(one.startswith("spec.templates[0].a.hooks.running and what it belongs to") for one in found)


def test_a_hook_of_a_workflow_that_a_cluster_takes_for_an_attempt() -> None:
    document = _workflow("container: {image: i}")
    hooks = {"running": {"template": "main", "expression": "true"}}
    document["spec"] |= {"entrypoint": "main", "templateDefaults": {}, "hooks": hooks}
    assert not remarks(document)
    document["spec"]["templateDefaults"]["retryStrategy"] = {}
    (found,) = remarks(document)
    assert found.startswith("spec.hooks.running and what it belongs to")
