"""Dialogues: what happens to a run, and what it wants done."""

from __future__ import annotations

from typing import Any

import pytest
from playbook import Answering, Play, workflow

from hera_utils.errors import Refused
from hera_utils.interpreter import commands as c
from hera_utils.interpreter import events as e

POD = "container: {image: busybox, command: [sh, -c, 'true']}"


def launches(commands: list[c.Command]) -> list[c.LaunchPod]:
    return [command for command in commands if isinstance(command, c.LaunchPod)]


@pytest.fixture(params=["live", "restored"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_one_container(mode: str) -> None:
    play = Play(workflow(f"{{entrypoint: main, templates: [{{name: main, {POD}}}]}}"), mode)
    (launch,) = launches(play.commands)
    assert launch.node_id == "wf"
    assert launch.pod["metadata"]["name"] == "wf"
    assert launch.pod["spec"]["containers"] == [{"image": "busybox", "command": ["sh", "-c", "true"], "name": "main"}]
    assert play.phase == "Running"
    assert play.run.document["metadata"]["labels"]["workflows.argoproj.io/phase"] == "Running"
    play.start("wf")
    assert play.node("wf")["phase"] == "Running"
    commands = play.end("wf")
    assert [type(command) for command in commands] == [c.Finish]
    assert play.phase == "Succeeded"
    assert play.run.document["status"]["progress"] == "1/1"
    assert play.run.document["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true"
    assert play.end("wf") == []  # a repeated event changes nothing


def test_failure_carries_the_exit_code(mode: str) -> None:
    play = Play(workflow(f"{{entrypoint: main, templates: [{{name: main, {POD}}}]}}"), mode)
    play.end("wf", 3)
    assert (play.phase, play.message) == ("Failed", "main: Error (exit code 3)")
    assert play.node("wf")["outputs"] == {"exitCode": "3"}


STEPS = """
entrypoint: main
templates:
- name: main
  steps:
  - - {name: flip, template: say}
  - - {name: heads, template: say, when: "{{steps.flip.outputs.result}} == heads"}
    - {name: tails, template: say, when: "{{steps.flip.outputs.result}} == tails"}
- {name: say, container: {image: busybox, command: [echo, hi]}}
"""


def test_steps_conditions_and_results(mode: str) -> None:
    play = Play(workflow(STEPS), mode)
    (launch,) = launches(play.commands)
    assert launch.include_script_output  # another step refers to its result
    commands = play.end("flip", outputs={"result": "heads"})
    (launch,) = launches(commands)
    assert play.run.nodes[launch.node_id]["name"] == "wf[1].heads"
    assert not launch.include_script_output
    assert play.node("tails")["message"] == "when 'heads == tails' evaluated false"
    play.end("heads")
    assert play.phase == "Succeeded"
    assert play.phases() == {
        "": "Succeeded", "[0]": "Succeeded", "[0].flip": "Succeeded", "[1]": "Succeeded", "[1].heads": "Succeeded",
        "[1].tails": "Skipped",
    }  # fmt: skip


DAG = """
entrypoint: main
templates:
- name: main
  dag:
    tasks:
    - {name: a, template: work, arguments: {parameters: [{name: x, value: "0"}]}}
    - name: b
      template: work
      depends: a
      arguments: {parameters: [{name: x, value: "{{item}}"}]}
      withParam: "{{tasks.a.outputs.parameters.list}}"
    - name: c
      template: work
      depends: b
      arguments: {parameters: [{name: x, value: "{{tasks.b.outputs.parameters.y}}"}]}
- name: work
  inputs: {parameters: [{name: x}]}
  container: {image: busybox, command: [echo, "{{inputs.parameters.x}}"]}
  outputs: {parameters: [{name: list, valueFrom: {path: /l}}, {name: y, valueFrom: {path: /y}}]}
"""


def test_fan_out_and_fan_in(mode: str) -> None:
    play = Play(workflow(DAG), mode)
    commands = play.end("a", outputs={"parameters": {"list": '["p", {"k": 1}, 2]', "y": "1"}})
    names = [play.run.nodes[one.node_id]["name"] for one in launches(commands)]
    assert names == ["wf.b(0:p)", "wf.b(1:k:1)", "wf.b(2:2)"]
    assert [one.template["container"]["command"][1] for one in launches(commands)] == ["p", '{"k":1}', "2"]
    play.end("b(2:2)", outputs={"parameters": {"list": "[]", "y": "third"}})
    play.end("b(0:p)", outputs={"parameters": {"list": "[]", "y": "first"}})
    commands = play.end("b(1:k:1)", outputs={"parameters": {"list": "[]", "y": "second"}})
    (launch,) = launches(commands)
    assert launch.template["container"]["command"][1] == '["first","second","third"]'
    assert play.node("b")["type"] == "TaskGroup"
    play.end("c", outputs={"parameters": {"list": "[]", "y": ""}})
    assert play.phase == "Succeeded"
    assert play.run.document["status"]["progress"] == "5/5"


def test_depends_on_failure_and_omission(mode: str) -> None:
    spec = f"""
entrypoint: main
templates:
- name: main
  dag:
    tasks:
    - {{name: a, template: work}}
    - {{name: good, template: work, depends: a.Succeeded}}
    - {{name: bad, template: work, depends: a.Failed}}
- {{name: work, {POD}}}
"""
    play = Play(workflow(spec), mode)
    play.end("a", 1)
    assert play.running() == [".bad"]
    assert play.node("good")["phase"] == "Omitted"
    assert play.node("good")["message"] == "omitted: depends condition not met"
    play.end("bad")
    # Argo: an omitted target takes the phase of the branch that led to it.
    assert play.phase == "Failed"


RETRY = """
entrypoint: main
templates:
- name: main
  retryStrategy: {limit: 2, backoff: {duration: "5", factor: 2}}
  container: {image: busybox, command: [echo, "{{retries}} {{lastRetry.exitCode}}"]}
"""


def test_retry_with_backoff(mode: str) -> None:
    play = Play(workflow(RETRY), mode)
    play.start("wf(0)")
    commands = play.end("wf(0)", 4)
    assert [type(command) for command in commands] == [c.SetTimer]
    assert play.node("wf")["message"] == "Backoff for 5 seconds"
    (launch,) = launches(play.wait())
    assert launch.template["container"]["command"] == ["echo", "1 4"]
    play.end("wf(1)", 1)
    assert play.node("wf")["message"] == "Backoff for 10 seconds"
    play.wait()
    play.end("wf(2)", 1)
    assert (play.phase, play.message) == ("Failed", "No more retries left")


def test_retry_expression_decides(mode: str) -> None:
    spec = RETRY.replace('backoff: {duration: "5", factor: 2}', "expression: \"lastRetry.exitCode != '2'\"")
    play = Play(workflow(spec), mode)
    play.end("wf(0)", 1)
    play.end("wf(1)", 2)
    assert (play.phase, play.message) == ("Failed", "retryStrategy.expression evaluated to false")


SUSPEND = f"""
entrypoint: main
templates:
- name: main
  steps:
  - - {{name: gate, template: gate}}
  - - {{name: after, template: work, when: "{{{{steps.gate.outputs.parameters.answer}}}} == yes"}}
- name: gate
  suspend: {{}}
  outputs: {{parameters: [{{name: answer, valueFrom: {{supplied: {{}}, default: "no"}}}}]}}
- {{name: work, {POD}}}
"""


def test_suspend_and_resume(mode: str) -> None:
    play = Play(workflow(SUSPEND), mode)
    assert play.commands == []
    assert play.node("gate")["phase"] == "Running"
    play.tell(e.ResumeRequested(play.at, "s"))
    assert play.node("after")["phase"] == "Skipped"
    assert play.phase == "Succeeded"


def test_set_an_output_of_a_suspend_node(mode: str) -> None:
    play = Play(workflow(SUSPEND), mode)
    with pytest.raises(Refused, match="no suspend nodes matching"):
        play.tell(e.SetRequested(play.at, "s", "displayName=nobody", "Succeeded"))
    play.tell(e.SetRequested(play.at, "s", "displayName=gate", "Succeeded", "", {"answer": "yes"}))
    assert play.running() == ["[1].after"]


def test_a_suspend_node_is_not_resumed_without_what_should_have_been_supplied(mode: str) -> None:
    outputs = "outputs: {parameters: [{name: answer, valueFrom: {supplied: {}}}]}"
    play = Play(workflow(f"{{entrypoint: main, templates: [{{name: main, suspend: {{}}, {outputs}}}]}}"), mode)
    with pytest.raises(
        Refused, match="raw output parameter 'answer' has not been set and does not have a default value"
    ):
        play.tell(e.ResumeRequested(play.at, "s"))
    assert (play.phase, play.node("wf")["phase"]) == ("Running", "Running")
    play.tell(e.SetRequested(play.at, "s", "id=wf", "", "", {"answer": "yes"}))
    play.tell(e.ResumeRequested(play.at, "s"))
    assert play.phase == "Succeeded"
    assert play.node("wf")["outputs"]["parameters"] == [{"name": "answer", "value": "yes"}]


def test_suspend_with_a_duration_ends_by_itself(mode: str) -> None:
    play = Play(workflow("{entrypoint: main, templates: [{name: main, suspend: {duration: 10s}}]}"), mode)
    play.wait("suspend:wf")
    assert play.phase == "Succeeded"


def test_a_suspended_workflow_starts_nothing(mode: str) -> None:
    play = Play(workflow(f"{{suspend: true, entrypoint: main, templates: [{{name: main, {POD}}}]}}"), mode)
    assert (play.phase, play.run.nodes, play.commands) == ("Running", {}, [])
    assert len(launches(play.tell(e.ResumeRequested(play.at, "s")))) == 1
    assert "suspend" not in play.run.document["spec"]


def test_suspend_while_running_holds_the_next_step(mode: str) -> None:
    play = Play(workflow(STEPS), mode)
    play.tell(e.SuspendRequested(play.at, "s"))
    assert play.end("flip", outputs={"result": "tails"}) == []
    play.tell(e.ResumeRequested(play.at, "s"))
    assert play.running() == ["[1].tails"]


EXIT = f"""
entrypoint: main
onExit: bye
templates:
- name: main
  steps: [[{{name: a, template: work}}, {{name: b, template: work}}]]
- {{name: work, {POD}}}
- {{name: bye, container: {{image: busybox, command: [echo, "{{{{workflow.status}}}} {{{{workflow.failures}}}}"]}}}}
"""


def test_stop_kills_and_still_runs_the_exit_handler(mode: str) -> None:
    play = Play(workflow(EXIT), mode)
    commands = play.tell(e.ShutdownRequested(play.at, "s", "Stop"))
    assert sorted(one.node_id for one in commands if isinstance(one, c.KillPod)) == sorted(play.launched[:2])
    assert play.node("a")["message"] == "workflow shutdown with strategy:  Stop"
    (launch,) = launches(commands)
    assert launch.pod["metadata"]["labels"]["workflows.argoproj.io/on-exit"] == "true"
    assert launch.template["container"]["command"][1].startswith('Failed "[{\\"displayName\\":\\"')
    play.end("wf.onExit")
    assert (play.phase, play.message) == ("Failed", "Stopped with strategy 'Stop'")


def test_terminate_runs_nothing_more(mode: str) -> None:
    play = Play(workflow(EXIT), mode)
    play.tell(e.ShutdownRequested(play.at, "s", "Terminate"))
    assert (play.phase, play.message) == ("Failed", "Stopped with strategy 'Terminate'")
    assert ".onExit" not in play.phases()


def test_exit_handler_that_fails_fails_the_workflow(mode: str) -> None:
    play = Play(workflow(EXIT), mode)
    play.end("a")
    (launch,) = launches(play.end("b"))
    assert launch.template["container"]["command"][1] == 'Succeeded "null"'
    play.end("wf.onExit", 7)
    assert (play.phase, play.message) == ("Failed", "main: Error (exit code 7)")


def test_parallelism_of_the_workflow(mode: str) -> None:
    spec = f"""
entrypoint: main
parallelism: 2
templates:
- name: main
  steps: [[{{name: w, template: work, withSequence: {{count: "4"}}}}]]
- {{name: work, {POD}}}
"""
    play = Play(workflow(spec), mode)
    assert play.running() == ["[0].w(0:0)", "[0].w(1:1)"]
    play.end("w(1:1)")
    assert play.running() == ["[0].w(0:0)", "[0].w(2:2)"]
    play.end("w(0:0)")
    play.end("w(2:2)")
    play.end("w(3:3)")
    assert play.phase == "Succeeded"


def test_the_deadline_of_the_workflow(mode: str) -> None:
    play = Play(workflow(f"{{entrypoint: main, activeDeadlineSeconds: 10, templates: [{{name: main, {POD}}}]}}"), mode)
    assert launches(play.commands)[0].pod["spec"]["activeDeadlineSeconds"] == 10
    commands = play.wait("deadline")
    assert [type(one) for one in commands] == [c.KillPod, c.Finish]
    assert (play.phase, play.message) == ("Failed", "Step exceeded its deadline")


def test_the_timeout_of_a_template_is_its_pods(mode: str) -> None:
    play = Play(workflow(f"{{entrypoint: main, templates: [{{name: main, timeout: 10s, {POD}}}]}}"), mode)
    assert launches(play.commands)[0].pod["spec"]["activeDeadlineSeconds"] == 10
    play = Play(workflow(f"{{entrypoint: main, templates: [{{name: main, timeout: 1s, {POD}}}]}}"), mode)
    assert (play.phase, play.message) == ("Error", "error in entry template execution: wf exceeded its deadline")


def test_a_daemon_is_ready_then_killed(mode: str) -> None:
    spec = f"""
entrypoint: main
templates:
- name: main
  steps:
  - - {{name: server, template: server}}
  - - name: client
      template: work
      arguments: {{parameters: [{{name: ip, value: "{{{{steps.server.ip}}}}"}}]}}
- {{name: server, daemon: true, {POD}}}
- {{name: work, inputs: {{parameters: [{{name: ip}}]}}, container: {{image: busybox, command: [echo, "{{{{inputs.parameters.ip}}}}"]}}}}
"""
    play = Play(workflow(spec), mode)
    (launch,) = launches(play.start("server"))
    assert launch.template["container"]["command"][1] == "10.0.0.1"
    commands = play.end("client")
    assert [type(one) for one in commands] == [c.KillPod, c.Finish]
    assert play.node("server")["phase"] == "Succeeded"
    assert play.phase == "Succeeded"


def test_continue_on(mode: str) -> None:
    spec = f"""
entrypoint: main
templates:
- name: main
  steps:
  - - {{name: a, template: work, continueOn: {{failed: true}}}}
  - - {{name: b, template: work}}
- {{name: work, {POD}}}
"""
    play = Play(workflow(spec), mode)
    play.end("a", 1)
    play.end("b")
    assert play.phase == "Succeeded"
    assert play.run.document["status"]["progress"] == "1/2"


def test_hook_on_running(mode: str) -> None:
    spec = f"""
entrypoint: main
templates:
- name: main
  steps:
  - - name: a
      template: work
      hooks:
        running: {{template: work, expression: "steps['a'].status == 'Running'"}}
        exit: {{template: work}}
- {{name: work, {POD}}}
"""
    play = Play(workflow(spec), mode)
    play.start("a")
    assert play.running() == ["[0].a", "[0].a.hooks.running"]
    play.end("[0].a")
    assert play.node("[0]")["phase"] == "Running"
    play.end("[0].a.hooks.running")
    assert play.running() == ["[0].a.onExit"]
    play.end("[0].a.onExit")
    assert play.phase == "Succeeded"


def test_a_template_that_does_not_exist(mode: str) -> None:
    play = Play(workflow("{entrypoint: nope, templates: []}"), mode)
    assert play.phase == "Error"
    assert play.message == "error in entry template execution: template nope not found"


def test_a_pod_that_cannot_be_created(mode: str) -> None:
    play = Play(workflow(EXIT.replace("onExit: bye\n", "")), mode)
    play.end("a", phase="Failed", reason=e.REJECTED, message="no such image", containers=())
    assert play.node("a")["phase"] == "Error"
    assert play.message == "step group deemed errored due to child wf[0].a error: no such image"


def test_global_outputs_reach_later_templates(mode: str) -> None:
    spec = """
entrypoint: main
templates:
- name: main
  steps:
  - - {name: make, template: make}
  - - {name: use, template: use}
- name: make
  container: {image: busybox, command: ["true"]}
  outputs: {parameters: [{name: p, globalName: shared, valueFrom: {path: /p}}]}
- {name: use, container: {image: busybox, command: [echo, "{{workflow.outputs.parameters.shared}}"]}}
"""
    play = Play(workflow(spec), mode)
    (launch,) = launches(play.end("make", outputs={"parameters": {"p": "v"}}))
    assert launch.template["container"]["command"] == ["echo", "v"]
    assert play.run.document["status"]["outputs"]["parameters"] == [{"name": "shared", "value": "v"}]


def test_claims_of_the_workflow(mode: str) -> None:
    spec = """
entrypoint: main
volumeClaimTemplates: [{metadata: {name: work}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]
templates:
- {name: main, container: {image: busybox, command: ["true"], volumeMounts: [{name: work, mountPath: /work}]}}
"""
    play = Play(workflow(spec), mode)
    write = play.commands[0]
    assert isinstance(write, c.WriteObject)
    assert write.document["metadata"]["name"] == "wf-work"
    (launch,) = launches(play.commands)
    assert launch.pod["spec"]["volumes"] == [{"name": "work", "persistentVolumeClaim": {"claimName": "wf-work"}}]
    commands = play.end("wf")
    assert c.DeleteObject("PersistentVolumeClaim", "wf-work") in commands


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "accessModes: [ReadWriteSometimes], resources: {requests: {storage: 1Gi}}",
            'spec.accessModes: Unsupported value: "ReadWriteSometimes": supported values: "ReadOnlyMany", "ReadWriteMany", '
            '"ReadWriteOnce", "ReadWriteOncePod"',
        ),
        (
            "accessModes: []",
            "[spec.accessModes: Required value: at least 1 access mode is required, spec.resources[storage]: Required value]",
        ),
        (
            "accessModes: [ReadWriteOncePod, ReadWriteOnce], resources: {requests: {storage: 0}}, volumeMode: Tape",
            "[spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes, "
            'spec.resources[storage]: Invalid value: "0": must be greater than zero, '
            'spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"]',
        ),
        (
            "accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}, selector: {matchExpressions: [{key: a, operator: Is}]}",
            'spec.selector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator',
        ),
    ],
)
def test_a_claim_that_kubernetes_refuses_ends_the_workflow_before_it_begins(mode: str, spec: str, message: str) -> None:
    templates = (
        f"volumeClaimTemplates: [{{metadata: {{name: work}}, spec: {{{spec}}}}}], templates: [{{name: main, {POD}}}]"
    )
    play = Play(workflow(f"{{entrypoint: main, {templates}}}"), mode)
    assert (play.phase, play.message) == (
        "Error",
        f'pvc create error: PersistentVolumeClaim "wf-work" is invalid: {message}',
    )
    assert play.run.nodes == {}
    assert play.run.document["status"]["progress"] == "0/0"
    assert not [one for one in play.commands if isinstance(one, c.WriteObject)]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ("", "volumeClaimTemplates[0].metadata.name is required"),
        (
            "name: Work_Dir",
            'PersistentVolumeClaim "wf-Work_Dir" is invalid: metadata.name: Invalid value: "wf-Work_Dir": a lowercase RFC 1123 subdomain',
        ),
        (
            "name: w, labels: {a: b c}",
            'metadata.labels: Invalid value: "b c": a valid label must be an empty string or',
        ),
        ("name: w, annotations: {a b: c}", 'metadata.annotations: Invalid value: "a b": name part must consist of'),
    ],
)
def test_the_metadata_of_a_claim_is_checked_as_kubernetes_does(mode: str, metadata: str, message: str) -> None:
    spec = "accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}"
    claims = f"[{{metadata: {{{metadata}}}, spec: {{{spec}}}}}]"
    play = Play(
        workflow(f"{{entrypoint: main, volumeClaimTemplates: {claims}, templates: [{{name: main, {POD}}}]}}"), mode
    )
    assert (play.phase, play.run.nodes) == ("Error", {})
    assert play.message.startswith("pvc create error: ")
    assert message in play.message


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (f"labels: {{a: {'x' * 64}}}", f'metadata.labels: Invalid value: "{"x" * 64}": must be no more than 63 bytes'),
        ("labels: {a: '{{inputs.parameters.p}}'}", 'metadata.labels: Invalid value: "b c": a valid label must be'),
        (
            f"annotations: {{a: {'x' * 300_000}}}",
            "metadata.annotations: Too long: may not be more than 262144 bytes",
        ),
    ],
)
def test_the_metadata_of_a_pod_is_checked_as_kubernetes_does(mode: str, metadata: str, message: str) -> None:
    inputs = "inputs: {parameters: [{name: p, value: b c}]}"
    spec = f"{{entrypoint: main, templates: [{{name: main, {inputs}, metadata: {{{metadata}}}, {POD}}}]}}"
    play = Play(workflow(spec), mode)
    assert (play.phase, play.launched) == ("Error", [])
    assert play.node("")["message"].startswith(f'Pod "wf" is invalid: {message}')


