"""What a workflow lacks on this machine: each fault alone is named with its fix, and all of them in one pass."""

import json
import os
import platform
import socket

import pytest
import yaml

from hera_utils.argo.annotations import IMAGE_DECISIONS
from hera_utils.errors import ResourceError
from hera_utils.experiment.environment import Environment, PersistedVolume
from hera_utils.image_policies import policy_for_all
from hera_utils.platforms.hera_binding import stamp_of
from hera_utils.preflight.imports import (
    how_to_install,
    missing_modules,
    modules_imported_by,
    modules_imported_by_runner,
)
from hera_utils.preflight.reachable_templates import reach_of
from hera_utils.preflight.ready import assert_ready
from hera_utils.preflight.run import examine

MAIN = {"name": "main", "container": {"image": "busybox", "command": ["true"]}}


def workflow(*templates, **spec):
    tasks = [{"name": template["name"], "template": template["name"]} for template in templates]
    dag = {"name": "all", "dag": {"tasks": tasks}}
    return {
        "kind": "Workflow",
        "metadata": {"generateName": "w-"},
        "spec": {"entrypoint": "all", "templates": [dag, *templates], **spec},
    }


def container(name, **fields):
    return {"name": name, "container": {"image": "busybox", "command": ["true"], **fields}}


def key(kind, name, word):
    return {"env": [{"name": "A", "valueFrom": {f"{kind}KeyRef": {"name": name, "key": word}}}]}


def script(name, source, **fields):
    return {"name": name, "script": {"image": "python:3.11", "command": ["python"], "source": source, **fields}}


CLAIM = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "absent"}}]}


def mounts(path, kind):
    return {"volumes": [{"name": "h", "hostPath": {"path": path, "type": kind}}]}


MOUNTED = {"volumeMounts": [{"name": "h", "mountPath": "/h"}]}
STORED = """
kind: WorkflowTemplate
metadata: {name: library}
spec:
  templates:
  - {name: good, container: {image: busybox, command: ["true"]}}
  - {name: bad, container: {image: "lab/stored:1", command: ["true"]}}
"""


def calls(reference):
    return {"name": "caller", "steps": [[{"name": "s", "templateRef": reference}]]}


# name → (templates, more of the spec, check, verdict, words of the message, words of the fix)
FAULTS = {
    "image": ([container("a", image="lab/solver:7")], {}, "images", "problem", "lab/solver:7", "--images FILE"),
    "image of a sidecar": (
        [{**container("b"), "sidecars": [{"name": "s", "image": "lab/side:1"}]}], {}, "images", "problem", "lab/side:1", "--images",
    ),
    "image of a stored template": (
        [calls({"name": "library", "template": "bad"})], {}, "images", "problem", "lab/stored:1", "--images FILE",
    ),
    "claim": ([container("c")], CLAIM, "claim", "problem", '"absent"', "--volume absent=FOLDER"),
    "config map": (
        [container("d", envFrom=[{"configMapRef": {"name": "no-map"}}])], {}, "config map", "problem", '"no-map"', "ConfigMap",
    ),
    "key of a config map": ([container("e", **key("configMap", "map", "no"))], {}, "config map", "problem", 'no key "no"', "word"),
    "secret": ([container("f", **key("secret", "no-secret", "k"))], {}, "secret", "problem", '"no-secret"', "Secret"),
    "key of a secret": ([container("g", **key("secret", "secret", "no"))], {}, "secret", "problem", 'no key "no"', "patch"),
    "stored template": (
        [calls({"name": "nowhere", "template": "t"})], {}, "template", "problem", '"nowhere" does not exist', "hera-utils run",
    ),
    "cluster template": (
        [calls({"name": "every", "template": "t", "clusterScope": True})], {}, "template", "problem", "ClusterWorkflowTemplate", "run",
    ),
    "template": ([{"name": "h", "steps": [[{"name": "s", "template": "nope"}]]}], {}, "workflow", "problem", "nope", "lint"),
    "argument": ([container("i", args=["x" * 140_000])], {}, "limits", "problem", "137 KiB", "volume"),
    "package": ([script("j", "import surely_not_there")], {}, "packages", "warning", "surely_not_there", "-m pip install"),
    "program": (
        [container("k", image="python:3", command=["no-such-program"])], {}, "programs", "warning", "no-such-program", "install",
    ),
    "program that the image has not": (
        [container("k2", image="alpine:3", command=["no-such-program"])], {}, "images", "problem", "no program no-such-program", "import",
    ),
    "another minor of Python": (
        [script("k3", "print(1)", image="python:3.1")], {}, "images", "warning", "runs in Python 3.", "hera-utils image import",
    ),
    "cores": (
        [container("l", resources={"requests": {"cpu": "900"}})], {}, "size", "warning", "900 CPUs", "reduce",
    ),
    "memory": (
        [container("m", resources={"requests": {"memory": "900Ti"}})], {}, "size", "warning", "of memory", "reduce",
    ),
    "account": ([container("n")], {"serviceAccountName": "ghost"}, "service account", "warning", '"ghost"', "serviceaccount"),
    "folder": (
        [{**container("p", **MOUNTED), **mounts("/no/such", "Directory")}], {}, "host path", "problem",
        "/no/such of the volume", "mkdir -p /no/such",
    ),
    "folder that cannot be": (
        [{**container("q", **MOUNTED), **mounts("/dev/null/x", "")}], {}, "host path", "problem",
        "cannot be created", "--volume CLAIM=FOLDER",
    ),
    "pull secret": (
        [container("o")], {"imagePullSecrets": [{"name": "no-pull"}]}, "pull secret", "warning", '"no-pull"', "kubectl",
    ),
}  # fmt: skip


