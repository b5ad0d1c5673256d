"""What Argo's resource definitions let a cluster refuse, in the words of the API server."""

from __future__ import annotations

import pytest
import yaml

from hera_utils.argo import definitions

NAME = "^[a-zA-Z0-9][-a-zA-Z0-9]*$"


def faults(spec: str, kind: str = "Workflow") -> list[str]:
    return definitions.faults({"spec": yaml.safe_load(spec)}, kind)


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("{parallelism: 0}", "spec.parallelism: Invalid value: 0: spec.parallelism in body should be greater than or equal to 1"),
        (
            "{templates: [{name: m, steps: [[{name: 'a-{{x}}'}]]}]}",
            'spec.templates[0].steps[0][0].name: Invalid value: "a-{{x}}": spec.templates[0].steps[0][0].name in body should match '
            f"'{NAME}'",
        ),
        (
            "{templates: [{name: m, dag: {tasks: [{name: a}, {name: b.c}]}}]}",
            'spec.templates[0].dag.tasks[1].name: Invalid value: "b.c": spec.templates[0].dag.tasks[1].name in body should match '
            f"'{NAME}'",
        ),
        (
            "{templates: [{name: m, resource: {action: patch, mergeStrategy: foo}}]}",
            'spec.templates[0].resource.mergeStrategy: Unsupported value: "foo": supported values: "strategic", "merge", "json"',
        ),
        (
            "{templates: [{name: m, container: {image: i, env: [{name: A, value: x}, {name: A, value: y}]}}]}",
            'spec.templates[0].container.env[1]: Duplicate value: {"name":"A"}',
        ),
        (
            "{templates: [{name: m, script: {image: i, volumeMounts: [{name: a, mountPath: /x}, {name: b, mountPath: /x}]}}]}",
            'spec.templates[0].script.volumeMounts[1]: Duplicate value: {"mountPath":"/x"}',
        ),
        (
            "{templates: [{name: m, inputs: {artifacts: [{name: a, mode: 1000}]}}]}",
            "spec.templates[0].inputs.artifacts[0].mode: Invalid value: 1000: spec.templates[0].inputs.artifacts[0].mode in body "
            "should be less than or equal to 511",
        ),
        (
            "{hooks: {exit: {arguments: {parameters: [{name: a, enum: []}]}}}}",
            "spec.hooks.exit.arguments.parameters[0].enum: Invalid value: 0: spec.hooks.exit.arguments.parameters[0].enum in body "
            "should have at least 1 items",
        ),
        (
            "{metrics: {prometheus: [{name: m, help: '', counter: {value: '1'}}]}}",
            'spec.metrics.prometheus[0].help: Invalid value: "": spec.metrics.prometheus[0].help in body should be at least 1 chars long',
        ),
    ],
)  # fmt: skip
def test_a_spec_is_refused(spec: str, fault: str) -> None:
    assert faults(spec) == [fault]


def test_a_spec_of_usual_things_is_not() -> None:
    spec = """
    parallelism: 1
    podGC: {strategy: OnPodCompletion}
    templates:
    - name: m
      steps:
      - [{name: a, template: t}]
      - [{name: b, inline: {container: {image: i, ports: [{containerPort: 1}, {containerPort: 2}]}}}]
    - name: t
      inputs: {parameters: [{name: a_b, enum: [x]}], artifacts: [{name: "a.b", mode: 493}]}
      container: {image: i, env: [{name: A}, {name: B}]}
    """
    assert faults(spec) == []


def test_what_is_inside_of_a_cron_workflow_counts_and_many_faults_are_cut() -> None:
    assert faults("{workflowSpec: {parallelism: 0}}", "CronWorkflow")[0].startswith("spec.workflowSpec.parallelism: ")
    tasks = ", ".join(f"{{name: a.{number}}}" for number in range(50))
    assert len(faults(f"{{templates: [{{name: m, dag: {{tasks: [{tasks}]}}}}]}}")) == 10