@pytest.mark.parametrize(
    ("seconds", "code", "progress"), [(5, 0, "1/1"), (5, 1, "0/1"), (61, 0, "9/9"), (61, 1, "4/9")]
)
def test_what_a_pod_writes_of_its_progress_counts_once_a_minute(
    mode: str, seconds: int, code: int, progress: str
) -> None:
    play = Play(workflow(f"{{entrypoint: main, templates: [{{name: main, {POD}}}]}}"), mode)
    play.start("wf")
    play.tell(e.PodProgressed(play.at, "s", "wf", "4/9"))
    assert play.run.document["status"]["progress"] == "4/9"
    state = e.ContainerState("main", code, "Completed" if code == 0 else "Error", "", play.at, play.at + seconds)
    play.end("wf", code, containers=(state,))
    assert (play.node("wf")["progress"], play.run.document["status"]["progress"]) == (progress, progress)


@pytest.mark.parametrize(
    ("source", "read"),
    [
        ("kill $$", "kill $"),
        ("echo $(date) $(echo $$)", "echo $(date) $(echo $$)"),  # references to unknown variables stay as they are
        ("echo $(ARGO_WORKFLOW_NAME) $$(ARGO_WORKFLOW_NAME) $", "echo wf $(ARGO_WORKFLOW_NAME) $"),
        ("$$" + "x" * 140_000, "$$" + "x" * 140_000),  # too long for a variable
    ],
)
def test_dollars_of_a_script_arrive_as_kubernetes_leaves_them(mode: str, source: str, read: str) -> None:
    spec = {
        "entrypoint": "main",
        "templates": [{"name": "main", "script": {"image": "b", "command": ["sh"], "source": source}}],
    }
    (launch,) = launches(Play(workflow(spec), mode).commands)
    assert launch.template["script"]["source"] == read


