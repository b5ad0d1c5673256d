"""Templates and cron workflows: stored from files and scripts, checked together, run by name."""

import re
import subprocess
from textwrap import dedent

import pytest

TEMPLATE = """
kind: WorkflowTemplate
metadata: {name: greet}
spec:
  entrypoint: say
  arguments: {parameters: [{name: word, value: hello}]}
  templates:
  - name: say
    inputs: {parameters: [{name: word, value: "{{workflow.parameters.word}}"}]}
    container: {image: busybox, command: [echo, "{{inputs.parameters.word}}"]}
"""
CALLER = """
kind: Workflow
metadata: {generateName: caller-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: word, value: hello}]}
  templates: [{name: main, steps: [[{name: a, templateRef: {name: greet, template: say}}]]}]
"""
CRON = """
kind: CronWorkflow
metadata: {name: nightly}
spec:
  schedules: ["0 0 1 1 *"]
  workflowSpec: {entrypoint: m, templates: [{name: m, container: {image: busybox, command: [echo, night]}}]}
"""


def test_a_stored_template_is_run_by_its_name(user):
    said = user.type("run", user.file("t.yaml", TEMPLATE))
    assert "WorkflowTemplate greet stored; run it with: hera-utils run --from workflowtemplate/greet" in said
    user.type("run", "--from", "workflowtemplate/greet")
    assert user.type("logs", "@latest", "--no-prefix") == "hello\n"
    user.type("run", "--from", "WorkflowTemplate/greet", "-p", "word=ciao")
    assert user.type("logs", "@latest", "--no-prefix") == "ciao\n"
    file = user.file("p.yaml", "word: 1.50\n")
    user.type("run", "--from", "workflowtemplate/greet", "--parameter-file", file)
    assert user.type("logs", "@latest", "--no-prefix") == "1.5\n", "a number of a file is JSON, as with argo submit"
    name = user.type("run", "--from", "workflowtemplate/greet", "--detach").splitlines()[0]
    labels = user.platform.client.get(name)["metadata"]["labels"]
    assert labels["workflows.argoproj.io/workflow-template"] == "greet"


def test_a_stored_template_that_was_nearly_meant(user):
    user.type("run", user.file("t.yaml", TEMPLATE))
    said = user.type("run", "--from", "workflowtemplate/gret", status=2)
    assert "fix: did you mean workflowtemplate/greet? store it with" in said


def test_a_template_that_is_refused_keeps_no_other_from_being_stored(user):
    broken = TEMPLATE.replace("entrypoint: say", "entrypoint: nope")
    documents = [TEMPLATE, broken.replace("greet", "bad"), broken.replace("greet", "worse"), CALLER, CRON]
    said = user.type("run", user.file("all.yaml", "---".join(documents)), status=2)
    assert "WorkflowTemplate greet stored" in said
    assert "CronWorkflow nightly stored" in said
    assert "WorkflowTemplate bad is not stored: template name 'nope' undefined; WorkflowTemplate worse is not" in said
    assert "caller-" not in user.type("ls", "-o", "name"), "a run would have used what is not there"


def test_a_cron_workflow_is_run_by_hand(user):
    assert "run --from cronwf/nightly" in user.type("run", user.file("c.yaml", CRON))
    user.type("run", "--from", "cronwf/nightly")
    assert user.type("logs", "@latest", "--no-prefix") == "night\n"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("greet", "`greet` names no stored template"),
        ("job/greet", "`job` is not a kind of stored template"),
        ("workflowtemplate/absent", '"absent" not found'),
        ("cronwf/absent", '"absent" not found'),
    ],
)
def test_what_is_not_stored_cannot_be_run(user, reference, words):
    said = user.type("run", "--from", reference, status=2)
    assert words in said
    assert "fix: " in said


