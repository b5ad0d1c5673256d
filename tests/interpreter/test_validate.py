"""What Argo refuses is refused, in its words; what it takes is taken. Each rule has a small workflow of its own."""

from __future__ import annotations

# ruff: noqa: E501  (a row of a table stays a row)
from typing import Any

import pytest
import yaml

from call_counts import calls_of
from hera_utils.argo.schema import decode
from hera_utils.errors import HeraUtilsError, Refused
from hera_utils.interpreter.validation.stored import check_stored
from hera_utils.interpreter.validation.workflow import validate

Json = dict[str, Any]


def fault(document: Json, templates: tuple[Json, ...] = (), kind: str = "Workflow", **options: bool) -> str:
    """The validation's message about a document, "" if it is valid."""
    try:
        validate(decode(document, kind), templates, kind=kind, **options)
    except HeraUtilsError as error:
        return error.message
    return ""


def of(templates: str, spec: str = "") -> Json:
    """A workflow with these templates (YAML of the list), `main` its entrypoint, and more of its spec."""
    more = yaml.safe_load(spec) or {}
    return {"metadata": {"name": "w"}, "spec": {"entrypoint": "main", "templates": yaml.safe_load(templates), **more}}


ECHO = """
- name: echo
  inputs: {parameters: [{name: text}]}
  container: {image: busybox, args: ["{{inputs.parameters.text}}"]}
"""
PLAIN = """
- name: plain
  container: {image: busybox}
"""


def main(body: str, others: str = PLAIN) -> str:
    """A template `main` with this body (flow YAML of its fields), and others."""
    return f"- {{name: main, {body}}}\n{others}"


TAKEN = [
    main("container: {image: a}"),
    main('steps: [[{name: a, template: echo, arguments: {parameters: [{name: text, value: "x"}]}}]]', ECHO),
    main('steps: [[{name: a, template: plain}], [{name: b, template: echo, arguments: {parameters: [{name: text, value: "{{steps.a.outputs.result}}"}]}}]]', ECHO + PLAIN),
    main('dag: {tasks: [{name: a, template: plain}, {name: b, template: plain, depends: "a.Succeeded || a.Failed", when: "{{tasks.a.status}} != Failed"}]}'),
    main('steps: [[{name: a, template: echo, withItems: [{k: 1}], arguments: {parameters: [{name: text, value: "{{item.k}}"}]}}]]', ECHO),
    main('steps: [[{name: a, template: echo, withParam: "[1]", arguments: {parameters: [{name: text, value: "{{item.any}}"}]}}]]', ECHO),
    main('container: {image: a, args: ["{{retries}}", "{{lastRetry.exitCode}}", "{{pod.name}}", "{{workflow.creationTimestamp.Y}}"]}, retryStrategy: {limit: 2}'),
    main('container: {image: a, args: ["{{my.own.text}}", "{{=anything at all(}}", "{{workflow.duration}}"]}'),
    main("suspend: {}, inputs: {parameters: [{name: a, default: b}]}"),
    main('dag: {tasks: [{name: a, inline: {container: {image: a}}}], target: "a"}'),
    main('steps: [[{name: "a{{inputs.parameters.n}}", template: plain}]], inputs: {parameters: [{name: n, value: "1"}]}'),
]  # fmt: skip


@pytest.mark.parametrize("templates", TAKEN)
def test_taken(templates: str) -> None:
    assert fault(of(templates)) == ""