def test_an_unknown_volume_is_an_error_of_the_template(mode: str) -> None:
    spec = """
entrypoint: main
templates: [{name: main, container: {image: i, command: ["true"], volumeMounts: [{name: nope, mountPath: /x}]}}]
"""
    play = Play(workflow(spec), mode)
    assert play.message == "error in entry template execution: volume 'nope' not found in workflow spec"


def test_a_lock_is_waited_for(mode: str) -> None:
    spec = f"""
entrypoint: main
templates:
- {{name: main, synchronization: {{mutexes: [{{name: m}}]}}, {POD}}}
"""
    play = Play(workflow(spec), mode)
    assert play.commands == [c.AskLock("wf", {"mutexes": [{"name": "m"}]}, 0, play.at)]
    waiting: dict[str, Any] = {
        "waiting": "default/Mutex/m",
        "limit": 1,
        "holders": {"default/Mutex/m": ["default/other"]},
    }
    play.tell(e.LockAnswered(play.at, "s", "wf", False, "Waiting for default/Mutex/m lock", waiting))
    assert play.node("wf")["phase"] == "Pending"
    assert play.node("wf")["synchronizationStatus"] == {"waiting": "default/Mutex/m"}
    locks = play.run.document["status"]["synchronization"]
    assert locks == {"mutex": {"waiting": [{"mutex": "default/Mutex/m", "holder": "default/other"}]}}
    commands = play.tell(e.LockAnswered(play.at, "s", "wf", True, "", {"holding": ["default/Mutex/m"]}))
    assert len(launches(commands)) == 1
    assert "message" not in play.node("wf")
    assert play.run.document["status"]["synchronization"]["mutex"]["holding"][0]["holder"] == "default/wf"
    commands = play.end("wf")
    assert [type(one) for one in commands] == [c.ReleaseLock, c.Finish]