def test_no_script_and_misplaced_flags(user):
    assert "no script is named" in user.type("run", status=2)
    assert "has no option --fast" in user.type("run", "--fast", "x.py", status=2)
    script = user.file("s.py", "print(1)")
    assert "takes no --parameter-file" in user.type("run", script, "--parameter-file", "p.yaml", status=2)


def test_lint_knows_the_templates_of_the_same_file_folder_and_script(user):
    user.file("both.yaml", CALLER + "---" + TEMPLATE)
    assert "✘" not in user.type("lint", "both.yaml")
    (user.folder / "apart").mkdir()
    user.file("apart/a.yaml", CALLER)
    assert "reference greet.say not found" in user.type("lint", "apart/a.yaml", status=1)
    user.file("apart/b.yaml", TEMPLATE)
    user.type("lint", "apart")
    user.file("apart/b.yaml", TEMPLATE.replace("name: say", "name: tell"))
    assert "say" in user.type("lint", "apart", status=1), "a sibling without the template that is called"


def test_lint_of_a_folder_without_workflow_files_is_no_success(user):
    (user.folder / "empty").mkdir()
    said = user.type("lint", "empty", status=2)
    assert "nothing to check in empty" in said
    assert "fix: " in said


def test_lint_looks_for_the_rest_on_the_platform(user):
    user.type("run", user.file("t.yaml", TEMPLATE))
    middle = CALLER.replace("kind: Workflow", "kind: WorkflowTemplate").replace("generateName: caller-", "name: middle")
    last = CALLER.replace("name: greet, template: say", "name: middle, template: main")
    user.type("lint", user.file("w.yaml", last + "---" + middle))
    user.type("run", user.file("w.yaml", last + "---" + middle))


def test_documents_that_are_not_ours_are_left_out(user):
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: []\n"
    user.file("mixed.yaml", role + "---" + TEMPLATE)
    assert "Role r: not checked" in user.type("lint", "mixed.yaml")
    assert "Role r: left out; create it with kubectl" in user.type("run", "mixed.yaml")
    user.file("role.yaml", role)
    user.type("lint", "role.yaml")
    assert "contains nothing that can run" in user.type("run", "role.yaml", status=2)


def test_a_file_that_names_a_namespace_runs_where_a_script_would(user):
    for namespace in ("argo", "devseed"):
        text = TEMPLATE.replace("{name: greet}", f"{{name: greet, namespace: {namespace}}}")
        file = user.file("n.yaml", text + "---" + CALLER.replace("{generate", f"{{namespace: {namespace}, generate"))
        user.type("lint", file)
        said = user.type("run", file)
        assert f"the namespace {namespace} of n.yaml: replaced" in said
        assert user.type("logs", "@latest", "--no-prefix") == "hello\n"


SCRIPT = """
from hera.workflows import Container, CronWorkflow, Workflow, WorkflowTemplate
"""


@pytest.mark.parametrize(
    ("head", "stored"),
    [
        ("Workflow(name='kept', kind='WorkflowTemplate', entrypoint='c')", "workflowtemplate/kept"),
        ("WorkflowTemplate(name='kept', entrypoint='c')", "workflowtemplate/kept"),
        ("CronWorkflow(name='kept', schedules=['0 0 1 1 *'], entrypoint='c')", "cronwf/kept"),
    ],
)
def test_a_script_that_only_builds_a_template_stores_it(user, head, stored):
    body = f"with {head} as w:\n    Container(name='c', image='busybox', command=['echo', 'hi'])\n"
    said = user.type("run", user.file("t.py", SCRIPT + body))
    assert f"run it with: hera-utils run --from {stored}" in said.replace("run it now", "run it")
    user.type("run", "--from", stored)
    assert user.type("logs", "@latest", "--no-prefix") == "hi\n"