# (templates, what is said)
REFUSED = [
    (main("{}").replace("{}", "metadata: {}"), "template 'main' type is unknown"),
    (main("container: {image: a}, suspend: {}"), "templates.main multiple template types specified. choose one of:"
     " container, containerSet, steps, script, resource, dag, suspend, template, template ref"),
    (main("container: {command: [a]}"), "templates.main.container.image may not be empty"),
    (main("script: {source: a}"), "templates.main.script.image may not be empty"),
    (main('container: {image: a, args: ["{{inputs.parameters.a}}"]}'), "templates.main: failed to resolve {{inputs.parameters.a}}"),
    (main('container: {image: a, args: ["{{ workflow.parameters.a }}"]}'),
     "templates.main: failed to resolve {{ workflow.parameters.a }}"),
    (main('container: {image: a, args: ["{{workflow.labels.a}}"]}'), "templates.main: failed to resolve {{workflow.labels.a}}"),
    (main("container: {image: a}, parallelism: 2"), "templates.main.parallelism is only valid for steps and dag templates"),
    (main("container: {image: a}, activeDeadlineSeconds: -1"),
     "templates.main.activeDeadlineSeconds must be a positive integer > 0 or an argo variable"),
    (main("container: {image: a}, activeDeadlineSeconds: soon"),
     "templates.main.activeDeadlineSeconds must be a positive integer > 0 or an argo variable"),
    (main('container: {image: a}, timeout: "10"'), "main has invalid duration format in timeout"),
    (main("container: {image: a}, retryStrategy: {retryPolicy: Sometimes}"), "Sometimes is not a valid RetryPolicy"),
    (main("container: {image: a}, initContainers: [{image: b}]"), "initContainers must all have container name"),
    (main("container: {image: a}, sidecars: [{name: wait, image: b}]"),
     'templates.main.sidecars: "wait" is a reserved Argo container name'),
    (main("container: {image: a, volumeMounts: [{name: v, mountPath: /v}, {name: w, mountPath: /v}]}"),
     "templates.main.container.volumeMounts[1].mountPath '/v' already mounted in container.volumeMounts.v"),
    (main("container: {image: a, volumeMounts: [{name: v, mountPath: /v}]}, inputs: {artifacts: [{name: x, path: /v, raw: {data: d}}]}"),
     "templates.main.inputs.artifacts[0].path '/v' already mounted in container.volumeMounts.v"),
    (main("container: {image: a}, podResources: {limits: {gpu: 1}}"), 'templates.main.podResources: "gpu" is not a valid'
     " pod-level resource, only cpu, memory and hugepages-* are supported"),
    # inputs and outputs
    (main("container: {image: a}, inputs: {parameters: [{name: a}, {name: a}]}"),
     "templates.main.inputs.parameters[1].name 'a' is not unique"),
    (main("container: {image: a}, inputs: {parameters: [{name: a b}]}"), "templates.main.inputs.parameters[0].name: 'a b' is invalid:"
     " Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-' e.g. my_param_1, MY-PARAM-1"),
    (main("container: {image: a}, inputs: {parameters: [{name: a}]}"), "templates.main inputs.parameters.a was not supplied"),
    (main("container: {image: a}, inputs: {artifacts: [{name: a, path: /a}]}"), "templates.main inputs.artifacts.a was not supplied"),
    (main("container: {image: a}, inputs: {artifacts: [{name: a}]}"),
     "error in templates.main.inputs.artifacts.a: Artifact 'a' did not specify a path"),
    (main("container: {image: a}, inputs: {artifacts: [{name: a, path: /a/../b, raw: {data: d}}]}"),
     "error in templates.main.inputs.artifacts.a: Artifact 'a' attempted to use a path containing '..'."
     " Directory traversal is not permitted"),
    (main('container: {image: a}, inputs: {artifacts: [{name: a, path: /a, from: "{{x}}"}]}'),
     "templates.main.inputs.artifacts.a.from not valid in inputs"),
    (main("container: {image: a}, inputs: {artifacts: [{name: a, path: /a, git: {}}]}"),
     "templates.main.inputs.artifacts.a.git.repo is required"),
    (main("suspend: {}, inputs: {artifacts: [{name: a, path: /a, raw: {data: d}}]}"),
     "templates.main.inputs.artifacts.a.path only valid in container/script templates"),
    (main("container: {image: a}, outputs: {parameters: [{name: a}]}"),
     "templates.main.outputs.parameters.a does not have valueFrom or value specified"),
    (main("container: {image: a}, outputs: {parameters: [{name: a, value: b, valueFrom: {path: /c}}]}"),
     "templates.main.outputs.parameters.a has both valueFrom and value specified, choose one"),
    (main("container: {image: a}, outputs: {parameters: [{name: a, valueFrom: {default: b}}]}"),
     "valueFrom type unspecified. choose one of: path, jqFilter, jsonPath, parameter, raw, expression"),
    (main("container: {image: a}, outputs: {parameters: [{name: a, valueFrom: {path: /b, jsonPath: c}}]}"),
     "multiple valueFrom types specified. choose one of: path, jqFilter, jsonPath, parameter, raw"),
    (main("container: {image: a}, outputs: {parameters: [{name: a, valueFrom: {parameter: b}}]}"),
     "templates.main.outputs.parameters.a.path must be specified for Container templates"),
    (main("container: {image: a}, outputs: {parameters: [{name: a, globalName: a.b, valueFrom: {path: /b}}]}"),
     "templates.main.outputs.parameters.a.globalName: Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-'"
     " e.g. my_param_1, MY-PARAM-1"),
    (main("steps: [[{name: a, template: plain}]], outputs: {parameters: [{name: a, valueFrom: {path: /b}}]}"),
     "templates.main.outputs.parameters.a.parameter or expression must be specified for Steps templates"),
    (main("container: {image: a}, outputs: {artifacts: [{name: a}]}"),
     "error in templates.main.outputs.artifacts.a: Artifact 'a' did not specify a path"),
    (main("suspend: {}, outputs: {artifacts: [{name: a, path: /b}]}"),
     "templates.main.outputs.artifacts.a.path only valid in container/script templates"),
    # steps
    (main("steps: [[{template: plain}]]"), "templates.main.steps[0].name is required"),
    (main("steps: [[{name: a, template: plain}], [{name: a, template: plain}]]"), "templates.main.steps[1].name 'a' is not unique"),
    (main("steps: [[{name: a_b, template: plain}]]"), "templates.main.steps[0].name 'a_b' is invalid: name must consist of alpha-numeric"
     " characters or '-', and must start with an alpha-numeric character (e.g. My-name1-2, 123-NAME)"),
    (main("steps: [[{name: a, template: none}]]"), "templates.main.steps[0].a template name 'none' undefined"),
    (main("steps: [[{name: a}]]"), "templates.main.steps[0].a failed to get a template"),
    (main("steps: [[{name: a, template: echo}]]", ECHO), "templates.main.steps[0].a templates.echo inputs.parameters.text was not supplied"),
    (main('steps: [[{name: a, template: plain, when: "{{steps.b.outputs.result}} == 1"}]]'),
     "templates.main.steps failed to resolve {{steps.b.outputs.result}}"),
    (main('steps: [[{name: a, template: plain, withItems: [1], withParam: "[1]"}]]'),
     "templates.main.steps[0].a only one of withItems, withParam, withSequence can be specified"),
    (main("steps: [[{name: a, template: plain, withSequence: {count: 1, end: 2}}]]"),
     "templates.main.steps[0].a only one of count or end can be defined in withSequence"),
    (main("steps: [[{name: a, template: plain, hooks: {running: {template: plain}}}]]"),
     "templates.main.steps[0].a.running Expression required"),
    (main("steps: [[{name: a, template: plain, arguments: {parameters: [{name: x}]}}]]"),
     "templates.main.steps[0].a.arguments.x.value or templates.main.steps[0].a.arguments.x.valueFrom is required"),
    (main("steps: [[{name: a, template: plain, arguments: {artifacts: [{name: x}]}}]]"),
     "templates.main.steps[0].a.arguments.x.from, artifact location, or key is required"),
    (main("steps: [[{name: a, template: plain}]], activeDeadlineSeconds: 3"),
     "templates.main.activeDeadlineSeconds is only valid for leaf templates"),
    (main("steps: [[{name: a, template: plain}]], timeout: 3s"), "Steps template doesn't support timeout field"),
    # DAG
    (main("dag: {tasks: []}"), "templates.main must have at least one task"),
    (main("dag: {tasks: [{name: a, template: plain}, {name: a, template: plain}]}"),
     "templates.main sorting failed: duplicated nodeName a"),
    (main("dag: {tasks: [{name: a, template: plain, dependencies: [b]}]}"), "templates.main sorting failed: invalid dependency b"),
    (main("dag: {tasks: [{name: a, template: plain, dependencies: [b]}, {name: b, template: plain, dependencies: [a]}]}"),
     "templates.main sorting failed: graph with cycle"),
    (main("dag: {tasks: [{name: a.b, template: plain}]}"), "templates.main.tasks[0].name: 'a.b' is invalid: name must consist of"
     " alpha-numeric characters or '-', and must start with an alpha-numeric character (e.g. My-name1-2, 123-NAME)"),
    (main("dag: {tasks: [{name: 1a, template: plain}, {name: b, template: plain, depends: 1a}]}"),
     "templates.main.tasks.1a name cannot begin with a digit when using either 'depends' or 'dependencies'"),
    (main("dag: {tasks: [{name: a, template: plain}, {name: b, template: plain, depends: a}, {name: c, template: plain, dependencies: [a]}]}"),
     "templates.main cannot use both 'depends' and 'dependencies' in the same DAG template"),
    (main("dag: {tasks: [{name: a, template: plain, continueOn: {failed: true}}, {name: b, template: plain, depends: a}]}"),
     "templates.main cannot use 'continueOn' when using 'depends'. Instead use 'dep-task.Failed'/'dep-task.Errored'"),
    (main("dag: {tasks: [{name: a, template: plain}, {name: b, template: plain, depends: a.Finished}]}"),
     "templates.main.tasks.b task result 'Finished' for task 'a' is invalid"),
    (main("dag: {tasks: [{name: a, template: plain}, {name: b, template: plain, depends: a.AnySucceeded}]}"),
     "templates.main.tasks.a dependency 'a' uses an items-based condition such as .AnySucceeded or .AllFailed but does not contain any items"),
    (main("dag: {target: b, tasks: [{name: a, template: plain}]}"), "templates.main.targets: target 'b' is not defined"),
    (main('dag: {tasks: [{name: a, template: plain}, {name: b, template: plain, when: "{{tasks.a.status}} == x"}]}'),
     "templates.main.tasks.b failed to resolve {{tasks.a.status}}"),
    (main('dag: {tasks: [{name: a, template: plain}, {name: b, template: echo, arguments: {parameters: [{name: text, value: "{{tasks.a.outputs.result}}"}]}}]}', ECHO + PLAIN),
     "templates.main.tasks.b missing dependency 'a' for parameter 'text'"),
    # resources, container sets, metrics
    (main("resource: {action: make, manifest: a}"),
     "templates.main.resource.action must be one of: get, create, apply, delete, replace, patch"),
    (main("resource: {action: create}"),
     "either templates.main.resource.manifest or templates.main.resource.manifestFrom must be specified"),
    (main('resource: {action: create, manifest: "a: [b"}'), "templates.main.resource.manifest must be a valid yaml"),
    (main("resource: {action: create, manifestFrom: {artifact: {name: x}}}"),
     "artifact x in `manifestFrom` refer to a non-exist artifact"),
    (main("containerSet: {containers: []}"), "templates.main.containerSet.containers must have at least one container"),
    (main("containerSet: {containers: [{name: a, image: i, dependencies: [b]}]}"),
     "templates.main.containerSet.containers.a dependency 'b' not defined"),
    (main("containerSet: {containers: [{name: a, image: i, dependencies: [b]}, {name: b, image: i, dependencies: [a]}]}"),
     "templates.main.containerSet.containers dependency cycle detected: b->a->b"),
    (main("containerSet: {containers: [{name: a, image: i}]}, outputs: {parameters: [{name: x, valueFrom: {path: /x}}]}"),
     'templates.main.containerSet.containers must have a container named "main" for input or output'),
    (main("container: {image: a}, metrics: {prometheus: [{name: a-b, help: h}]}"),
     "templates.main metric name 'a-b' is invalid. Metric names must contain alphanumeric characters or '_'"),
    (main("container: {image: a}, metrics: {prometheus: [{name: a}]}"),
     "templates.main metric 'a' must contain a help string under 'help: ' field"),
    (main("container: {image: a}, metrics: {prometheus: [{name: a, help: h, counter: {}}]}"),
     "templates.main metric 'a' error: missing counter.value"),
]  # fmt: skip


