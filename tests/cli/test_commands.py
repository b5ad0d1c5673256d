"""The commands against a real local platform, as typed."""

import json
import re
import shutil
import signal
import subprocess
import sys
import tarfile

import pytest

from waiting import until, until_a_pod_runs

HELLO = """
kind: Workflow
metadata: {generateName: hello-}
spec:
  entrypoint: dag
  arguments: {parameters: [{name: word, value: hello}]}
  templates:
  - name: dag
    dag:
      tasks:
      - {name: one, template: say, arguments: {parameters: [{name: word, value: "{{workflow.parameters.word}}"}]}}
      - name: many
        template: say
        dependencies: [one]
        withItems: [a, b, c]
        arguments: {parameters: [{name: word, value: "{{item}}"}]}
  - name: say
    inputs: {parameters: [{name: word}]}
    outputs: {parameters: [{name: length, valueFrom: {path: /tmp/length}}]}
    container:
      image: busybox
      command: [sh, -c, 'echo "$0"; printf %s "$0" | wc -c > /tmp/length', "{{inputs.parameters.word}}"]
"""
FAILS = """
metadata: {generateName: fails-}
spec:
  entrypoint: main
  templates:
  - name: main
    retryStrategy: {limit: "1"}
    container: {image: busybox, command: [sh, -c, "echo told you; exit 3"]}
"""
SLEEPS = """
metadata: {generateName: sleeps-}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: busybox, command: [sleep, "60"]}
"""
ASKS = """
metadata: {generateName: asks-}
spec:
  entrypoint: main
  templates:
  - name: main
    steps: [[{name: approve, template: approve}], [{name: go, template: go}]]
  - {name: approve, suspend: {}}
  - {name: go, container: {image: busybox, command: [echo, went]}}
"""


SAYS_WHY = """
metadata: {generateName: why-}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: busybox, command: [sh, -c, "echo beta is too large; exit 3"]}
"""


def test_the_list_says_why_a_run_failed(user):
    user.type("run", user.file("one.yaml", SAYS_WHY), status=1)
    steps = (
        SAYS_WHY.replace("entrypoint: main", "entrypoint: all")
        + "  - {name: all, steps: [[{name: a, template: main}]]}\n"
    )
    user.type("run", user.file("several.yaml", steps), status=1)
    several, one = user.type("ls").splitlines()[1:]
    assert one.endswith("  main: Error (exit code 3): beta is too large")
    assert several.endswith("  [0].a: main: Error (exit code 3): beta is too large")


def test_a_point_with_a_long_name_is_shown_with_its_inputs(user):
    hello = HELLO.replace("name: one,", "name: one-a-long-value-9f4f1e82654a,").replace(
        "dependencies: [one]", "dependencies: [one-a-long-value-9f4f1e82654a]"
    )
    user.type("run", user.file("hello.yaml", hello))
    shown = user.type("get", "@latest")
    assert "one-a-long-value-9f4f1e82654a (word=hello)" in shown
    assert "(0:a)  " in shown


def test_a_run_from_start_to_table(user):
    said = user.type("run", user.file("hello.yaml", HELLO), "-p", "word=good day")
    assert "✔ many 3/3" in said
    name = re.search(r"(hello-\w+)  ✔ Succeeded  4/4", said)[1]
    assert f"/workflows/{user.platform.connection.namespace}/{name}" in said
    assert user.type("ls", "--output", "name") == f"{name}\n"
    assert json.loads(user.type("ls", "--output", "json"))[0]["status"]["progress"] == "4/4"
    assert user.type("ls", "--running") == f"no runs in namespace {user.platform.connection.namespace} are selected\n"
    shown = user.type("get", "@latest")
    assert "parameter word = good day" in shown
    assert "    ✔ many 3/3" in shown
    assert json.loads(user.type("get", name, "-o", "json"))["metadata"]["name"] == name
    assert "entrypoint: dag" in user.type("get", name, "-o", "yaml")
    assert sorted(user.type("logs", name).splitlines()) == [
        "many(0:a): a",
        "many(1:b): b",
        "many(2:c): c",
        "one: good day",
    ]
    assert sorted(user.type("logs", name, "many", "--no-prefix").split()) == ["a", "b", "c"]
    assert user.type("logs", name, "one") == "good day\n"
    table = user.type("results", name).splitlines()
    assert table[1].split() == ["word", "length", "status", "seconds", "cpu_seconds", "peak_memory", "attempts"]
    header, first, *_ = user.type("results", name, "-o", "csv").splitlines()
    assert header == (
        "task,template,word,length,status,started,finished,seconds,cpu_seconds,peak_memory,read_bytes,written_bytes,"
        "disk_read_bytes,disk_written_bytes,start_delay,attempts"
    )
    assert first.startswith("one,say,good day,8,")
    assert json.loads(user.type("results", name, "-o", "json"))[1]["inputs"] == {"word": "a"}
    assert "✔ Succeeded" in user.type("watch", name)
    assert user.type("delete", name) == f"{name} deleted\n"
    user.type("get", name, status=2)