@pytest.mark.parametrize("deadline", [False, True])
def test_what_is_ended_while_it_waits_for_a_lock_waits_no_more(mode: str, deadline: bool) -> None:
    lock = {"mutexes": [{"name": "m"}]}
    steps = [[{"name": "a", "template": "one"}, {"name": "b", "template": "one"}]]
    one = {"name": "one", "synchronization": lock, "container": {"image": "i", "command": ["c"]}}
    spec = {"entrypoint": "main", "activeDeadlineSeconds": 100, "templates": [{"name": "main", "steps": steps}, one]}
    play = Answering(workflow(spec), mode)
    play.start("a")
    assert play.node("b")["synchronizationStatus"] == {"waiting": "default/Mutex/m"}
    holding = play.run.document["status"]["synchronization"]["mutex"]["holding"]
    assert [one["holder"] for one in holding] == [f"default/wf/{play.id('a')}"]
    if deadline:
        play.wait("deadline")
    else:
        play.tell(e.ShutdownRequested(play.at, "s", "Stop"))
    play.end("a", 143)
    assert (play.phase, play.node("b")["phase"]) == ("Failed", "Failed")
    assert "synchronizationStatus" not in play.node("b")


def test_a_workflow_waits_for_its_own_lock(mode: str) -> None:
    spec = f"""
entrypoint: main
synchronization: {{mutexes: [{{name: m}}]}}
templates:
- {{name: main, {POD}}}
"""
    play = Play(workflow(spec), mode)
    play.tell(
        e.LockAnswered(play.at, "s", "", False, "Waiting for default/Mutex/m lock", {"waiting": "default/Mutex/m"})
    )
    assert (play.phase, play.message, play.launched) == ("Pending", "Waiting for default/Mutex/m lock", [])
    play.tell(e.LockAnswered(play.at, "s", "", True, "", {"holding": ["default/Mutex/m"]}))
    assert (play.phase, play.launched) == ("Running", ["wf"])