@pytest.mark.parametrize(("templates", "message"), REFUSED, ids=[message[:60] for _, message in REFUSED])
def test_refused(templates: str, message: str) -> None:
    assert fault(of(templates)) == message


OF_THE_WORKFLOW = [
    ({"entrypoint": ""}, "spec.entrypoint is required"),
    ({"entrypoint": "none"}, "template name 'none' undefined"),
    ({"onExit": "none"}, "template name 'none' undefined"),
    ({"hooks": {"running": {"template": "main"}}}, "hooks.running Expression required"),
    ({"podGC": {"strategy": "Never"}}, "podGC.strategy unknown strategy 'Never'"),
    ({"podGC": {"labelSelector": {"matchLabels": {"a": "x y"}}}},
     'podGC.labelSelector invalid: values[0][a]: Invalid value: "x y": a valid label must be an empty string or consist of alphanumeric'
     " characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345',"
     " regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"),
    ({"podMetadata": {"labels": {"a": "{{workflow.labels.b}}"}}}, "templates.main: failed to resolve {{workflow.labels.b}}"),
    ({"podResources": {"claims": [{"name": "a"}]}}, "spec.podResources.claims is not supported for pod-level resources"),
    ({"arguments": {"parameters": [{"name": "a"}]}}, "spec.arguments.a.value or spec.arguments.a.valueFrom is required"),
    ({"arguments": {"parameters": [{"name": "a", "value": "1", "enum": ["2"]}]}},
     "spec.arguments.a.value should be present in spec.arguments.a.enum list"),
    ({"arguments": {"parameters": [{"name": "a", "valueFrom": {"path": "/a"}}]}},
     "spec.arguments.a.valueFrom only allows: default, configMapKeyRef and supplied"),
    ({"arguments": {"artifacts": [{"name": "a"}]}}, "spec.arguments.a.from, artifact location, or key is required"),
    ({"executorPlugins": [{"spec": {"sidecar": {"container": {}}}}]},
     "spec.executorPlugins: executor plugin metadata name is mandatory"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "message"), OF_THE_WORKFLOW)