LOOPED = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: looped-}
spec:
  entrypoint: main
  templates:
    - name: main
      dag:
        tasks:
          - {name: part, template: part, withItems: [1, 2]}
          - name: all
            template: all
            depends: part
            arguments: {artifacts: [{name: file, from: "{{tasks.part.outputs.artifacts.file}}"}]}
    - name: part
      outputs: {artifacts: [{name: file, path: /tmp/file}]}
      container: {image: busybox, command: [sh, -c, "echo 1 > /tmp/file"]}
    - name: all
      inputs: {artifacts: [{name: file, path: /tmp/file}]}
      container: {image: busybox, command: [cat, /tmp/file]}
"""


def test_a_run_that_fails_says_why_and_can_be_retried(user):
    said = user.type("run", user.file("fails.yaml", FAILS), status=1)
    assert "main: Error (exit code 3): told you (2 attempts)" in said
    assert "\n    told you\n" in said
    assert "exit code 3" in user.type("get", "@latest")
    assert "told you" in user.type("retry", "@latest", "--watch", status=1)


def test_a_run_that_asks_for_what_no_task_gives_is_told_to_change(user):
    said = user.type("run", user.file("loop.yaml", LOOPED), status=1)
    assert 'Unable to resolve: "tasks.part.outputs.artifacts.file"' in said
    assert " ended with an error\n" in said
    assert "correct the workflow and run it again" in said


def test_stopping_what_has_ended_is_refused_in_argos_words(user):
    user.type("run", user.file("hello.yaml", HELLO))
    name = user.type("ls", "-o", "name").split()[0].rpartition("/")[2]
    said = user.type("stop", "@latest", status=2)
    assert "cannot shutdown a completed workflow" in said
    assert f"it has ended; see how with: hera-utils get {name}\n" in said
    assert f"it has ended; see how with: hera-utils get {name}\n" in user.type("suspend", "@latest", status=2)
    assert "server failed" not in said


def test_ending_a_run(user):
    for verb, message in (("stop", "Stop"), ("terminate", "Terminate")):
        name = user.start(SLEEPS)
        assert "is being" in user.type(verb, name)
        user.type("watch", name, status=1)
        assert message in user.type("get", name)


def test_a_run_that_asks(user):
    name = user.start(ASKS)
    assert "● approve" in user.type("get", name) or "● Running" in user.type("get", name)
    assert re.search(rf"{name} +○ Suspended", user.type("ls"))
    assert "continues" in user.type("resume", name, "--watch")
    assert "Suspended" not in user.type("ls")
    assert user.type("logs", name, "--no-prefix") == "went\n"


def test_a_resume_that_ends_the_run_and_one_of_a_run_that_has_ended(user):
    name = user.start(ASKS.replace(", [{name: go, template: go}]", ""))
    assert user.type("resume", name) == f"{name} was resumed and has ended (Succeeded)\n"
    assert "no task of it is suspended" in user.type("resume", name, status=1)


def test_suspending(user):
    name = user.start(SLEEPS)
    assert f"hera-utils resume {name}" in user.type("suspend", "@latest")
    assert re.search(rf"{name} +○ Suspended", user.type("ls"))
    assert user.platform.client.get(name)["spec"]["suspend"] is True
    user.type("resume", name)
    user.type("delete", name)


def test_templates_in_a_file_come_first_and_may_change(user):
    template = (
        "kind: WorkflowTemplate\nmetadata: {{name: t}}\nspec:\n  entrypoint: a\n  templates:\n"
        "  - {{name: a, container: {{image: busybox, command: [echo, {word}]}}}}\n"
    )
    workflow = "---\nmetadata: {generateName: w-}\nspec: {workflowTemplateRef: {name: t}}\n"
    for word in ("first", "second"):
        said = user.type("run", user.file("w.yaml", template.format(word=word) + workflow))
        assert "WorkflowTemplate t stored" in said
        assert user.type("logs", "@latest", "--no-prefix") == f"{word}\n"


NEEDS = """
kind: Workflow
metadata: {generateName: needs-}
spec:
  entrypoint: main
  volumes: [{name: data, persistentVolumeClaim: {claimName: kept}}]
  templates:
  - name: main
    container:
      image: busybox
      command: [sh, -c, 'echo "$WORD" >> /data/words; cat /data/words']
      envFrom: [{configMapRef: {name: words}}]
      volumeMounts: [{name: data, mountPath: /data}]
