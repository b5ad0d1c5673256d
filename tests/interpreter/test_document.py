"""A workflow over its template, what it refers to, and what submitting makes."""

from __future__ import annotations

from typing import Any

import pytest

from hera_utils.argo.merge_patches import strategic_merge
from hera_utils.errors import ExpressionError, InvalidWorkflow, Refused
from hera_utils.interpreter.document import (
    add_metadata,
    effective_spec,
    join_specs,
    reachable_templates,
    template_documents,
    with_template_defaults,
)
from hera_utils.interpreter.submission import cron_workflow, submitted_kind, with_options, workflow_from

Json = dict[str, Any]


def template(name: str, spec: Json, kind: str = "WorkflowTemplate") -> Json:
    return {"kind": kind, "metadata": {"name": name, "uid": f"uid-{name}"}, "spec": spec}


def named(*names: str) -> list[Json]:
    return [{"name": name} for name in names]


def test_lists_with_a_key_are_merged_in_the_order_of_the_upper_one() -> None:
    below = {"volumes": [{"name": n, "emptyDir": {"sizeLimit": "1"}} for n in "abcd"]}
    above = {"volumes": [{"name": "d", "emptyDir": {"medium": "Memory"}}, {"name": "x"}, {"name": "b"}]}
    merged = strategic_merge(below, above, "v1alpha1.WorkflowSpec")
    assert [volume["name"] for volume in merged["volumes"]] == ["a", "c", "d", "x", "b"]
    assert merged["volumes"][2]["emptyDir"] == {"sizeLimit": "1", "medium": "Memory"}
    assert [volume["name"] for volume in below["volumes"]] == list("abcd")


def test_other_lists_are_replaced_and_maps_merged() -> None:
    below = {
        "templates": [{"name": "a", "container": {"args": ["1", "2"], "env": [{"name": "A", "value": "1"}]}}],
        "nodeSelector": {"a": "1"},
    }
    above = {
        "templates": [{"name": "a", "container": {"args": ["3"], "env": [{"name": "B", "value": "2"}]}}],
        "nodeSelector": {"b": "2"},
    }
    merged = strategic_merge(below, above, "v1alpha1.WorkflowSpec")
    container = merged["templates"][0]["container"]
    assert container["args"] == ["3"]
    assert sorted(one["name"] for one in container["env"]) == ["A", "B"]
    assert merged["nodeSelector"] == {"a": "1", "b": "2"}


def test_without_a_reference_the_spec_is_its_own() -> None:
    document = {"spec": {"entrypoint": "a"}}
    assert effective_spec(document, ()) is document["spec"]


def test_a_reference_is_taken_in() -> None:
    document = {
        "spec": {
            "workflowTemplateRef": {"name": "t"},
            "entrypoint": "b",
            "arguments": {"parameters": [{"name": "p", "value": "2"}]},
        }
    }
    referred = template("t", {"entrypoint": "a", "templates": named("a", "b"), "onExit": "bye", "suspend": True,
                              "arguments": {"parameters": [{"name": "p", "value": "1", "enum": ["1", "2"]},
                                                           {"name": "q", "value": "3"}]}})  # fmt: skip
    spec = effective_spec(document, (referred,))
    assert (spec["entrypoint"], spec["onExit"]) == ("b", "bye")
    assert spec["templates"] == named("a", "b")
    # a parameter with a value comes whole from the workflow
    assert spec["arguments"]["parameters"] == [{"name": "p", "value": "2"}, {"name": "q", "value": "3"}]
    assert "suspend" not in spec  # only the workflow's own `suspend` counts


def test_a_reference_to_nothing_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        effective_spec({"spec": {"workflowTemplateRef": {"name": "t", "clusterScope": True}}}, (template("t", {}),))
    assert refused.value.message == 'clusterworkflowtemplates.argoproj.io "t" not found'


def test_hooks_and_labels_from_are_taken_whole() -> None:
    below = {"hooks": {"exit": {"template": "a"}, "x": {"template": "b", "expression": "1"}},
             "workflowMetadata": {"labels": {"l": "1"}, "labelsFrom": {"f": {"expression": "a"}, "g": {"expression": "b"}}}}  # fmt: skip
    above = {"hooks": {"exit": {"template": "c"}}, "workflowMetadata": {"labelsFrom": {"f": {"expression": "c"}}}}
    joined = join_specs(above, below)
    assert joined["hooks"] == {"exit": {"template": "c"}, "x": {"template": "b", "expression": "1"}}
    assert joined["workflowMetadata"] == {
        "labels": {"l": "1"},
        "labelsFrom": {"f": {"expression": "c"}, "g": {"expression": "b"}},
    }