MEMO = f"""
entrypoint: main
templates:
- name: main
  memoize: {{key: k, cache: {{configMap: {{name: cache}}}}}}
  outputs: {{parameters: [{{name: p, valueFrom: {{path: /p}}}}]}}
  {POD}
"""


def test_memoization_miss_and_save(mode: str) -> None:
    play = Play(workflow(MEMO), mode)
    assert play.commands == [c.ReadObject("memo:wf", "ConfigMap", "cache")]
    assert len(launches(play.tell(e.ObjectRead(play.at, "s", "memo:wf", None)))) == 1
    commands = play.end("wf", outputs={"parameters": {"p": "v"}})
    write = next(one for one in commands if isinstance(one, c.WriteObject))
    assert write.document["metadata"]["labels"] == {"workflows.argoproj.io/configmap-type": "Cache"}
    kept = {"metadata": write.document["metadata"], "data": write.document["data"]}
    again = Play(workflow(MEMO), mode)
    again.tell(e.ObjectRead(again.at, "s", "memo:wf", kept))
    assert (again.phase, again.launched) == ("Succeeded", [])
    assert again.node("wf")["memoizationStatus"]["hit"] is True
    assert again.node("wf")["outputs"]["parameters"][0]["value"] == "v"


def test_container_set(mode: str) -> None:
    spec = """
entrypoint: main
templates:
- name: main
  containerSet:
    containers:
    - {name: a, image: i, command: ["true"]}
    - {name: main, image: i, command: ["true"], dependencies: [a]}
"""
    play = Play(workflow(spec), mode)
    assert [one["name"] for one in launches(play.commands)[0].pod["spec"]["containers"]] == ["a", "main"]
    states = (e.ContainerState("a", 0, "Completed", "", 1.0, 2.0), e.ContainerState("main", 2, "Error", "", 2.0, 3.0))
    play.end("wf", phase="Failed", containers=states)
    assert play.node("wf.a")["phase"] == "Succeeded"
    assert play.node("wf.main")["message"] == "main: Error (exit code 2): "
    assert play.node("wf.a")["children"] == [play.id("wf.main")]
    assert play.message == "main: Error (exit code 2)"