def test_refused_for_its_spec(spec: Json, message: str) -> None:
    document = of(main("container: {image: a}"))
    document["spec"].update(spec)
    assert fault(document) == message


def test_names_are_short() -> None:
    document = of(main("container: {image: a}"))
    document["metadata"]["name"] = "a" * 64
    assert fault(document) == f'workflow name "{"a" * 64}" must not be more than 63 characters long (currently 64)'


def test_arguments_may_be_missing_when_linting_and_in_templates() -> None:
    document = of(main("container: {image: a}"), "arguments: {parameters: [{name: a}]}")
    assert fault(document, lint=True) == ""
    assert fault(document, kind="WorkflowTemplate") == ""
    assert fault(document) != ""


def test_a_global_output_is_known_to_what_comes_after() -> None:
    templates = """
- name: main
  steps: [[{name: a, template: out}], [{name: b, template: in}]]
- name: out
  container: {image: a}
  outputs: {parameters: [{name: x, globalName: shared, valueFrom: {path: /x}}]}
- name: in
  container: {image: a, args: ["{{workflow.outputs.parameters.shared}}"]}
"""
    assert fault(of(templates)) == ""


def test_an_exit_handler_knows_the_failures() -> None:
    handler = '- {name: bye, container: {image: a, args: ["{{workflow.failures}}", "{{workflow.status}}"]}}'
    assert fault(of(main("container: {image: a}", handler), "onExit: bye")) == ""
    assert fault(of(main("container: {image: a}", handler))).endswith("failed to resolve {{workflow.failures}}")