---
kind: ConfigMap
metadata: {name: words}
data: {WORD: mountain}
---
kind: PersistentVolumeClaim
metadata: {name: kept}
spec: {accessModes: [ReadWriteMany], resources: {requests: {storage: 1Mi}}}
"""


def test_what_a_file_needs_is_created_once(user):
    said = user.type("run", user.file("needs.yaml", NEEDS))
    assert "ConfigMap words created" in said
    assert user.type("logs", "@latest", "--no-prefix") == "mountain\n"
    said = user.type("run", user.file("needs.yaml", NEEDS.replace("mountain", "valley")))
    assert "PersistentVolumeClaim kept already exists" in said
    assert user.type("logs", "@latest", "--no-prefix") == "mountain\nmountain\n"
    assert "not checked" in user.type("lint", "needs.yaml")


def test_ctrl_c_leaves_the_run_alone(user):
    user.file("sleeps.yaml", SLEEPS)
    process = user.process("run", "sleeps.yaml", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = process.stdout.readline()
    name = first.split()[0]
    until_a_pod_runs(user.platform)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert f"come back with: hera-utils watch {name}" in said
    assert "Traceback" not in said
    assert user.platform.client.get(name)["status"]["phase"] == "Running"
    user.type("delete", name)


def test_logs_follow_a_run_to_its_end(user):
    text = FAILS.replace("echo told you; exit 3", "for i in 1 2 3; do echo $i; sleep 0.2; done")
    name = user.start(text)
    assert user.type("logs", name, "-f", "--no-prefix").split() == ["1", "2", "3"]


def test_lint(user):
    user.file("good.yaml", HELLO)
    user.file(
        "bad.yaml", "metadata: {name: b}\nspec: {entrypoint: nope, templates: [{name: a, container: {image: x}}]}"
    )
    user.file("worse.yaml", "kind: Workflow\na: [")
    user.file(
        "script.py",
        "from hera.workflows import Container, Workflow\n"
        "with Workflow(generate_name='s-', entrypoint='c') as w:\n"
        "    Container(name='c', image='x', command=['a'])\n"
        "w.create(wait=False)\n",
    )
    assert user.type("lint", "good.yaml").startswith("✔ good.yaml Workflow hello-")
    said = user.type("lint", ".", status=1)
    assert "'nope'" in said
    assert "2 of 3 wrong" in said
    found = json.loads(user.type("lint", "script.py", "-o", "json"))
    assert found == [{"document": "script.py Workflow s-unsent", "ok": True, "message": ""}] or found[0]["ok"]
    assert user.type("ls", "-o", "name").strip() == "", "nothing was run"


def test_lint_checks_what_a_subclass_of_a_workflow_builds(user):
    user.file(
        "study.py",
        "from hera.workflows import Container, Workflow\n"
        "class Study(Workflow):\n    pass\n"
        "with Study(generate_name='s-', entrypoint='nope') as w:\n"
        "    Container(name='c', image='x', command=['a'])\n",
    )
    assert "'nope'" in user.type("lint", "study.py", status=1)


def test_connection_is_for_other_programs(user):
    found = json.loads(user.type("connection", "-o", "json"))
    assert set(found) == {"argo_server", "kubernetes", "token", "namespace", "kubeconfig"}
    lines = user.type("connection")
    variables = dict(re.findall(r"^export (\w+)='?([^'\n]*)'?$", lines, re.MULTILINE))
    assert variables["ARGO_TOKEN"] == f"Bearer {found['token']}"
    assert found["argo_server"] == f"http://{variables['ARGO_SERVER']}"
    assert (variables["ARGO_HTTP1"], variables["ARGO_SECURE"]) == ("true", "false")
    assert variables["KUBECONFIG"] == found["kubeconfig"]
    # what a shell makes of it leads to the same platform, and it counts as local
    script = f'eval "$({sys.executable} -m hera_utils connection)"; {sys.executable} -m hera_utils settings -o json'
    rows = json.loads(subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout)
    assert next(row["value"] for row in rows if row["name"] == "platform") == "local"


def test_no_proxy_leads_to_this_machine(user, monkeypatch):
    assert "NO_PROXY" not in user.type("connection")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "lab.example")
    assert "export NO_PROXY=lab.example,127.0.0.1,localhost\n" in user.type("connection")
    assert "✔ Succeeded" in user.type("run", user.file("hello.yaml", HELLO))


def test_files_of_claims(user):
    folder = user.platform.claim("results")
    (folder / "collect").mkdir()
    (folder / "collect" / "a.csv").write_text("1,2\n")
    assert "1 file" in user.type("cp", "results:/collect", "here")
    assert (user.folder / "here" / "a.csv").read_text() == "1,2\n"
    user.type("cp", "here/a.csv", "results:inputs/")
    assert (folder / "inputs" / "a.csv").exists()
    shutil.rmtree(folder)  # as of a claim that no task has used yet
    user.type("cp", "here/a.csv", "results:inputs/")
    assert (folder / "inputs" / "a.csv").exists()
    assert "no-such-claim" in user.type("cp", "no-such-claim:/x", ".", status=2)
    assert "`results:/gone`" in user.type("cp", "results:/gone", ".", status=2)


MAKES = """
metadata: {generateName: makes-}
spec:
  entrypoint: main
  templates:
  - name: main
    dag: {tasks: [{name: make, template: make}]}
  - name: make
    outputs:
      artifacts:
      - {name: plain, path: /tmp/plain.txt, archive: {none: {}}}
      - {name: packed, path: /tmp/plain.txt}
    container: {image: busybox, command: [sh, -c, "echo made > /tmp/plain.txt"]}
