"""Documents are read and written as Argo's server does it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from call_counts import calls_of
from hera_utils.argo.scalars import canonical_quantity
from hera_utils.argo.schema import decode, fields, struct_of, type_names
from hera_utils.errors import Refused

ROOT = Path(__file__).resolve().parents[2]


def workflow(template: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "w"},
        "spec": {"entrypoint": "main", "templates": [{"name": "main", **template}], **spec},
    }


def refusal(document: Any, kind: str = "Workflow") -> str:
    with pytest.raises(Refused) as refused:
        decode(document, kind)
    assert refused.value.code == 3
    return refused.value.message


def test_the_schema_is_what_the_generator_writes() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools/generate_schema.py"), "--check"], check=False)
    assert done.returncode == 0, "run tools/generate_schema.py"


def test_empty_structs_are_written_out() -> None:
    assert decode(workflow({"container": {"image": "a"}}), "Workflow") == {
        "metadata": {"name": "w"},
        "spec": {
            "entrypoint": "main",
            "arguments": {},
            "templates": [
                {
                    "name": "main",
                    "inputs": {},
                    "outputs": {},
                    "metadata": {},
                    "container": {"name": "", "image": "a", "resources": {}},
                }
            ],
        },
        "status": {"startedAt": None, "finishedAt": None},
    }


def test_unknown_fields_are_dropped_and_case_does_not_matter() -> None:
    decoded = decode({"metadata": {}, "SPEC": {"entryPOINT": "a", "colour": "red"}, "x": 1}, "Workflow")
    assert decoded["spec"] == {"entrypoint": "a", "arguments": {}}
    assert "x" not in decoded


def test_the_document_given_is_left_alone() -> None:
    document = workflow({"container": {"image": "a", "env": [{"name": "A", "value": "1"}]}})
    before = json.dumps(document)
    decode(document, "Workflow")
    assert json.dumps(document) == before


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.5, "1.5"),
        (True, "true"),
        ("x", "x"),
        (1e21, "1000000000000000000000"),
        (2**60, "1152921504606847000"),
    ],
)
def test_values_of_parameters_are_texts(value: Any, text: str) -> None:
    decoded = decode({"spec": {"arguments": {"parameters": [{"name": "a", "value": value}]}}}, "Workflow")
    assert decoded["spec"]["arguments"]["parameters"] == [{"name": "a", "value": text}]


def test_empty_values_are_left_out_but_pointers_to_them_kept() -> None:
    decoded = decode({"spec": {"suspend": False, "entrypoint": "", "hostNetwork": None, "volumes": []}}, "Workflow")
    assert decoded["spec"] == {"suspend": False, "arguments": {}}


def test_steps() -> None:
    decoded = decode(
        workflow({"steps": [[{"name": "a", "template": "b", "withItems": [1, {"k": None}]}], None]}), "Workflow"
    )
    steps = decoded["spec"]["templates"][0]["steps"]
    assert steps == [[{"name": "a", "template": "b", "arguments": {}, "withItems": [1, {"k": None}]}], None]


WRONG_TYPES = [
    (
        workflow({"container": {"command": "echo"}}),
        "json: cannot unmarshal string into Go struct field"
        " Container.workflow.spec.templates.container.command of type []string",
    ),
    (
        workflow({"script": {"command": "python", "source": "1"}}),
        "json: cannot unmarshal string into Go struct field"
        " ScriptTemplate.workflow.spec.templates.script.Container.command of type []string",
    ),
    (
        workflow({}, arguments={"parameters": {"a": "b"}}),
        "json: cannot unmarshal object into Go struct field"
        " Arguments.workflow.spec.arguments.parameters of type []v1alpha1.Parameter",
    ),
    (
        workflow({}, parallelism=1.5),
        "json: cannot unmarshal number 1.5 into Go struct field WorkflowSpec.workflow.spec.parallelism of type int64",
    ),
    (
        {"metadata": {"labels": {"a": 1}}},
        "json: cannot unmarshal number into Go struct field ObjectMeta.workflow.metadata.labels of type string",
    ),
    (workflow({"steps": [{"name": "a"}]}), "json: cannot unmarshal object into Go struct field"
     " Template.workflow.spec.templates.steps of type []map[string]interface {}"),
    (workflow({"steps": [[{"name": ["a"]}]]}), "json: cannot unmarshal array into Go struct field"
     " Template.workflow.spec.templates.steps.name of type string"),
    (workflow({"steps": [[{"nme": "a"}]]}), 'json: unknown field "nme"'),
    (workflow({"plugin": {"a": {}, "b": {}}}), "expected exactly one key, got 2"),
    (
        workflow({"container": {"imagePullPolicy": 1}}),
        "json: cannot unmarshal number into Go struct field"
        " Container.workflow.spec.templates.container.imagePullPolicy of type v1.PullPolicy",
    ),
    (
        workflow({"container": {"resources": {"limits": {"cpu": "1x"}}}}),
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ),
    (
        {"metadata": {"creationTimestamp": "today"}},
        'parsing time "today" as "2006-01-02T15:04:05Z07:00": cannot parse "today" as "2006"',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), WRONG_TYPES)
def test_wrong_types_are_refused_with_gos_message(document: Any, message: str) -> None:
    assert refusal(document) == message


def test_the_request_that_holds_it_stands_in_the_message() -> None:
    wrong = {"spec": {"entrypoint": []}}
    for kind, field in (("WorkflowTemplate", "template"), ("ClusterWorkflowTemplate", "template")):
        assert f"WorkflowSpec.{field}.spec.entrypoint" in refusal(wrong, kind)
    assert "WorkflowSpec.cronWorkflow.spec.workflowSpec.entrypoint" in refusal(
        {"spec": {"workflowSpec": {"entrypoint": []}}}, "CronWorkflow"
    )
    assert (
        refusal([])
        == "json: cannot unmarshal array into Go struct field WorkflowCreateRequest.workflow of type v1alpha1.Workflow"
    )


def test_fields_of_argo_4_1_are_known() -> None:
    template = fields("v1alpha1.Template")
    assert {"pendingTimeout", "podResources", "resourceClaims"} <= set(template)
    assert struct_of(template["podResources"]) == "v1.ResourceRequirements"
    assert struct_of("[]*v1.Volume") == "v1.Volume"
    assert struct_of("map[string]string") is None
    assert "v1alpha1.SubmitOpts" in type_names()


@pytest.mark.parametrize(
    ("given_text", "written"),
    [
        ("0.5", "500m"), ("1000m", "1"), ("1024Mi", "1Gi"), ("1.5Gi", "1536Mi"), ("0", "0"), ("100Mi", "100Mi"),
        ("1e3", "1e3"), ("1000", "1k"), ("512Ki", "512Ki"), ("0.1n", "1n"), ("-2", "-2"), ("1023", "1023"),
    ],
)  # fmt: skip
def test_quantities_are_written_canonically(given_text: str, written: str) -> None:
    assert canonical_quantity(given_text) == written


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *fields("v1alpha1.Workflow"),
                    *fields("v1alpha1.WorkflowSpec"),
                    *fields("v1alpha1.Template"),
                    *fields("v1.Container"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_any_document_is_read_or_refused_and_reading_twice_changes_nothing(document: Any) -> None:
    try:
        once = decode(document, "Workflow")
    except Refused:
        return
    assert decode(once, "Workflow") == once


def test_a_document_nested_too_deeply_is_refused() -> None:
    inner: dict[str, Any] = {"container": {}}
    for _ in range(2000):
        inner = {"dag": {"tasks": [{"name": "a", "inline": inner}]}}
    assert refusal(workflow(inner)) == "exceeded max depth"


def test_each_task_of_a_large_workflow_costs_the_same_to_read() -> None:
    def cost(tasks: int) -> int:
        parameters = [{"name": "a", "value": 1}, {"name": "b", "value": "x" * 60}]
        task = {"template": "w", "arguments": {"parameters": parameters}}
        document = workflow({"dag": {"tasks": [{"name": f"t{n}", **task} for n in range(tasks)]}})
        return calls_of(lambda: decode(document, "Workflow"))

    cost(1)  # loads the parts of the schema that are read once
    assert cost(6000) - cost(3000) <= 30 * 3000


_TOGETHER = """
import json, sys, threading
sys.setswitchinterval(1e-6)
from hera_utils.argo.schema import decode
document, barrier, answers = json.loads(sys.stdin.read()), threading.Barrier(8), []
def work():
    barrier.wait()
    answers.append(json.dumps(decode(document, "Workflow")))
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps([len(answers), sorted(set(answers))]))
"""


def test_the_first_documents_that_come_together_lose_no_field() -> None:
    document = workflow({"container": {"image": "a", "env": [{"name": "A", "value": "b"}], "command": ["c"]}})
    done = subprocess.run([sys.executable, "-c", _TOGETHER], input=json.dumps(document), capture_output=True, text=True)
    number, answers = json.loads(done.stdout)
    assert number == 8
    assert [json.loads(answer) for answer in answers] == [decode(document, "Workflow")]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (1.0, "1"), (9007199254740993, "9007199254740992"), (-9007199254740993, "-9007199254740992"), (0.5, "0.5"),
        (12345678901234567890, "12345678901234567000"), (1e21, "1000000000000000000000"), (1e-7, "0.0000001"), (-0.0, "-0"), (True, "true"),
    ],
)  # fmt: skip
def test_the_number_of_a_parameter_is_a_float_of_go(given: object, kept: str) -> None:
    arguments = {"parameters": [{"name": "p", "value": given}]}
    stored = decode(workflow({"container": {"image": "a"}}, arguments=arguments), "Workflow")
    assert stored["spec"]["arguments"]["parameters"][0]["value"] == kept


def test_integers_of_items_have_sixty_four_bits() -> None:
    items = [9007199254740993, 12345678901234567890, -123456789012345678901234567890, {"a": [1 << 64]}, -0.0, 1.5]
    stored = decode(workflow({"steps": [[{"name": "a", "template": "t", "withItems": items}]]}), "Workflow")
    kept = stored["spec"]["templates"][0]["steps"][0][0]["withItems"]
    assert json.dumps(kept) == (
        '[9007199254740993, 12345678901234567000, -1.2345678901234568e+29, {"a": [18446744073709552000]}, 0, 1.5]'
    )