SHARED = {
    "kind": "WorkflowTemplate",
    "metadata": {"name": "shared"},
    "spec": {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "p", "value": "1"}]},
        "templates": [
            {"name": "main", "container": {"image": "a", "args": ["{{workflow.parameters.p}}"]}},
            {"name": "takes", "inputs": {"parameters": [{"name": "x"}]}, "container": {"image": "a"}},
        ],
    },
}


def test_references_are_followed() -> None:
    def refers(name: str, template: str) -> str:
        step = f"steps: [[{{name: a, templateRef: {{name: {name}, template: {template}}}}}]]"
        return fault(of(main(step), "arguments: {parameters: [{name: p, value: 1}]}"), (SHARED,))

    assert refers("shared", "main") == ""
    assert refers("shared", "none") == "templates.main.steps[0].a template reference shared.none not found"
    assert refers("other", "main") == "templates.main.steps[0].a template reference other.main not found"
    assert refers("shared", "takes") == "templates.main.steps[0].a templates.takes inputs.parameters.x was not supplied"
    assert refers('""', "main") == "templates.main.steps[0].a resource name is required"
    assert refers('"{{workflow.parameters.p}}"', "main").endswith("template reference 1.main not found")
    assert refers("shared", '"{{workflow.duration}}"') == ""  # workflow.duration is known only in the run