"""


def test_artifacts_of_runs(user):
    user.type("run", user.file("makes.yaml", MAKES))
    assert "1 file, 5 B" in user.type("cp", "artifact:@latest/make/plain", "here.txt")
    assert (user.folder / "here.txt").read_text() == "made\n"
    user.type("cp", "artifact:@latest/make/packed", ".")
    with tarfile.open(user.folder / "packed.tgz") as archive:
        assert archive.extractfile(archive.getmembers()[0]).read() == b"made\n"
    assert "it has: make/plain, make/packed" in user.type("cp", "artifact:@latest/make/none", ".", status=2)
    assert "names no run" in user.type("cp", "artifact:", ".", status=2)
    assert "there is no run x" in user.type("cp", "artifact:x", ".", status=2)
    assert "cannot write" in user.type("cp", "artifact:@latest/make/plain", "absent/x", status=2)
    assert "2 artifacts" in user.type("cp", "artifact:@latest", "all")
    assert (user.folder / "all" / "make" / "plain.txt").read_text() == "made\n"
    assert user.type("cp", "artifact:@latest/make", "all", "--unpack").count("exists already") == 2
    assert (user.folder / "all" / "make" / "packed.txt").read_text() == "made\n"
    user.type("cp", "artifact:@latest/make/packed", "unpacked", "--unpack")
    assert (user.folder / "unpacked").read_text() == "made\n"
    assert "there are 2 artifacts" in user.type("cp", "artifact:@latest", "here.txt", status=2)
    own = user.folder / "plain.txt" / "mine.txt"
    own.parent.mkdir()
    own.write_text("all that there is")
    assert "plain.txt is already a folder" in user.type("cp", "artifact:@latest/make/plain", ".", status=2)
    assert own.read_text() == "all that there is"
    assert not list(user.folder.glob(".*.download"))


def test_gc_says_how_much_first_and_asks(user):
    user.type("run", user.file("hello.yaml", HELLO))
    name = user.type("ls", "-o", "name").strip()
    assert user.type("gc") == "nothing is older than 30d\n"
    said = user.type("gc", "--older-than", "0", "--dry-run")
    assert re.search(rf"{name}  [\d.]+ KiB", said), said
    assert "nothing deleted" in user.type("gc", "--older-than", "0s"), "without a terminal and without --yes"
    assert user.type("ls", "-o", "name").strip() == name
    assert "1 run deleted" in user.type("gc", "--older-than", "0", "--yes")
    assert user.type("ls", "-o", "name").strip() == ""


def test_doctor(user):
    # Docker Hub cannot be asked everywhere: then something is unknown, but no problem
    assert user.type("doctor").splitlines()[-1].startswith("no problems")
    assert json.loads(user.type("doctor", "-o", "json"))["ok"] is True


STUDY = """
from hera_utils import Experiment, Layout, grid, reads
class StudyLayout(Layout):
    @reads(local=True)
    def mesh(self):
        return self.path("no", "mesh.txt")