def test_a_script_that_builds_a_template_and_a_workflow_of_it(user):
    text = SCRIPT + dedent("""
        from hera.workflows.models import WorkflowTemplateRef

        with WorkflowTemplate(name="kept", entrypoint="c"):
            Container(name="c", image="busybox", command=["echo", "hi"])
        w = Workflow(generate_name="of-", workflow_template_ref=WorkflowTemplateRef(name="kept"))
    """)
    user.type("lint", user.file("t.py", text))
    said = user.type("run", "t.py")
    assert "WorkflowTemplate kept stored" in said
    assert user.type("logs", "@latest", "--no-prefix") == "hi\n"


def test_a_script_that_deletes_its_own_run(user):
    text = SCRIPT + dedent("""
        from hera.shared import global_config

        for word in ("one", "two"):
            with Workflow(generate_name=f"{word}-", entrypoint="c") as w:
                Container(name="c", image="busybox", command=["echo", word])
            w.create(wait=True, poll_interval=1)
            if word == "one":
                w.workflows_service.delete_workflow(w.name, namespace=w.namespace)
    """)
    said = user.type("run", user.file("d.py", text))
    assert "was deleted" in said
    assert "✔ Succeeded" in said


def test_a_module_of_a_package_is_told_how_to_run(user, tmp_path):
    folder = tmp_path / "lab" / "flows"
    folder.mkdir(parents=True)
    for file in (folder.parent / "__init__.py", folder / "__init__.py"):
        file.touch()
    (folder / "m.py").write_text("from .settings import x\n")
    process = user.process("run", folder / "m.py", stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"cd {tmp_path} && hera-utils run -m lab.flows.m" in said


def test_a_cron_workflow_is_listed_shown_suspended_and_deleted(user):
    said = user.type("run", user.file("c.yaml", CRON))
    assert "CronWorkflow nightly stored: it starts runs at 0 0 1 1 * (next in " in said
    assert "stop it with: hera-utils suspend cronwf/nightly" in said
    listed = user.type("ls")
    assert re.search(r"cronwf/nightly +scheduled +0 0 1 1 \* +in \d+d", listed), listed
    assert "cronwf/nightly" not in user.type("ls", "--running"), "a filter is about runs"
    shown = user.type("get", "nightly")
    assert "scheduled: 0 0 1 1 * (next in" in shown
    assert "it starts no runs; resume it with: hera-utils resume cronwf/nightly" in user.type("suspend", "nightly")
    assert user.platform.client.template("CronWorkflow", "nightly")["spec"]["suspend"] is True
    assert re.search(r"cronwf/nightly +suspended", user.type("ls"))
    assert "is scheduled again" in user.type("resume", "cronwf/nightly")
    assert user.type("delete", "nightly") == "cronwf/nightly deleted; its runs go with it\n"
    assert user.platform.client.template("CronWorkflow", "nightly") is None
    assert "nightly" not in user.type("ls")


def test_the_name_of_a_cron_workflow_is_not_the_beginning_of_its_run(user):
    user.type("run", user.file("c.yaml", CRON))
    name = user.type("run", "--from", "cronwf/nightly", "--detach").splitlines()[0]
    user.type("watch", name)
    assert name.startswith("nightly-")
    user.type("suspend", "nightly")
    assert f"run {name}  Succeeded" in user.type("get", "nightly")
    said = user.type("delete", "nightly", name)
    assert said == f"{name} deleted\ncronwf/nightly deleted; its runs go with it\n"


def test_templates_are_listed_and_deleted_by_kind_and_name(user):
    user.type("run", user.file("t.yaml", TEMPLATE))
    assert user.type("ls", "--stored", "-o", "name") == "workflowtemplate/greet\n"
    assert "parameter word = hello" in user.type("get", "workflowtemplate/greet")
    assert "starts no runs by itself" in user.type("suspend", "workflowtemplate/greet", status=2)
    assert "ls --stored" in user.type("delete", "workflowtemplate/greeet", status=2)
    assert user.type("delete", "workflowtemplate/greet") == "workflowtemplate/greet deleted\n"
    assert "nothing is stored" in user.type("ls", "--stored")