def test_a_workflow_may_be_all_reference() -> None:
    document: Json = {"metadata": {"name": "w"}, "spec": {"workflowTemplateRef": {"name": "shared"}}}
    assert fault(document, (SHARED,)) == ""
    assert fault({**document, "spec": {**document["spec"], "templates": [{"name": "a"}]}}, (SHARED,)) == (
        "Templates is invalid field in spec if workflow referred WorkflowTemplate reference"
    )
    with pytest.raises(Refused) as refused:
        validate(document, ())
    assert (refused.value.code, refused.value.message) == (5, 'workflowtemplates.argoproj.io "shared" not found')


CRON = {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "a"}}]}
CRONS = [
    ({"schedules": ["* * * * *", "@every 1h", "@daily", "0-30/5 1,2 ? jan mon-fri"]}, ""),
    ({"schedules": []}, "cron workflow must have at least one schedule"),
    ({"schedules": ["* * *"]}, "cron schedule * * * is malformed: expected exactly 5 fields, found 3: [* * *]"),
    ({"schedules": ["61 * * * *"]}, "cron schedule 61 * * * * is malformed: end of range (61) above maximum (59): 61"),
    ({"schedules": ["5-1 * * * *"]},
     "cron schedule 5-1 * * * * is malformed: beginning of range (5) beyond end of range (1): 5-1"),
    ({"schedules": ["*/0 * * * *"]}, "cron schedule */0 * * * * is malformed: step of range should be a positive number: */0"),
    ({"schedules": ["x * * * *"]}, "cron schedule x * * * * is malformed: failed to parse int from x: strconv.Atoi:"
     ' parsing "x": invalid syntax'),
    ({"schedules": ["@noon"]}, "cron schedule @noon is malformed: unrecognized descriptor: @noon"),
    ({"schedules": ["* * * * *"], "timezone": "Moon/Sea"}, 'invalid timezone "Moon/Sea": unknown time zone Moon/Sea'),
    ({"schedules": ["* * * * *"], "concurrencyPolicy": "Maybe"}, "'Maybe' is not a valid concurrencyPolicy"),
    ({"schedules": ["* * * * *"], "startingDeadlineSeconds": -1}, "startingDeadlineSeconds must be positive"),
    ({"schedules": ["* * * * *"], "workflowSpec": {}}, "cannot validate Workflow: spec.entrypoint is required"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "message"), CRONS)
def test_cron_workflows(spec: Json, message: str) -> None:
    assert fault({"metadata": {"name": "c"}, "spec": {"workflowSpec": CRON, **spec}}, kind="CronWorkflow") == message


def test_an_empty_group_of_steps_passes_lint_and_cannot_be_stored() -> None:
    document = decode(of(main("steps: [[{name: a, template: plain}], []]")), "Workflow")
    validate(document, lint=True)
    with pytest.raises(Refused) as refused:
        check_stored(document)
    assert refused.value.message == (
        'Workflow.argoproj.io "w" is invalid: [spec.templates[0].steps[1]: Invalid value: "null":'
        ' spec.templates[0].steps[1] in body must be of type array: "null", <nil>: Invalid value: null: some validation rules'
        " were not checked because the object was invalid; correct the existing errors to complete validation]"
    )
    check_stored(decode(of(main("steps: [[{name: a, template: plain}]]")), "Workflow"))


def test_templates_that_call_themselves_end() -> None:
    assert fault(of(main('steps: [[{name: a, template: main, when: "1 == 2"}]]'))) == ""


def calls(count: int) -> int:
    """The number of function calls that the validation of a chain of so many tasks takes."""
    tasks = [{"name": "t0", "template": "echo", "arguments": {"parameters": [{"name": "text", "value": "0"}]}}]
    for n in range(1, count):
        value = f"{{{{tasks.t{n - 1}.outputs.result}}}}"
        arguments = {"parameters": [{"name": "text", "value": value}]}
        tasks.append({"name": f"t{n}", "template": "echo", "dependencies": [f"t{n - 1}"], "arguments": arguments})
    document = decode(of(ECHO), "Workflow")
    document["spec"]["templates"].append({"name": "main", "dag": {"tasks": tasks}})
    return calls_of(lambda: validate(document))


def test_the_work_grows_with_the_tasks_and_no_faster() -> None:
    calls(100)
    assert calls(4000) < 20 * calls(400)
