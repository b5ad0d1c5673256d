"""Corners of the meaning, as a real Argo 4.1.2 was seen to decide them."""

from __future__ import annotations

import json

import playbook
import pytest
from playbook import Play, workflow

from hera_utils.interpreter import commands as c
from hera_utils.interpreter import events as e

POD = "{name: work, container: {image: i, command: [c]}}"


@pytest.fixture(params=["live", "restored", "naive"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


LOOP = f"""
entrypoint: main
templates:
- name: main
  dag: {{tasks: [
    {{name: a, template: work, withItems: [1, 2, 3], hooks: {{exit: {{template: work}}}}}}, {{name: b, template: work, depends: a}}]}}
- {POD}
"""


def test_a_loop_of_a_dag_is_over_with_its_items_and_loses_exit_handlers_that_are_not_open(mode: str) -> None:
    play = Play(workflow(LOOP), mode)
    for item in ("a(0:1)", "a(1:2)", "a(2:3)"):
        play.start(item)
    play.end("a(1:2)")
    assert play.phases()[".a(1:2).onExit"] == "Pending"
    play.end("a(0:1)")
    assert play.phases()[".a(0:1).onExit"] == "Pending"
    play.end("a(2:3)")  # this end is not processed while the handler of the first item runs
    phases = play.phases()
    assert (phases[".a"], phases[".a.onExit"]) == ("Succeeded", "Pending")
    assert ".a(2:3).onExit" not in phases
    assert [one.reason for one in play.told] == ["ExitHandlerNotRun"]
    play.end(".a.onExit")
    play.end(".b")
    assert play.phase == "Running"  # a DAG waits for all handlers below it
    play.end(".a(0:1).onExit")
    play.end(".a(1:2).onExit")
    assert play.phase == "Succeeded"


def test_items_that_are_no_pods_have_their_exit_handlers_one_after_the_other(mode: str) -> None:
    spec = LOOP.replace("template: work, withItems", "template: steps, withItems")
    play = Play(workflow(spec + "- {name: steps, steps: [[{name: x, template: work}]]}"), mode)
    for item in ("a(0:1)", "a(1:2)", "a(2:3)"):
        play.end(f".{item}[0].x")
    assert play.running() == [".a(0:1).onExit"]
    play.end(".a(0:1).onExit")
    assert play.running() == [".a(1:2).onExit"]
    play.end(".a(1:2).onExit")
    assert (play.running(), play.phases()[".a"]) == ([".a(2:3).onExit", ".a.onExit"], "Succeeded")


def test_each_item_has_its_exit_handler_when_they_end_one_after_the_other(mode: str) -> None:
    play = Play(workflow(LOOP), mode)
    for item in ("a(0:1)", "a(1:2)", "a(2:3)"):
        play.end(item)
        play.end(f".{item}.onExit")
    assert play.phases()[".a.onExit"] == "Pending"
    assert not any(one.reason == "ExitHandlerNotRun" for one in play.told)


def test_a_workflow_has_lasted_no_time_in_its_first_look(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playbook, "START", playbook.START + 0.5)  # the stored time is the whole second before
    echo = "{name: echo, inputs: {parameters: [{name: m}]}, container: {image: i, command: [c]}}"
    call = "{name: a, template: echo, arguments: {parameters: [{name: m, value: '{{workflow.duration}}'}]}}"
    play = Play(workflow(f"{{entrypoint: main, templates: [{{name: main, steps: [[{call}]]}}, {echo}]}}"), mode)
    assert play.node("a")["inputs"]["parameters"] == [{"name": "m", "value": "0.000000"}]


def test_a_computed_label_is_known_in_the_first_look_only(mode: str) -> None:
    """As in Argo, where the other labels and the annotations are whole in later looks."""

    def call(name: str) -> str:
        tags = "{{workflow.labels.made}} {{workflow.labels}} {{=workflow.annotations}}"
        return f"{{name: {name}, template: echo, arguments: {{parameters: [{{name: m, value: '{tags}'}}]}}}}"

    spec = f"""
    entrypoint: main
    workflowMetadata: {{labelsFrom: {{made: {{expression: "'v'"}}}}}}
    templates:
    - {{name: main, steps: [[{call("a")}], [{call("b")}]]}}
    - {{name: echo, inputs: {{parameters: [{{name: m}}]}}, container: {{image: i, command: [c]}}}}
    """
    play = Play(workflow(spec), mode)
    play.end("a")
    first, later = (play.node(name)["inputs"]["parameters"][0]["value"] for name in "ab")
    assert first == 'v null {"json":"null"}'
    kept = '{"made":"v","workflows.argoproj.io/completed":"false","workflows.argoproj.io/phase":"Running"}'
    format_ = '{"workflows.argoproj.io/pod-name-format":"v2"}'
    assert later.startswith(f"{{{{workflow.labels.made}}}} {kept} ")
    assert json.loads(later.partition(f" {kept} ")[2])["json"] == format_


def test_the_status_of_a_workflow_is_empty_in_its_first_look(mode: str) -> None:
    spec = f"""
    entrypoint: main
    templates:
    - name: main
      dag: {{tasks: [
        {{name: a, template: work, when: "'{{{{workflow.status}}}}' == ''"}},
        {{name: b, template: work, depends: a, when: "'{{{{workflow.status}}}}' == Running"}}]}}
    - {POD}
    """
    play = Play(workflow(spec), mode)
    assert play.running() == [".a"]
    play.end("a")
    assert play.running() == [".b"]


def test_a_sequence_without_an_end_is_an_error(mode: str) -> None:
    spec = f"{{entrypoint: m, templates: [{{name: m, steps: [[{{name: a, template: work, withSequence: {{}}}}]]}}, {POD}]}}"
    play = Play(workflow(spec), mode)
    assert (play.phase, play.message) == ("Failed", "neither end nor count was specified in withSequence")


def test_an_unknown_shutdown_stops_nothing(mode: str) -> None:
    play = Play(workflow(f"{{entrypoint: work, shutdown: Nope, templates: [{POD}]}}"), mode)
    play.end("wf")
    assert play.phase == "Succeeded"


@pytest.mark.parametrize(
    ("cache", "message"),
    [
        ("{key: k, maxAge: zz, cache: {configMap: {name: n}}}", 'invalid maxAge: time: invalid duration "zz"'),
        (
            "{key: k, maxAge: '10', cache: {configMap: {name: n}}}",
            'invalid maxAge: time: missing unit in duration "10"',
        ),
        ("{key: k, cache: {configMap: {name: ''}}}", "resource name may not be empty"),
    ],
)
def test_a_cache_that_cannot_be_asked_is_an_error_though_it_has_no_entry(mode: str, cache: str, message: str) -> None:
    spec = f"{{entrypoint: w, templates: [{{name: w, memoize: {cache}, container: {{image: i, command: [c]}}}}]}}"
    play = Play(workflow(spec), mode)
    for one in [one for one in play.commands if isinstance(one, c.ReadObject)]:
        play.tell(e.ObjectRead(play.at, "seed", one.key, None))
    assert (play.phase, play.message) == ("Error", f"error in entry template execution: {message}")


def test_a_pod_whose_outputs_no_cache_would_keep_is_an_error(mode: str) -> None:
    key = "k" * 254
    memoize = f"{{key: {key}, cache: {{configMap: {{name: n}}}}}}"
    spec = f"{{entrypoint: w, templates: [{{name: w, memoize: {memoize}, container: {{image: i, command: [c]}}}}]}}"
    play = Play(workflow(spec), mode)
    play.tell(*(e.ObjectRead(play.at, "seed", one.key, None) for one in play.commands if isinstance(one, c.ReadObject)))
    play.end("wf")
    assert (play.phase, play.node("wf")["phase"]) == ("Error", "Error")
    assert play.message.startswith(f'error creating cache entry: ConfigMap "n" is invalid: data[{key}]: Invalid value')
    assert not any(isinstance(one, c.WriteObject) for one in play.commands)


def test_a_label_that_cannot_be_computed() -> None:
    spec = f"{{entrypoint: work, workflowMetadata: {{labelsFrom: {{a: {{expression: %s}}}}}}, templates: [{POD}]}}"
    assert Play(workflow(spec % "'x +'")).message == (
        'failed to compile function for expression "x +": unexpected token EOF (1:3)\n | x +\n | ..^'
    )
    number = Play(workflow(spec % "'1.5'"))
    assert (number.phase, number.run.document["status"]["progress"]) == ("Error", "0/0")
    assert number.message == 'failed to evaluate label "a" expression "1.5" evaluted to float64 but must be a string'


@pytest.mark.parametrize(
    ("more", "phase", "entry"),
    [
        ("", "Error", ("Error", "Workflow operation error")),
        ("onExit: work", "Failed", ("Failed", "unable to cast expression result 'Succeeded' to bool")),
    ],
)
def test_an_exit_handler_of_the_entrys_steps_that_cannot_be_decided_is_an_error(
    mode: str, more: str, phase: str, entry: tuple[str, str]
) -> None:
    hook = "hooks: {exit: {template: work, expression: 'steps[\"a\"].status'}}"
    steps = f"- {{name: main, steps: [[{{name: a, template: work, {hook}}}], [{{name: b, template: work}}]]}}"
    play = Play(workflow(f"entrypoint: main\n{more}\ntemplates:\n{steps}\n- {POD}"), mode)
    play.start("a")
    play.end("a")
    if more:
        play.end(".onExit")
    assert (play.phase, play.message) == (phase, "unable to cast expression result 'Succeeded' to bool")
    assert (play.node("")["phase"], play.node("")["message"]) == entry
    assert play.node("[0]")["phase"] == "Error"


def test_within_other_steps_such_a_handler_fails_the_steps(mode: str) -> None:
    hook = "hooks: {exit: {template: work, expression: 'nope'}}"
    steps = f"""- {{name: main, steps: [[{{name: in, template: inner}}]]}}
- {{name: inner, steps: [[{{name: a, template: work, {hook}}}]]}}"""
    play = Play(workflow(f"entrypoint: main\ntemplates:\n{steps}\n- {POD}"), mode)
    play.start("a")
    play.end("a")
    assert (play.phase, play.node("in")["phase"]) == ("Failed", "Failed")


def test_a_pod_whose_hook_failed_tells_how_it_ended(mode: str) -> None:
    hook = "hooks: {h: {template: work, expression: 'nope'}}"
    tasks = f"- {{name: main, dag: {{tasks: [{{name: a, template: work, {hook}}}, {{name: b, template: work, depends: a}}]}}}}"
    play = Play(workflow(f"entrypoint: main\ntemplates:\n{tasks}\n- {POD}"), mode)
    play.start("a")
    assert (play.phase, play.node("a")["phase"]) == ("Running", "Error")
    play.end("a")
    assert (play.phase, play.node("a")["outputs"], play.phases()[".b"]) == ("Error", {"exitCode": "0"}, "Omitted")


def test_a_run_waits_for_pods_that_a_failed_template_left_running(mode: str) -> None:
    hook = 'hooks: {h: {template: work, expression: \'steps["a"].status == "Running" ? 1 : false\'}}'
    steps = f"- {{name: main, steps: [[{{name: a, template: work, {hook}}}, {{name: b, template: work}}]]}}"
    play = Play(workflow(f"entrypoint: main\ntemplates:\n{steps}\n- {POD}"), mode)
    play.start("b")
    play.start("a")
    assert (play.phase, play.node("")["phase"]) == ("Running", "Failed")
    play.end("a")
    assert play.phase == "Running"
    play.end("b")
    assert (play.phase, play.node("a")["phase"], play.node("b")["phase"]) == ("Failed", "Succeeded", "Succeeded")


def test_the_containers_of_a_set_run_with_their_pod(mode: str) -> None:
    containers = "[{name: one, image: i, command: [c]}, {name: two, image: i, command: [c], dependencies: [one]}]"
    play = Play(
        workflow(f"entrypoint: main\ntemplates: [{{name: main, containerSet: {{containers: {containers}}}}}]"), mode
    )
    assert play.phases() == {"": "Pending", ".one": "Pending", ".two": "Pending"}
    play.start("")
    assert play.phases() == {"": "Running", ".one": "Running", ".two": "Running"}


FAILING_HOOK = f"""
entrypoint: main
templates:
- name: main
  parallelism: 1
  dag: {{failFast: false, tasks: [
    {{name: a, template: work, withItems: [1, 2], hooks: {{seen: {{template: work, expression: "no.such == 'value'"}}}}}},
    {{name: b, template: work, depends: a.AnySucceeded}}, {{name: c, template: work, depends: a.Errored}}]}}
- {POD}
"""


def test_a_loop_whose_hook_fails_opens_no_more_items(mode: str) -> None:
    play = Play(workflow(FAILING_HOOK), mode)
    assert play.phases() == {"": "Running", ".a": "Error", ".a(0:1)": "Pending", ".b": "Omitted"}
    play.end("a(0:1)")
    assert play.running() == [".c"]
    play.end("c")
    assert "a(1:2)" not in play.phases()
    assert play.run.finished


SKIPPED = """
entrypoint: main
templates:
- name: main
  dag: {tasks: [
    {name: a, template: work, when: "1 == 2", %shooks: {exit: {template: work},
      r: {template: work, expression: 'tasks["a"].status != "Running"'}}},
    {name: b, template: work, depends: a}, {name: c, template: work, depends: a.AnySucceeded}]}
- %s
"""


@pytest.mark.parametrize("loop", ["", "withItems: [1, 2], "])
def test_what_depends_on_a_skipped_task_opens_before_its_hooks(mode: str, loop: str) -> None:
    play = Play(workflow(SKIPPED % (loop, POD)), mode)
    assert play.phases()[".c"] == "Omitted"
    assert play.running() == [".b", ".a.hooks.r"]
    play.end(".b")
    assert play.phase == "Running"
    play.end(".a.hooks.r")
    if loop:
        play.end(".a.onExit")
    assert play.phase == "Succeeded"


def test_hooks_of_a_skipped_task_do_not_open_when_all_after_it_is_over(mode: str) -> None:
    tasks = """[{name: a, template: work, when: "1 == 2", hooks: {r: {template: work, expression: "true"}}},
      {name: b, template: work, depends: a, when: "1 == 2"}, {name: c, template: work}]"""
    play = Play(workflow(f"entrypoint: main\ntemplates: [{{name: main, dag: {{tasks: {tasks}}}}}, {POD}]"), mode)
    assert play.running() == [".c"]
    play.end(".c")
    assert (play.phase, play.phases()[".a"]) == ("Succeeded", "Skipped")


BROKEN = """
entrypoint: main
templates:
- name: main
  dag: {tasks: [%s
    {name: a, template: timed, arguments: {parameters: [{name: d, value: "{{item}}"}]}, withItems: [%s]},
    {name: b, template: work, depends: "a.Errored || a"}]}
- {name: timed, inputs: {parameters: [{name: d}]}, activeDeadlineSeconds: "{{inputs.parameters.d}}0", container: {image: i, command: [c]}}
- %s
"""


def test_items_behind_one_that_cannot_be_opened_never_open_when_nothing_runs(mode: str) -> None:
    play = Play(workflow(BROKEN % ("", "nope, 1, 2", POD)), mode)
    assert play.phases() == {"": "Running", ".a": "Error", ".a(0:nope)": "Error", ".b": "Pending"}
    assert (
        play.node("a(0:nope)")["message"] == "task 'wf.a(0:nope)' errored: value 'nope0' cannot be resolved to an int"
    )
    play.end("b")
    assert play.phase == "Succeeded"
    handled = (BROKEN % ("", "nope, 1, 2", POD)).replace("withItems", "onExit: work, withItems")
    phases = Play(workflow(handled), mode).phases()
    assert (".a.onExit" in phases, ".a(0:nope).onExit" in phases) == (True, False)


@pytest.mark.parametrize(("before", "items"), [("", "1, nope, 2"), ("{name: a0, template: work},", "nope, 1, 2")])
def test_items_behind_one_that_cannot_be_opened_open_while_something_runs(mode: str, before: str, items: str) -> None:
    play = Play(workflow(BROKEN % (before, items, POD)), mode)
    assert len(play.running()) == (3 if before else 2)
    for pod in play.running():
        play.end(pod)
    assert play.phases()[".a"] == "Error"
    assert play.running() == [".b"]


@pytest.mark.parametrize(("name", "kept"), [("'a'", True), ('"a"', False)])
def test_what_is_printed_is_kept_only_for_a_reference_in_single_quotes(mode: str, name: str, kept: bool) -> None:
    steps = [
        [{"name": "a", "template": "work"}],
        [{"name": "b", "template": "work", "when": f"{{{{=steps[{name}].outputs.result}}}}"}],
    ]
    templates = [{"name": "main", "steps": steps}, {"name": "work", "container": {"image": "i", "command": ["c"]}}]
    play = Play(workflow({"entrypoint": "main", "templates": templates}), mode)
    (launched,) = [one for one in play.commands if isinstance(one, c.LaunchPod)]
    assert launched.include_script_output is kept


def test_items_of_a_loop_whose_hook_failed_go_on_after_a_restart() -> None:
    loop = {"name": "a", "template": "inner", "withItems": [1]}
    loop["hooks"] = {"seen": {"template": "work", "expression": "no.such == 'value'"}}
    tasks = [loop, {"name": "b", "template": "work", "depends": "a.Errored"}]
    inner = {"name": "inner", "steps": [[{"name": "x", "template": "work"}], [{"name": "y", "template": "work"}]]}
    work = {"name": "work", "container": {"image": "i", "command": ["c"]}}
    spec = {"entrypoint": "main", "templates": [{"name": "main", "dag": {"tasks": tasks}}, inner, work]}
    for mode in ("live", "restored", "naive"):
        play = Play(workflow(spec), mode)
        assert play.phases()[".a"] == "Error"
        for pod in ("a(0:1)[0].x", "a(0:1)[1].y", "b"):
            play.end(f"wf.{pod}")
        assert (play.phase, play.phases()[".a(0:1)"]) == ("Succeeded", "Succeeded"), mode


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_task_that_cannot_be_opened_has_an_exit_handler_only_if_its_dag_goes_on(mode: str, goes_on: bool) -> None:
    """Argo starts it when it looks at the DAG again, as recorded."""
    other = "{name: z, template: work}, " if goes_on else ""
    tasks = f"{other}{{name: a, template: work, when: 1 === 2, onExit: work}}"
    play = Play(workflow(f"{{entrypoint: main, templates: [{{name: main, dag: {{tasks: [{tasks}]}}}}, {POD}]}}"), mode)
    assert play.phases()[".a"] == "Error"
    assert (".a.onExit" in play.phases()) == goes_on
    for name in (".a.onExit", ".z") if goes_on else ():
        play.end(name)
    assert play.phase == "Error"


def test_another_hook_of_a_task_that_cannot_be_opened_keeps_its_dag_going(mode: str) -> None:
    hooks = "{exit: {template: work}, mid: {template: work, expression: tasks.a.status == 'Error'}}"
    tasks = f"{{name: a, template: work, when: 1 === 2, hooks: {hooks}}}"
    play = Play(workflow(f"{{entrypoint: main, templates: [{{name: main, dag: {{tasks: [{tasks}]}}}}, {POD}]}}"), mode)
    play.end(".a.hooks.mid")
    play.end(".a.onExit")
    assert play.phase == "Error"


def test_a_default_of_an_input_that_compares_inputs_cannot_be_read(mode: str) -> None:
    """A bug of Argo's, which decides."""
    spec = """
    entrypoint: main
    arguments: {parameters: [{name: n, value: 5}]}
    templates:
    - name: main
      inputs: {parameters: [{name: n}, {name: d, value: "{{= asInt(inputs.parameters.n) > 4 ? 'big' : 'small' }}"}]}
      container: {image: i, command: [c, "{{inputs.parameters.d}}"]}
    """
    play = Play(workflow(spec), mode)
    said = "failed to unmarshall JSON expression: invalid character '>' in string escape code"
    assert (play.phase, play.message.endswith(said)) == ("Error", True)


@pytest.mark.parametrize("text", ["\x00", "a\x01", "\x7f"])
@pytest.mark.parametrize("kind", ["steps", "dag"])
def test_an_item_that_go_cannot_read_again_is_told_in_its_words(kind: str, text: str, mode: str) -> None:
    call = {"name": "a", "template": "echo", "withItems": [text]}
    call["arguments"] = {"parameters": [{"name": "m", "value": "{{item}}"}]}
    main = {"steps": [[call]]} if kind == "steps" else {"dag": {"tasks": [call]}}
    echo = {"name": "echo", "inputs": {"parameters": [{"name": "m"}]}, "container": {"image": "i", "command": ["c"]}}
    play = Play(workflow({"entrypoint": "main", "templates": [{"name": "main", **main}, echo]}), mode)
    failed = play.node(".a") if kind == "dag" else play.node("[0]")
    assert failed["message"] == "invalid character 'x' in string escape code"


def test_a_number_that_no_float_holds_is_an_empty_item(mode: str) -> None:
    passed = "{parameters: [{name: m, value: '{{item}}'}]}"
    call = f"{{name: a, template: echo, withParam: '[1e400, -1e400, 1e300]', arguments: {passed}}}"
    echo = "{name: echo, inputs: {parameters: [{name: m}]}, container: {image: i, command: [c]}}"
    spec = f"{{entrypoint: main, templates: [{{name: main, steps: [[{call}]]}}, {echo}]}}"
    play = Play(workflow(spec), mode)
    values = {
        node["displayName"]: node["inputs"]["parameters"][0]["value"]
        for node in play.run.nodes.values()
        if node["type"] == "Pod"
    }
    assert values == {"a(0:1e400)": "", "a(1:-1e400)": "", "a(2:1e300)": "1e300"}


def test_labels_that_cannot_be_computed_leave_those_that_are_written(mode: str) -> None:
    metadata = "{labels: {a: b}, annotations: {c: d}, labelsFrom: {e: {expression: nope.x}}}"
    play = Play(workflow(f"{{entrypoint: work, workflowMetadata: {metadata}, templates: [{POD}]}}"), mode)
    kept = play.run.document["metadata"]
    assert (play.phase, kept["labels"]["a"], kept["annotations"]) == ("Error", "b", {"c": "d"})


FORMAT = "workflows.argoproj.io/pod-name-format"


def test_how_pods_are_named_is_told_only_of_a_workflow_that_begins_at_once(mode: str) -> None:
    locked = f"{{entrypoint: work, synchronization: {{mutexes: [{{name: m}}]}}, templates: [{POD}]}}"
    for waits in (False, True):
        play = Play(workflow(locked), mode)
        if waits:
            play.tell(e.LockAnswered(play.at, "seed", "", False, "Waiting", {"waiting": "default/Mutex/m"}))
            assert play.phase == "Pending"
        play.tell(e.LockAnswered(play.at, "seed", "", True, "", {"holding": ["default/Mutex/m"]}))
        play.end("wf")
        annotations = play.run.document["metadata"].get("annotations") or {}
        assert (play.phase, FORMAT in annotations) == ("Succeeded", not waits)


def test_whether_pods_run_is_told_of_a_workflow_without_any_from_its_second_change_on(mode: str) -> None:
    play = Play(workflow("{entrypoint: main, templates: [{name: main, suspend: {}}]}"), mode)
    assert not play.run.document["status"].get("conditions")
    play.tell(e.ResumeRequested(play.at, 0))
    assert play.phase == "Succeeded"
    assert sorted((one["type"], one["status"]) for one in play.run.document["status"]["conditions"]) == [
        ("Completed", "True"),
        ("PodRunning", "False"),
    ]


@pytest.mark.parametrize("around", ["steps", "dag"])
@pytest.mark.parametrize("kind", ["steps", "dag"])
def test_a_global_output_of_a_dag_is_the_workflows_only_when_a_dag_around_it_ends(
    kind: str, around: str, mode: str
) -> None:
    calls = "[[{name: x, template: par}]]" if kind == "steps" else "{tasks: [{name: x, template: par}]}"
    echo = "{name: b, template: echo, depends: a, arguments: {parameters: [{name: m, value: '{{workflow.outputs.parameters.g}}'}]}}"
    outer = f"dag: {{tasks: [{{name: a, template: inner}}, {echo}]}}"
    if around == "steps":
        outer = f"steps: [[{{name: a, template: inner}}], [{echo.replace('depends: a, ', '')}]]"
    part = "steps" if kind == "steps" else "tasks"
    spec = f"""
    entrypoint: main
    templates:
    - {{name: main, {outer}}}
    - name: inner
      {kind}: {calls}
      outputs: {{parameters: [{{name: o, globalName: g, valueFrom: {{parameter: "{{{{{part}.x.outputs.parameters.p}}}}"}}}}]}}
    - {{name: par, container: {{image: i, command: [c]}}, outputs: {{parameters: [{{name: p, valueFrom: {{path: /p}}}}]}}}}
    - {{name: echo, inputs: {{parameters: [{{name: m}}]}}, container: {{image: i, command: [c]}}}}
    """
    play = Play(workflow(spec), mode)
    play.end("x", outputs={"parameters": [{"name": "p", "value": "v", "valueFrom": {"path": "/p"}}]})
    told = play.node("b")["inputs"]["parameters"][0]["value"]
    assert told == ("v" if kind == "steps" else "{{workflow.outputs.parameters.g}}")
    play.end("b")
    found = (play.run.document["status"].get("outputs") or {}).get("parameters")
    assert (play.phase, found) == (
        "Succeeded",
        None if kind == "dag" and around == "steps" else [{"name": "g", "value": "v"}],
    )


def test_the_name_of_a_config_map_cannot_be_an_input(mode: str) -> None:
    source = "{configMapKeyRef: {name: '{{inputs.parameters.k}}', key: a}}"
    spec = f"""
    entrypoint: main
    templates:
    - {{name: main, steps: [[{{name: a, template: t}}]]}}
    - {{name: t, inputs: {{parameters: [{{name: k, value: x}}, {{name: c, valueFrom: {source}}}]}}, container: {{image: i, command: [c]}}}}
    """
    play = Play(workflow(spec), mode)
    said = "failed to substitute configMapKeyRef: failed to resolve {{inputs.parameters.k}}"
    assert play.node("a")["message"] == said


def test_the_retry_node_of_a_hook_has_the_flag_of_its_attempts(mode: str) -> None:
    spec = f"""
    entrypoint: main
    templates:
    - {{name: main, steps: [[{{name: a, template: work, onExit: again}}]]}}
    - {{name: again, retryStrategy: {{limit: 1}}, container: {{image: i, command: [c]}}}}
    - {POD}
    """
    play = Play(workflow(spec), mode)
    play.end("a")
    both = {"hooked": True, "retried": True}
    assert [play.node(name)["nodeFlag"] for name in ("a.onExit", "a.onExit(0)")] == [both, both]
    play.end("a.onExit(0)", 1)
    play.end("a.onExit(1)")
    assert play.phase == "Succeeded"


@pytest.mark.parametrize(
    ("result", "message"), [("hello", "invalid character 'h' looking for beginning of value"), ("[1]", None)]
)
def test_the_results_of_a_loop_that_ends_a_dag_are_one_list(result: str, message: str | None, mode: str) -> None:
    """Of an http template Argo always keeps the result, and of all items it makes a list of JSON."""
    spec = """
    entrypoint: main
    templates:
    - {name: main, dag: {tasks: [{name: a, template: ask, withItems: [1, 2]}]}}
    - {name: ask, http: {url: "http://nowhere"}}
    """
    play = Play(workflow(spec), mode)
    for item in ("a(0:1)", "a(1:2)"):
        play.end(item, outputs={"result": result})
    assert (play.phase, play.node("wf").get("message")) == ("Error" if message else "Succeeded", message)


def test_an_expression_that_gives_no_artifact_is_told_with_the_artifact_as_go_prints_it(mode: str) -> None:
    output = "{artifacts: [{name: o, fromExpression: \"'x'\"}]}"
    spec = f"entrypoint: main\ntemplates: [{{name: main, steps: [[{{name: a, template: work}}]], outputs: {output}}}, {POD}]"
    play = Play(workflow(spec), mode)
    play.end("[0].a")
    assert (
        "Variable {{&Artifact{Name:o,Path:,Mode:nil,From:,ArtifactLocation:ArtifactLocation{ArchiveLogs:nil,"
        in play.message
    )
    assert "FromExpression:'x',ArtifactGC:nil,Deleted:false,}}} is not an artifact" in play.message