def test_an_artifact_of_the_same_store_inherits_what_it_leaves_out() -> None:
    below = {
        "arguments": {
            "artifacts": [{"name": "a", "s3": {"bucket": "b", "key": "k"}}, {"name": "c", "raw": {"data": "d"}}]
        }
    }
    above = {"arguments": {"artifacts": [{"name": "a", "s3": {"key": "new"}}, {"name": "c", "s3": {"key": "z"}}]}}
    artifacts = join_specs(above, below)["arguments"]["artifacts"]
    assert artifacts == [{"name": "a", "s3": {"bucket": "b", "key": "new"}}, {"name": "c", "s3": {"key": "z"}}]


def test_template_defaults_of_other_kinds_are_left_out() -> None:
    defaults = {"timeout": "30s", "container": {"image": "a", "command": ["c"]}, "script": {"image": "b"}}
    own = {"name": "t", "container": {"command": ["d"]}}
    assert with_template_defaults(own, defaults) == {
        "name": "t",
        "timeout": "30s",
        "container": {"image": "a", "command": ["d"]},
    }
    assert with_template_defaults(own, None) is own


def test_metadata_that_the_spec_asks_for() -> None:
    document = {"metadata": {"name": "w", "labels": {"a": "1"}}, "spec": {"workflowTemplateRef": {"name": "t"}}}
    spec = {
        "workflowMetadata": {
            "labels": {"a": "2"},
            "annotations": {"n": "x y"},
            "labelsFrom": {"f": {"expression": "e"}},
        }
    }
    metadata = dict(document["metadata"])
    add_metadata(metadata, document, spec, lambda text: text.upper())
    assert metadata == {
        "name": "w",
        "labels": {"a": "2", "f": "E", "workflows.argoproj.io/workflow-template": "t"},
        "annotations": {"n": "x y"},
    }
    assert document["metadata"] == {"name": "w", "labels": {"a": "1"}}


def test_labels_that_cannot_be() -> None:
    with pytest.raises(InvalidWorkflow, match='invalid label value "x y" for label "a": '):
        add_metadata({}, {"spec": {}}, {"workflowMetadata": {"labels": {"a": "x y"}}}, str)

    def broken(text: str) -> Any:
        raise ExpressionError("no")

    asked = {
        "workflowMetadata": {"labels": {"b": "1"}, "annotations": {"n": "2"}, "labelsFrom": {"a": {"expression": "e"}}}
    }
    metadata: dict[str, Any] = {}
    with pytest.raises(InvalidWorkflow, match='failed to evaluate label "a" expression "e": no'):
        add_metadata(metadata, {"spec": {}}, asked, broken)
    assert metadata == {"labels": {"b": "1"}, "annotations": {"n": "2"}}  # what was added before stays
    with pytest.raises(InvalidWorkflow, match="must be a string"):
        add_metadata({}, {"spec": {}}, asked, len)


# --- references -------------------------------------------------------------------------------------------------------


def calls(name: str, *, cluster: bool = False) -> Json:
    return {
        "name": "s",
        "templateRef": {"name": name, "template": "main", **({"clusterScope": True} if cluster else {})},
    }


def reached(document: Json, stored: list[Json], **options: Any) -> list[tuple[str, str]]:
    found = reachable_templates(document, template_documents(stored), **options)
    return [(one["kind"], one["metadata"]["name"]) for one in found]


def test_everything_that_can_be_reached_is_found_once() -> None:
    stored = [
        template("a", {"templates": [{"name": "main", "steps": [[calls("b"), calls("a")], None]}]}),
        template("b", {"templates": [{"name": "main", "dag": {"tasks": [
            {"name": "t", "inline": {"steps": [[calls("c", cluster=True)]]}}]}}]}),
        template("c", {"hooks": {"exit": {"templateRef": {"name": "d"}}}}, "ClusterWorkflowTemplate"),
        template("d", {}), template("e", {}),
    ]  # fmt: skip
    everything = [
        ("ClusterWorkflowTemplate", "c"),
        ("WorkflowTemplate", "a"),
        ("WorkflowTemplate", "b"),
        ("WorkflowTemplate", "d"),
    ]
    assert reached({"spec": {"workflowTemplateRef": {"name": "a"}}}, stored) == everything
    assert reached({"spec": {"workflowSpec": {"workflowTemplateRef": {"name": "a"}}}}, stored) == everything
    assert reached({"spec": {"templates": [{"name": "m", "steps": [[calls("none"), calls("e")]]}]}}, stored) == [
        ("WorkflowTemplate", "e")
    ]


def test_a_name_known_no_earlier_than_the_run_reaches_all_of_its_kind() -> None:
    stored = [template("a", {}), template("b", {}), template("c", {}, "ClusterWorkflowTemplate")]
    document = {"spec": {"templates": [{"name": "m", "steps": [[calls("{{inputs.parameters.t}}")]]}]}}

    def everything(kind: str) -> list[Json]:
        return [one for one in stored if one["kind"] == kind]

    assert reached(document, stored) == []
    assert reached(document, stored, everything=everything) == [("WorkflowTemplate", "a"), ("WorkflowTemplate", "b")]


# --- submitting -------------------------------------------------------------------------------------------------------


