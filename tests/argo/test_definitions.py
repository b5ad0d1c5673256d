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
    remark = [definitions.NOT_CHECKED] if "Unsupported value" in fault else []
    assert faults(spec) == [fault, *remark]


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("memoize: {key: k}", "memoize.cache"),
        ("memoize: {key: k, cache: {}}", "memoize.cache.configMap"),
        ("metrics: {}", "metrics.prometheus"),
        ("metrics: {prometheus: [{name: a, help: h, gauge: {value: '1'}}]}", "metrics.prometheus[0].gauge.realtime"),
        ("metrics: {prometheus: [{name: a, help: h, histogram: {value: '1', buckets: []}}]}", "metrics.prometheus[0].histogram.buckets"),
        ("containerSet: {retryStrategy: {}, containers: [{name: main}]}", "containerSet.retryStrategy.retries"),
        ("data: {source: {artifactPaths: {name: a}}, transformation: []}", "data.transformation"),
        ("resource: {action: get, manifestFrom: {}}", "resource.manifestFrom.artifact"),
        ("affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {}}}",
         "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"),
    ],
)  # fmt: skip
def test_a_field_that_must_be_there(template: str, path: str) -> None:
    """Also in a template that is not called. Kubernetes adds that it checked no rule about whole objects."""
    two = "inputs: {artifacts: [{name: x, raw: {data: a}, http: {url: b}}]}"
    wrong = faults(f"{{templates: [{{name: m, {template}}}, {{name: n, {two}}}]}}")
    assert wrong == [f"spec.templates[0].{path}: Required value", definitions.NOT_CHECKED]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ("{arguments: {artifacts: [{name: x, raw: {data: a}, s3: {key: b}}]}}", "spec.arguments.artifacts[0]"),
        ("{templates: [{name: m, outputs: {artifacts: [{name: x, gcs: {key: a}, s3: {key: b}}]}}]}",
         "spec.templates[0].outputs.artifacts[0]"),
        ("{templates: [{name: m, data: {source: {artifactPaths: {name: x, raw: {data: a}, s3: {key: b}}}, "
         "transformation: [{expression: data}]}}]}",
         "spec.templates[0].data.source.artifactPaths"),
    ],
)  # fmt: skip
def test_an_artifact_has_one_location(spec: str, path: str) -> None:
    assert faults(spec) == [f"{path}: Invalid value: at most one artifact location can be specified"]


def test_a_resource_has_one_manifest() -> None:
    spec = "{templates: [{name: m, resource: {action: get, manifest: 'a: b', manifestFrom: {artifact: {name: x, raw: {data: a}}}}}]}"
    wrong = "spec.templates[0].resource: Invalid value: only one of manifest or manifestFrom can be specified"
    assert faults(spec) == [wrong]


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