@pytest.fixture
def settings(local_platform):
    """The settings of a platform that has some objects and lacks others."""
    for kind, data in (("ConfigMap", {"data": {"word": "x"}}), ("Secret", {"stringData": {"word": "x"}})):
        name = "map" if kind == "ConfigMap" else "secret"
        if not local_platform.cluster.exists(kind, name):
            local_platform.cluster.create({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **data})
    local_platform.client.apply(yaml.safe_load(STORED))
    return local_platform.context


@pytest.fixture(autouse=True, scope="module")
def no_policy_and_no_registry():
    """The default image policy, and no Docker Hub, regardless of the machine's network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("HERA_UTILS_IMAGES", raising=False)
        # The session's server has an image policy.
        patch.setattr("hera_utils.preflight.local_images.read_server_json", lambda state: {})
        patch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        yield


def warnings(findings):
    return [finding for finding in findings if finding.verdict == "warning"]


def refused(settings, document):
    try:
        return assert_ready(settings, None, document)
    except ResourceError as error:
        return str(error)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_alone_is_named_with_its_fix(settings, name):
    templates, spec, check, verdict, message, fix = FAULTS[name]
    document = workflow(*templates, **spec)
    findings = examine(settings, None, document).findings
    wrong = [finding for finding in findings if finding.verdict in ("problem", "warning") and finding.check == check]
    assert [finding.verdict for finding in wrong] == [verdict], findings
    assert message in wrong[0].message
    assert fix in wrong[0].fix
    others = {finding.check for finding in findings if finding.verdict == "problem"} - {
        check,
        "claim" if spec is CLAIM else check,
    }
    assert not others
    if verdict == "problem" and check != "workflow":  # the submission reports faults of the workflow itself
        assert message in refused(settings, document)


def test_a_field_of_another_type_is_told_in_argos_words(settings):
    """Hera only warns about unknown values: a tuple in `volumes` becomes a list."""
    document = workflow(container("main"), volumes=[["results", "/results"]])
    assert "cannot unmarshal array into Go struct field WorkflowSpec.workflow.spec.volumes" in refused(
        settings, document
    )


def test_a_name_that_yaml_reads_as_false_is_told_with_what_to_do(settings):
    document = workflow(container("main"), arguments={"parameters": [{"name": False, "value": "1"}]})
    (found,) = (one for one in examine(settings, None, document).findings if one.verdict == "problem")
    assert found.message.startswith("the workflow would be refused: json: cannot unmarshal bool")
    assert found.fix.startswith("quote the value")


def test_a_port_of_the_machine_that_is_taken(settings):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        mapped = workflow(container("a", ports=[{"containerPort": 80, "hostPort": port}]))
        (finding,) = warnings(assert_ready(settings, None, mapped))
        assert f"port {port} of this machine" in finding.message
        own = workflow(container("a", ports=[{"containerPort": port}]))
        assert warnings(assert_ready(settings, None, own)) == [], "a pod has an address of its own"
        own["spec"]["hostNetwork"] = True
        assert len(warnings(assert_ready(settings, None, own))) == 1
    assert warnings(assert_ready(settings, None, own)) == []


def test_a_folder_that_a_run_makes_is_told_and_one_that_is_not_mounted_is_not(settings, tmp_path):
    def findings(*templates, path=tmp_path / "new" / "er", **spec):
        document = workflow(*templates, **(spec or mounts(str(path), "")))
        return [(one.verdict, one.message) for one in examine(settings, None, document).findings if "host" in one.check]

    (found,) = findings(container("a", **MOUNTED))
    assert found[0] == "warning"
    assert "an empty folder will be created there" in found[1]
    assert not (tmp_path / "new").exists()
    assert findings(container("a")) == []
    assert findings(container("a", **MOUNTED), path=tmp_path) == []
    below = {"name": "b", "hostPath": {"path": f"{tmp_path}/new/er/deep", "type": "Directory"}}
    both = [{"name": "h", "mountPath": "/h"}, {"name": "b", "mountPath": "/b"}]
    made_by_another = findings(
        container("a", volumeMounts=both), volumes=[*mounts(str(tmp_path / "new" / "er"), "")["volumes"], below]
    )
    assert [verdict for verdict, _ in made_by_another] == ["warning"]


def test_all_faults_are_told_in_one_pass(settings):
    templates = [template for name, (more, *_) in FAULTS.items() for template in more if name != "template"]
    for number, template in enumerate(templates):
        template["name"] = f"t{number}"
    spec = {name: value for _, (_, more, *_) in FAULTS.items() for name, value in more.items()}
    findings = examine(settings, None, workflow(*templates, **spec)).findings
    wrong = [finding for finding in findings if finding.verdict in ("problem", "warning")]
    for name, (_, _, check, _, message, fix) in FAULTS.items():
        if name != "template":
            assert any(one.check == check and message in one.message and fix in one.fix for one in wrong), name
    with pytest.raises(ResourceError, match="nothing was submitted"):
        assert_ready(settings, None, workflow(*templates, **spec))


def test_what_is_never_called_lacks_nothing(settings):
    document = workflow(container("a"))
    document["spec"]["templates"] += [
        template for name in ("image", "secret", "claim") for template in FAULTS[name][0][:1]
    ]
    document["spec"]["templates"][-1] = container("unused", image="lab/never:1")
    document["spec"]["templates"][-2] = container("unused-too", **key("secret", "no-secret", "k"))
    document["spec"]["templates"][-3] = calls({"name": "nowhere", "template": "t"})
    assert warnings(assert_ready(settings, None, document)) == []


@pytest.mark.parametrize("where", ["onExit", "hooks", "task hook", "inline", "nested"])
def test_what_is_called_in_another_way_is_looked_at(settings, where):
    bad = container("bad", image="lab/hook:1")
    document = workflow(container("a"))
    task = document["spec"]["templates"][0]["dag"]["tasks"][0]
    document["spec"]["templates"].append(bad)
    if where == "onExit":
        document["spec"]["onExit"] = "bad"
    elif where == "hooks":
        document["spec"]["hooks"] = {"exit": {"template": "bad"}}
    elif where == "task hook":
        task["hooks"] = {"exit": {"template": "bad"}}
    elif where == "inline":
        document["spec"]["templates"].pop()
        task.pop("template")
        task["inline"] = {"container": bad["container"]}
    else:
        document["spec"]["templates"].append({"name": "middle", "steps": [[{"name": "s", "template": "bad"}]]})
        task["template"] = "middle"
    assert "lab/hook:1" in refused(settings, document)


def test_a_workflow_of_a_stored_template_is_looked_at(settings):
    document = {
        "kind": "Workflow",
        "metadata": {},
        "spec": {"workflowTemplateRef": {"name": "library"}, "entrypoint": "bad"},
    }
    assert "lab/stored:1" in refused(settings, document)
    document["spec"]["entrypoint"] = "good"
    assert warnings(assert_ready(settings, None, document)) == []
    document["spec"]["workflowTemplateRef"]["name"] = "absent"
    assert 'WorkflowTemplate "absent" does not exist' in refused(settings, document)


def test_what_stands_in_the_same_file_is_there(settings):
    named = container("a", **key("configMap", "of-the-file", "k"))
    document = workflow(named, {**calls({"name": "of-the-file", "template": "main"}), "name": "b"}, **CLAIM)
    siblings = [
        {"kind": "ConfigMap", "metadata": {"name": "of-the-file"}, "data": {"k": "v"}},
        {"kind": "PersistentVolumeClaim", "metadata": {"name": "absent"}, "spec": {}},
        {"kind": "WorkflowTemplate", "metadata": {"name": "of-the-file"}, "spec": {"templates": [MAIN]}},
    ]
    assert len(refused(settings, document)) > 0
    assert warnings(assert_ready(settings, None, [*siblings, document])) == []
    assert not examine(settings, None, [*siblings, document]).problems


def test_what_the_environment_and_the_settings_describe_is_made(settings):
    document = workflow(container("c"), **CLAIM)
    environment = Environment(persisted_volume=PersistedVolume("absent"))
    assert warnings(assert_ready(settings, environment, document)) == []


def test_a_server_that_was_started_with_a_table_of_its_own_knows_its_images(settings, tmp_path, monkeypatch):
    document = workflow(container("a", image="lab/table:1"))
    assert "lab/table:1" in refused(settings, document)
    file = os.path.join(settings.state, "server.json")
    with open(file, encoding="utf-8") as opened:
        known = json.load(opened)
    assert known["images"] == {"*": {"policy": "stand-in"}}, "what tests/conftest.py says"
    monkeypatch.setattr(
        "hera_utils.preflight.local_images.read_server_json", lambda state: {"images": {"lab/table:*": {}}}
    )
    assert warnings(assert_ready(settings, None, document)) == []


# --- reading -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a, b.c as d\nfrom e.f import g", {"a", "b", "e"}),
        ("from . import a\nfrom .b import c", set()),
        ("try:\n  import a\nexcept ImportError:\n  a = None", set()),
        ("if False:\n  import a", set()),
        ("def f():\n  import a", set()),
        ("with x:\n  import a\nfor i in y:\n  import b", {"a", "b"}),
        ("x = {{inputs.parameters.n}}\nimport a", {"a"}),
        ("print 'python 2'", set()),
        ("", set()),
        ("\x00", set()),
    ],
)
def test_what_a_script_surely_imports(source, names):
    assert modules_imported_by(source) == names


def test_what_a_function_of_heras_runner_surely_imports(tmp_path):
    (tmp_path / "study.py").write_text(
        "import surely_a\nfrom model import energy\nfrom inner.deep import x\n"
        "def one():\n  import surely_b.c\n  if True:\n    import perhaps\n"
        "def two():\n  import surely_not\n"
    )
    (tmp_path / "model.py").write_text("import surely_d, study\ntry:\n  import perhaps\nexcept ImportError: pass\n")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "__init__.py").write_text("import json")
    (tmp_path / "inner" / "deep.py").write_text("from . import other\nfrom .other import y\n")
    (tmp_path / "inner" / "other.py").write_text("import surely_e")
    found = modules_imported_by_runner("study", "one", tmp_path) - {"json"}
    assert found == {"hera", "surely_a", "surely_b", "surely_d", "surely_e"}
    assert modules_imported_by_runner("elsewhere", "one", tmp_path) == {"hera"}


def test_a_package_that_a_function_of_heras_runner_needs_is_told_before_its_run(settings, tmp_path, monkeypatch):
    (tmp_path / "study.py").write_text("def compute():\n    import surely_not_there\n")
    monkeypatch.setattr("hera_utils.preflight.local_workflow._folder_of_script", lambda: tmp_path)
    runner = script("compute", "{{inputs.parameters}}", args=["-m", "hera.workflows.runner", "-e", "study:compute"])
    (told,) = [one for one in warnings(assert_ready(settings, None, workflow(runner))) if one.check == "packages"]
    assert told.message.startswith("compute imports surely_not_there, which the Python of its tasks does not have")
    assert told.fix.endswith(" -m pip install surely_not_there")


def test_what_an_interpreter_lacks(tmp_path, monkeypatch):
    import sys

    (tmp_path / "beside.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert missing_modules(sys.executable, ["beside", "surely_not_there", "click", "json"]) == [
        "beside",
        "surely_not_there",
    ]
    assert missing_modules(sys.executable, []) == []
    assert missing_modules("/no/such/python", ["click"]) == []
    assert "runner" in how_to_install(sys.executable, "beside", tmp_path)
    assert how_to_install("py", "sklearn", tmp_path) == "py -m pip install scikit-learn"


def test_templates_that_call_each_other_end():
    document = workflow({"name": "a", "steps": [[{"name": "b", "template": "a"}]]})
    assert [template["name"] for template in reach_of(document, lambda kind, name: None).spec["templates"]] == [
        "all",
        "a",
    ]


def test_what_stands_in_is_said_once_and_kept_for_the_run(settings):
    document = workflow(
        container("a"), script("b", "print(1)", image="python:3"), container("c", image="{{workflow.name}}")
    )
    (said,) = assert_ready(settings, None, document)
    assert said.verdict == "good"
    assert "busybox (this machine's programs)" in said.message
    assert f"python:3 (Python {platform.python_version()})" in said.message
    assert assert_ready(settings, None, document) == []
    annotations = stamp_of(settings).annotations()
    decisions = json.loads(annotations[IMAGE_DECISIONS])
    assert decisions["busybox"] == {"stand_in": {"cmd": ["sh"]}, "reason": "this machine's programs"}
    assert set(decisions) >= {"busybox", "python:3"}


@pytest.mark.parametrize(
    ("policy", "image", "runs"),
    [
        ("stand-in", "debian:12", True), ("never", "debian:12", False), ("pull", "busybox", False), ("never", "busybox", True),
        ("here", "lab/solver:1", True), ("auto", "lab/solver:1", False), ("never", "python:3.1", True), ("pull", "python:3", False),
    ],
)  # fmt: skip
def test_a_policy_of_the_settings(settings, policy, image, runs):
    settings.images = policy_for_all(policy)
    template = container("a", image=image) if image == "busybox" else script("a", "print(1)", image=image)
    said = refused(settings, workflow(template))
    assert isinstance(said, list) == runs, said
    if not runs:
        assert f'"{image}" is not on this machine' in said


def test_a_python_that_is_not_there_stands_in_for_nothing(settings):
    document = workflow(script("a", "print(1)", image="python:3"))
    settings.python = "python-of-nobody"
    assert "is not on this machine: python-of-nobody" in refused(settings, document)
    settings.python = None
    settings.images = {"python:*": {"python": "/no/such/python"}}
    assert "is not on this machine: /no/such/python" in refused(settings, document)


def test_the_images_of_a_workflow_that_a_resource_template_creates(settings):
    """They were not looked at, and the created workflow did not have the decisions of the run."""
    inner = workflow(container("a", image="{{workflow.parameters.image}}"), container("b", image="lab/inner:1"))
    inner["spec"]["arguments"] = {"parameters": [{"name": "image", "value": "{{workflow.parameters.image}}"}]}
    manifest = yaml.safe_dump({"apiVersion": "argoproj.io/v1alpha1", **inner})
    document = workflow({"name": "make", "resource": {"action": "create", "manifest": manifest}})
    document["spec"]["arguments"] = {"parameters": [{"name": "image", "value": "lab/given:1"}]}
    said = refused(settings, document)
    assert "spec.templates[b].container.image of the workflow that make creates" in said
    assert 'the image "lab/given:1" is not on this machine' in said
    settings.images = {"lab/*": {"cmd": ["sh"]}}
    assert warnings(assert_ready(settings, None, document)) == []
    assert {"lab/given:1", "lab/inner:1"} <= set(json.loads(stamp_of(settings).annotations()[IMAGE_DECISIONS]))


def test_stored_templates_that_create_each_other_end():
    inner = {"kind": "Workflow", "spec": {"workflowTemplateRef": {"name": "w"}}}
    make = {"name": "make", "resource": {"action": "create", "manifest": json.dumps(inner)}}
    stored = {"spec": {"entrypoint": "make", "templates": [make]}}
    assert [name for name, _ in reach_of(inner, lambda kind, name: stored).children] == ["make"]


def test_all_images_that_lack_are_refused_at_once(settings):
    said = refused(
        settings,
        workflow(container("a", image="debian:12"), container("b", image="node:22"), container("c", image="Bad//x")),
    )
    assert "3 problems" in said
    assert all(image in said for image in ("debian:12", "node:22", "Bad//x"))


def test_the_lines_for_a_table_of_images_stand_together(settings):
    images = ("lab/solver:1", "lab/mesher:2", "lab/plots")
    said = refused(settings, workflow(*(container(image.split(":")[0][4:], image=image) for image in images)))
    lines = "".join(f'\n        "{image}": {{python: current}}' for image in images)
    assert f"--images FILE{lines}" in said
    assert said.count("hera-utils image import FILE") == 1


def test_an_image_that_a_parameter_of_the_workflow_names(settings):
    document = workflow(
        container("a", image="{{workflow.parameters.image}}:{{ workflow.parameters.tag }}"),
        container("b", image="{{x}}"),
    )
    document["spec"]["arguments"] = {
        "parameters": [{"name": "image", "value": "lab/solver"}, {"name": "tag", "value": 7}]
    }
    said = refused(settings, document)
    assert 'the image "lab/solver:7" is not on this machine' in said
    assert "a parameter of the workflow names it" in said
    document["spec"]["arguments"]["parameters"][0]["value"] = "busybox"
    assert warnings(assert_ready(settings, None, document)) == []