def test_kinds_that_can_be_submitted() -> None:
    assert submitted_kind("cronwf") == "CronWorkflow"
    assert submitted_kind("WorkflowTemplate") == submitted_kind("wftmpl") == "WorkflowTemplate"
    with pytest.raises(Refused, match="Resource kind 'pod' is not supported for submitting"):
        submitted_kind("pod")


def test_a_workflow_of_a_template() -> None:
    made = workflow_from(template("t", {}), "WorkflowTemplate", at=0)
    assert made["metadata"] == {"generateName": "t-", "labels": {"workflows.argoproj.io/workflow-template": "t"}}
    assert made["spec"] == {"arguments": {}, "workflowTemplateRef": {"name": "t"}}
    cluster = workflow_from(template("t", {}, "ClusterWorkflowTemplate"), "ClusterWorkflowTemplate", at=0)
    assert cluster["metadata"]["labels"] == {"workflows.argoproj.io/cluster-workflow-template": "t"}
    assert cluster["spec"]["workflowTemplateRef"] == {"name": "t", "clusterScope": True}


def test_a_workflow_of_a_cron_workflow() -> None:
    cron = template(
        "c",
        {"workflowSpec": {"entrypoint": "m"}, "workflowMetadata": {"labels": {"l": "1"}, "annotations": {"a": "2"}}},
    )
    cron["metadata"]["labels"] = {"workflows.argoproj.io/creator": "me", "own": "no"}
    by_hand = workflow_from(cron, "CronWorkflow", at=60)
    assert by_hand["spec"] == {"entrypoint": "m", "arguments": {}}
    assert by_hand["metadata"] == {
        "generateName": "c-",
        "labels": {"workflows.argoproj.io/cron-workflow": "c", "l": "1"},
        "annotations": {"workflows.argoproj.io/scheduled-time": "1970-01-01T00:01:00Z", "a": "2"},
        "ownerReferences": [
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "CronWorkflow",
                "name": "c",
                "uid": "uid-c",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    scheduled = cron_workflow(cron, at=60, name="c-1")
    assert scheduled["metadata"]["name"] == "c-1"
    assert scheduled["metadata"]["labels"]["workflows.argoproj.io/creator"] == "me"


def test_submit_options() -> None:
    workflow = {
        "metadata": {"generateName": "w-", "labels": {"a": "0"}},
        "spec": {"arguments": {"parameters": [{"name": "p", "value": "0"}, {"name": "q", "default": "1"}]}},
    }
    changed = with_options(
        workflow,
        {
            "name": "n", "entryPoint": "e", "serviceAccount": "s", "priority": 3, "podPriorityClassName": "c",
            "parameters": ["p=1=2", "r="], "labels": "a=1,b=2", "annotations": "x=y", "ownerReference": {"uid": "u"},
        },
    )  # fmt: skip
    assert changed["metadata"] == {
        "generateName": "w-", "name": "n", "labels": {"a": "1", "b": "2"}, "annotations": {"x": "y"},
        "ownerReferences": [{"uid": "u"}],
    }  # fmt: skip
    assert changed["spec"] == {
        "entrypoint": "e", "serviceAccountName": "s", "priority": 3, "podPriorityClassName": "c",
        "arguments": {"parameters": [{"name": "p", "value": "1=2"}, {"name": "r", "value": ""}, {"name": "q", "default": "1"}]},
    }  # fmt: skip
    assert workflow["metadata"] == {"generateName": "w-", "labels": {"a": "0"}}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"parameters": ["p"]}, 13, "expected parameter of the form: NAME=VALUE. Received: p"),
        (
            {"labels": "a"},
            13,
            "expected labels of the form: NAME1=VALUE2,NAME2=VALUE2. Received: a: unexpected label spec: a",
        ),
        (
            {"labels": "=a"},
            13,
            "expected labels of the form: NAME1=VALUE2,NAME2=VALUE2. Received: =a: unexpected empty label key",
        ),
        ({"artifacts": ["a"]}, 3, "expected artifact of the form: NAME=KEY. Received: a"),
        ({"artifacts": ["b=k"]}, 13, "artifact override(s) matched no artifact: b"),
    ],
)
def test_options_that_cannot_be_read(options: Json, code: int, message: str) -> None:
    with pytest.raises(Refused) as refused:
        with_options({"metadata": {}, "spec": {}}, options)
    assert (refused.value.code, refused.value.message) == (code, message)


def test_artifacts_at_other_keys() -> None:
    referred = template(
        "t", {"arguments": {"artifacts": [{"name": "a", "s3": {"bucket": "b", "key": "k"}}, {"name": "z"}]}}
    )
    workflow = {"metadata": {}, "spec": {"workflowTemplateRef": {"name": "t"}}}
    changed = with_options(workflow, {"artifacts": ["a=new"]}, referred)
    assert changed["spec"]["arguments"]["artifacts"] == [{"name": "a", "s3": {"bucket": "b", "key": "new"}}]