@pytest.mark.parametrize("limit", ["", "parallelism: 1, "])
@pytest.mark.parametrize(
    "main",
    [
        "dag: {tasks: [{name: task, template: pod, withItems: [dfolym, edhums]}]}",
        "steps: [[{name: task, template: pod, withItems: [uwdtdg, umslid]}]]",
        "dag: {tasks: [{name: task, template: retried, withItems: [dfolym, edhums]}]}",
    ],
)
def test_items_whose_names_have_the_same_hash_all_run(main: str, limit: str, mode: str) -> None:
    """Argo's ids are 32 bits of a hash: of 100,000 items some had one id, and all but one of them never ran."""
    pod, retried = f"{{name: pod, {POD}}}", f"{{name: retried, retryStrategy: {{limit: 2}}, {POD}}}"
    play = Play(workflow(f"{{entrypoint: main, {limit}templates: [{{name: main, {main}}}, {pod}, {retried}]}}"), mode)
    launched = []
    while play.phase == "Running":
        launched += launches(play.commands)
        play.start(play.active[0])
        play.end(play.active[0])
    assert play.phase == "Succeeded"
    assert play.run.document["status"]["progress"] == "2/2"
    names = {one.pod["metadata"]["name"] for one in launched}
    assert len(play.launched) == len(set(play.launched)) == 2
    assert len(names) == len(launched)
    assert play.run.nodes["wf"]["phase"] == "Succeeded"