def define(environment, inputs, layout):
    main = {"name": "main", "container": {"image": "alpine:3", "command": ["true"]}}
    return {"metadata": {"generateName": "study-"}, "spec": {"entrypoint": "main", "templates": [main]}}
experiment = Experiment(workflow=define, inputs=grid(n=[1]), layout=StudyLayout, name="study")
"""


def test_doctor_tells_a_file_beside_the_script_that_is_not_there(user):
    said = user.type("doctor", user.file("study.py", STUDY))
    assert f"! the file {user.folder}/no/mesh.txt, which the layout's `mesh` reads, does not exist" in said


def test_why_a_task_is_stopped(user):
    name = user.start(ASKS)
    assert "--node-field-selector" in user.type("stop", name, "--message", "enough", status=2)
    user.type("stop", name, "--message", "enough", "--node-field-selector", "displayName=approve", "--watch", status=1)
    assert "enough" in user.type("get", name)


def test_parameters_that_are_missing_or_unknown(user):
    file = user.file("w.yaml", HELLO.replace("{name: word, value: hello}", "{name: word}"))
    assert "needs parameters when it runs: -p word=…" in user.type("lint", file)
    assert "-p word=VALUE" in user.type("run", file, status=2)
    said = user.type("run", file, "-p", "word=a", "-p", "wrod=b")
    assert "has no parameter `wrod`; it has: word" in said
    assert "has no parameter `word`" not in said


def test_what_a_task_waits_for_is_said_while_it_waits(user):
    absent = "{image: busybox, envFrom: [{secretRef: {name: absent}}],"
    name = user.start(SLEEPS.replace("{image: busybox,", absent), "--no-preflight")
    seen = user.process("watch", name, stdout=subprocess.PIPE)
    said = [seen.stdout.readline(), seen.stdout.readline()]
    seen.send_signal(signal.SIGINT)
    seen.wait(10)
    assert any("waits: " in line and '"absent" not found' in line for line in said), said
    user.type("delete", name)


def test_an_image_of_which_nothing_is_known(user):
    file = user.file("w.yaml", SLEEPS.replace("busybox", "lab/solver:7").replace('[sleep, "60"]', "[echo, solved]"))
    said = user.type("run", file, status=2)
    assert "nothing was submitted" in said
    assert "no substitute" in user.type("run", file, "--no-preflight", status=1)
    line = re.search(r"write the line  (.*?)  \(", said)[1]
    assert "✔ Succeeded" in user.type("run", file, "--images", user.file("images.yaml", line))


def test_a_container_that_is_not_there(user):
    user.type("run", user.file("hello.yaml", HELLO))
    assert user.type("logs", "@latest", "-c", "wait") == ""
    assert "there is: main" in user.type("logs", "@latest", "-c", "mian", status=2)


@pytest.mark.parametrize("name", ["notes.txt", "script", "."])
def test_what_is_no_script(user, name):
    if name != ".":
        user.file(name, "dear diary: today\n")
    assert "it takes a Python script (.py) or a workflow file (.yaml, .yml, .json)" in user.type("run", name, status=2)


def test_flags_must_agree_with_the_local_server(user):
    own = user.platform.connection
    assert "leave it out" in user.type("ls", "--argo_server", own.argo_server, "--argo_token", "other", status=2)
    assert "leave --argo_server out" in user.type(
        "ls", "--argo_server", own.argo_server.replace("http:", "https:"), status=2
    )
    user.type("ls", "--argo_server", own.argo_server, "--argo_token", own.token)


def test_pods_that_are_over_say_so_to_kubectl(user):
    from hera_utils.platforms.cluster import Cluster

    user.type("run", user.file("hello.yaml", HELLO))
    name = user.start(SLEEPS)

    def labels_of_pods():
        pods = Cluster(user.platform.connection).list("Pod")
        return {one["metadata"]["name"]: one["metadata"]["labels"]["workflows.argoproj.io/completed"] for one in pods}

    until(lambda: len(labels := labels_of_pods()) >= 5 and labels[name] == "false")
    labels = labels_of_pods()
    assert sorted(labels.values()) == ["false", "true", "true", "true", "true"]
    user.type("delete", name)


def test_nothing_to_be_latest(user):
    assert "there is no run in namespace" in user.type("get", "@latest", status=2)


@pytest.mark.parametrize(
    "command", ["get", "watch", "logs", "results", "stop", "terminate", "suspend", "resume", "retry", "delete"]
)
def test_a_run_that_is_not_there(user, command):
    assert "no-such-run" in user.type(command, "no-such-run", status=2)


def test_a_task_that_is_not_there(user):
    user.type("run", user.file("hello.yaml", HELLO))
    assert "hera-utils get" in user.type("logs", "@latest", "nothing", status=2)


def test_the_token_is_shown_by_connection_alone(user):
    user.type("run", user.file("hello.yaml", HELLO))
    token = user.platform.connection.token
    said = "".join(
        user.type(*words)
        for words in (
            ["settings"],
            ["doctor"],
            ["ls"],
            ["get", "@latest", "-o", "json"],
            ["serve", "--status"],
            ["logs", "@latest"],
        )
    )
    assert token not in said
    assert token in user.type("connection")


def test_serve(user, tmp_path):
    state = tmp_path / "other"
    assert "no server is running" in user.type("serve", "--status", "--state", state, status=1)
    assert "argo server  http://127.0.0.1:" in user.type("serve", "--detach", "--port", "0", "--state", state)
    user.type("serve", "--status", "--state", state)
    assert user.type("serve", "--stop", "--state", state) == "stopped\n"
    assert user.type("serve", "--stop", "--state", state) == "it does not run\n"


def test_a_report_is_not_written_into_a_file_of_another_kind(user):
    assert "there is no folder absent" in user.type("report", "@latest", "-o", "absent/x.html", status=2)
    said = user.type("report", "@latest", "-o", "x.pdf", status=2)
    assert "x.pdf says neither" in said
    assert "print the page from the browser" in said
    assert not (user.folder / "x.pdf").exists()


def test_a_port_that_the_running_server_does_not_have_is_not_ignored(user):
    said = user.type("serve", "--detach", "--port", "22", status=2)
    assert "at another port than --port 22" in said
    assert "hera-utils serve --stop" in said


def test_a_succeeded_run_is_not_retried_and_what_helps_is_told(user):
    name = user.start(HELLO)
    user.type("watch", name)
    assert "--restart-successful" in user.type("retry", name, status=2)
