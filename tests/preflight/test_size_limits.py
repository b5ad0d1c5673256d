"""What no cluster takes is known before it is sent, with the path of the field and its size."""

import pytest

from hera_utils.preflight.size_limits import describe_oversized_outputs, find_breaches, size_of_document

X = "x" * 300_000


def whats(document):
    return [what for what, fix in find_breaches(document) if fix]


def test_a_small_workflow_breaks_nothing():
    small = {"spec": {"arguments": {"parameters": [{"name": "a", "value": "x"}]}}}
    assert find_breaches(small) == []
    assert size_of_document(small).largest == ("spec.arguments.parameters[a]", 1)
    assert size_of_document({"spec": {"text": "é"}}).bytes == len('{"spec":{"text":"é"}}'.encode())


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ({"spec": {"templates": ["x" * 1_100_000]}}, "the workflow has 1074 KiB, a cluster accepts 1024"),
        (
            {"spec": {"templates": ["x" * 3_300_000]}},
            "the workflow has 3223 KiB, a cluster accepts 1024 (and 3072 per request)",
        ),
        (
            {"spec": {"arguments": {"parameters": [{"name": "a", "value": X}]}}},
            "spec.arguments.parameters[a] has 293 KiB, Argo accepts 256 per parameter",
        ),
        (
            {"spec": {"templates": [{"name": "t", "inputs": {"parameters": [{"name": "a", "value": X}]}}]}},
            "spec.templates[t].inputs.parameters[a] has 293 KiB, Argo accepts 256 per parameter",
        ),
        (
            {
                "spec": {
                    "templates": [
                        {
                            "name": "d",
                            "dag": {"tasks": [{"name": "A", "arguments": {"parameters": [{"name": "p", "value": X}]}}]},
                        }
                    ]
                }
            },
            "spec.templates[d].dag.tasks[A].arguments.parameters[p] has 293 KiB, Argo accepts 256 per parameter",
        ),
        (
            {"spec": {"templates": [{"name": "t", "container": {"args": ["a", "y" * 140_000]}}]}},
            "spec.templates[t].container.args[1] has 137 KiB, a program accepts 128 per argument",
        ),
        (
            {"spec": {"templates": [{"name": "t", "script": {"env": [{"name": "E", "value": "y" * 140_000}]}}]}},
            "spec.templates[t].script.env[E] has 137 KiB, a program accepts 128 per argument",
        ),
        (
            {"spec": {"templates": [{"name": "d", "dag": {"tasks": [{"name": f"t{n}"} for n in range(201)]}}]}},
            "spec.templates[d].dag.tasks has 201 elements, a cluster accepts 200",
        ),
        (
            {"spec": {"templates": [{"name": f"t{n}"} for n in range(201)]}},
            "spec.templates has 201 elements, a cluster accepts 200",
        ),
        ({"metadata": {"name": "a" * 64}}, "metadata.name has 64 characters, at most 63 are legal"),
        ({"metadata": {"name": "Big_Name"}}, "metadata.name `Big_Name` is not a legal name"),
        ({"metadata": {"generateName": "a" * 60}}, "metadata.generateName has 60 characters, at most 58 are legal"),
        ({"metadata": {"generateName": "Big-"}}, "metadata.generateName `Big-` cannot begin a legal name"),
        ({"metadata": {"labels": {"a": "v" * 64}}}, "metadata.labels[a] has 64 characters, at most 63 are legal"),
        ({"metadata": {"labels": {"a": "a b"}}}, "metadata.labels[a] `a b` is not a legal value of a label"),
        ({"metadata": {"labels": {"a b": "v"}}}, "metadata.labels[a b] is not a legal key of a label"),
        ({"metadata": {"annotations": {"a": X}}}, "metadata.annotations has 293 KiB, Kubernetes accepts 256"),
        (
            {"spec": {"templates": [{"name": "t", "metadata": {"labels": {"k": "-"}}}]}},
            "spec.templates[t].metadata.labels[k] `-` is not a legal value of a label",
        ),
        (
            {
                "kind": "CronWorkflow",
                "spec": {"workflowSpec": {"arguments": {"parameters": [{"name": "a", "value": X}]}}},
            },
            "spec.workflowSpec.arguments.parameters[a] has 293 KiB, Argo accepts 256 per parameter",
        ),
    ],
)
def test_each_limit_is_told_with_its_path(document, what):
    assert whats(document) == [what]


def test_a_script_of_any_length_and_names_that_are_made_while_it_runs():
    long = {
        "name": "t",
        "script": {"source": "y" * 200_000},
        "metadata": {"labels": {"k": "{{inputs.parameters.a b}}"}},
    }
    assert find_breaches({"metadata": {"generateName": "a-"}, "spec": {"templates": [long]}}) == []


def test_outputs_that_no_cluster_takes():
    def pod(name, *sizes):
        parameters = [{"name": f"p{number}", "value": "é" * (length // 2)} for number, length in enumerate(sizes)]
        return {"type": "Pod", "displayName": name, "outputs": {"parameters": parameters}}

    def document(*nodes):
        return {"status": {"nodes": {str(number): node for number, node in enumerate(nodes)}}}

    small, large, sum_of_two = pod("small", 1_500_000), pod("large", 2_000_000), pod("two", 800_000, 800_000)
    assert describe_oversized_outputs(document(small, {"type": "DAG", "outputs": large["outputs"]}, {})) == ""
    assert describe_oversized_outputs({}) == ""
    said = describe_oversized_outputs(document(small, large, sum_of_two))
    assert said.startswith(
        "the output parameters of large (and 1 more) have 1953 KiB, a cluster accepts 1536 of a task"
    )