def test_why_a_pod_waited_is_no_message_of_one_that_runs(mode: str) -> None:
    """It may be told after the start, by another thread."""
    play = Play(workflow(f"{{entrypoint: main, templates: [{{name: main, {POD}}}]}}"), mode)
    play.start("wf")
    play.tell(e.PodWaiting(play.at, "s", "wf", "Unschedulable: waits for a free core"))
    play.end("wf")
    assert play.node("wf").get("message") is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("retryStrategy: {limit: x}", "value 'x' cannot be resolved to an int"),
        ("retryStrategy: {limit: ''}", "value '' cannot be resolved to an int"),
        ("retryStrategy: {limit: ' 1'}", "value ' 1' cannot be resolved to an int"),
        ("retryStrategy: {limit: '1_0'}", "value '1_0' cannot be resolved to an int"),
        ("timeout: abc", 'invalid timeout format unable to parse abc as a duration: time: invalid duration "abc"'),
    ],
)
def test_what_is_no_number_or_duration_is_told_as_argo_does(mode: str, fields: str, message: str) -> None:
    play = Play(workflow(f"{{entrypoint: main, templates: [{{name: main, {fields}, {POD}}}]}}"), mode)
    if play.run.nodes and not play.run.finished:
        play.end(play.active[0], 1)
    assert (play.phase, play.message) == ("Error", f"error in entry template execution: {message}")


@pytest.mark.parametrize(("code", "progress"), [(0, "100/100"), (1, "0/100")])
def test_the_progress_of_a_pod_begins_as_its_template_says(mode: str, code: int, progress: str) -> None:
    said = "metadata: {annotations: {workflows.argoproj.io/progress: 0/100}}"
    play = Play(workflow(f"{{entrypoint: main, templates: [{{name: main, {said}, {POD}}}]}}"), mode)
    assert play.run.document["status"]["progress"] == "0/100"
    play.end("wf", code)
    assert play.run.document["status"]["progress"] == progress


def test_a_retried_node_that_is_stopped_between_its_attempts_has_no_outputs(mode: str) -> None:
    again = "retryStrategy: {limit: 3, backoff: {duration: 30}}"
    play = Play(workflow(f"{{entrypoint: main, templates: [{{name: main, {again}, {POD}}}]}}"), mode)
    play.end("wf(0)", 1, outputs={"exitCode": "1"})
    play.tell(e.ShutdownRequested(play.at, "s", "Stop"))
    assert (play.node("wf")["phase"], play.node("wf")["message"]) == ("Failed", "Stopped with strategy 'Stop'")
    assert "outputs" not in play.node("wf")


OUTPUT = "outputs: {artifacts: [{name: a, path: /a%s}]}"


@pytest.mark.parametrize(
    ("whole", "own", "said"),
    [
        ("", "", {"notSpecified": True}),
        ("Never", "", {"notSpecified": True}),
        ("OnWorkflowDeletion", "Never", {"notSpecified": True}),
        ("OnWorkflowDeletion", "", {"strategiesProcessed": {"OnWorkflowCompletion": True}}),
        ("", "OnWorkflowCompletion", {"strategiesProcessed": {"OnWorkflowCompletion": True}}),
    ],
)
def test_the_status_says_whether_artifacts_are_to_be_removed(whole, own, said):
    """As Argo's artifactGCStatus: of the templates that a workflow has, when it begins and when it is over."""
    spec = f"entrypoint: main\nartifactGC: {{strategy: '{whole}'}}\n" if whole else "entrypoint: main\n"
    strategy = f", artifactGC: {{strategy: {own}}}" if own else ""
    play = Play(workflow(spec + f"templates: [{{name: main, container: {{image: i}}, {OUTPUT % strategy}}}]"), "live")
    begun = play.run.document["status"]["artifactGCStatus"]
    assert begun == (said if "notSpecified" in said else {})
    (pod,) = play.launched
    play.end(pod)
    assert (play.phase, play.run.document["status"]["artifactGCStatus"]) == ("Succeeded", said)


def test_templates_from_outside_are_stored_when_a_workflow_begins(mode: str) -> None:
    """Also those that may never run: Argo stores them while it validates the workflow."""
    collected = OUTPUT % ", artifactGC: {strategy: OnWorkflowDeletion}"
    called = (
        f"{{name: a, steps: [[{{name: s, template: b}}]]}}, {{name: b, {POD}, {collected}}}, {{name: other, {POD}}}"
    )
    outside = {"kind": "WorkflowTemplate", **workflow(f"{{templates: [{called}]}}", "t")}
    steps = "steps: [[{name: x, template: p}], [{name: y, templateRef: {name: t, template: a}}]]"
    spec = f"{{entrypoint: main, templates: [{{name: main, {steps}}}, {{name: p, {POD}}}]}}"
    play = Play(workflow(spec), mode, templates=(outside,))
    status = play.run.document["status"]
    assert sorted(status["storedTemplates"]) == ["namespaced/t/a", "namespaced/t/b"]
    assert status["artifactGCStatus"] == {}


def test_a_group_in_which_nothing_runs_has_no_progress(mode: str) -> None:
    steps = "steps: [[{name: x, template: p, when: 'false'}]]"
    play = Play(workflow(f"{{entrypoint: main, templates: [{{name: main, {steps}}}, {{name: p, {POD}}}]}}"), mode)
    assert [node.get("progress") for node in play.run.nodes.values()] == [None, None, None]
    assert play.run.document["status"]["progress"] == "0/0"
