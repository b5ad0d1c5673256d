"""Workflow files: what is read, in which order, and how a wrong one is told."""

import pytest

from hera_utils.cli.documents import files_of, read_documents
from hera_utils.cli.parameters import parameters, read_parameters, with_parameters
from hera_utils.errors import HeraUtilsError, SettingsError


def read(tmp_path, text):
    path = tmp_path / "w.yaml"
    path.write_text(text)
    return read_documents(path)


def test_templates_come_before_what_uses_them(tmp_path):
    text = (
        "kind: Workflow\nmetadata: {name: a}\n---\nkind: WorkflowTemplate\nmetadata: {name: b}\n---\n\n---\nspec: {}\n"
    )
    kinds = [(document["kind"], document["metadata"].get("name")) for document in read(tmp_path, text)]
    assert kinds == [("WorkflowTemplate", "b"), ("Workflow", "a"), ("Workflow", None)]


def test_json_is_yaml(tmp_path):
    assert read(tmp_path, '{"kind": "Workflow", "spec": {"entrypoint": "a"}}')[0]["spec"] == {"entrypoint": "a"}


def test_a_date_stays_text(tmp_path):
    assert (
        read(tmp_path, "metadata: {annotations: {day: 2026-01-01}}")[0]["metadata"]["annotations"]["day"]
        == "2026-01-01"
    )


def test_numbers_are_those_of_the_argo_command(tmp_path):
    text = "spec: {arguments: {parameters: [{name: a, value: 1e-3}, {name: b, value: 12:30}, {name: c, value: 2.0}]}}"
    assert [one["value"] for one in read(tmp_path, text)[0]["spec"]["arguments"]["parameters"]] == [0.001, "12:30", 2]


def test_a_key_that_stands_twice(tmp_path):
    text = "spec:\n  entrypoint: a\n  entrypoint: b\n"
    with pytest.raises(HeraUtilsError, match="line 3: .* the key `entrypoint` stands on line 2 already"):
        read(tmp_path, text)
    (tmp_path / "w.yaml").write_text(text)
    assert read_documents(tmp_path / "w.yaml", strict=False)[0]["spec"] == {"entrypoint": "b"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1, 2", "not valid YAML"),
        ("just words", "not an object but text"),
        ("- 1", "not an object but a list"),
        ("", "holds no document"),
        ("spec: 3", "`spec` is not an object but a number"),
        ("kind: [Workflow]", "`kind` is not text but a list"),
        ("metadata: {}\n---\n[]", "document 2 is not an object"),
    ],
)
def test_a_wrong_file(tmp_path, text, words):
    with pytest.raises(HeraUtilsError) as told:
        read(tmp_path, text)
    assert words in str(told.value)
    assert "w.yaml" in str(told.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(SettingsError, match="no such file"):
        read_documents(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HeraUtilsError, match="binary.yaml"):
        read_documents(tmp_path / "binary.yaml")


def test_parameters_replace_those_of_the_file():
    document = {"spec": {"arguments": {"parameters": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]}}}
    given = parameters(["-p", "a=x=y", "--parameter=c=3", "-pd=4"])
    assert with_parameters(document, given)["spec"]["arguments"]["parameters"] == [
        {"name": "b", "value": "2"},
        {"name": "a", "value": "x=y"},
        {"name": "c", "value": "3"},
        {"name": "d", "value": "4"},
    ]
    with pytest.raises(SettingsError, match="--fast"):
        parameters(["--fast"])
    with pytest.raises(SettingsError, match="NAME=VALUE|not a parameter"):
        with_parameters(document, ["a"])


def test_a_parameter_file_is_laid_under_the_command_line(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("word: hello\ncount: 3\nflag: true\nnothing: null\nlist: [1, 'a b']\nday: 2026-01-01\n")
    assert read_parameters(path) == [
        "word=hello", "count=3", "flag=true", "nothing=null", 'list=[1,"a b"]', "day=2026-01-01",
    ]  # fmt: skip
    last = parameters(["-p", "word=mine"], path)
    given = with_parameters({"spec": {}}, last)["spec"]["arguments"]["parameters"]
    assert {"name": "word", "value": "mine"} in given
    assert len(given) == 6


def test_a_parameter_file_is_refused_in_the_words_of_a_workflow_file(tmp_path):
    path = tmp_path / "p.yaml"
    for content, words in ((b"a: 1\nb: [1,", "p.yaml, line 3: not valid YAML: "), (b"\xff\xfe", "is not UTF-8 text")):
        path.write_bytes(content)
        for reader in (read_parameters, read_documents):
            with pytest.raises(HeraUtilsError, match=words):
                reader(path)


@pytest.mark.parametrize("text", ["- a", "a: [", "just words", ""])
def test_a_wrong_parameter_file(tmp_path, text):
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match="p.yaml"):
        read_parameters(path)
    with pytest.raises(SettingsError, match="no such file"):
        read_parameters(tmp_path / "absent.yaml")


def test_a_field_that_argo_does_not_know_is_refused_with_its_line(tmp_path):
    text = (
        "kind: Workflow\nspec:\n  entrypoint: a\n  synchronization:\n    mutex: {name: m}\n  templates:\n"
        "  - name: a\n    retryStrategi: {limit: 2}\n    container:\n      image: x\n      imagee: y\n"
    )
    with pytest.raises(HeraUtilsError) as refusal:
        read(tmp_path, "kind: ConfigMap\nmetadata: {name: c}\nanything: goes\n---\n" + text)
    said = str(refusal.value)
    assert "line 9: unknown field `spec.synchronization.mutex`: removed in Argo 4.0; write mutexes" in said
    assert "line 12: unknown field `spec.templates[0].retryStrategi`: did you mean `retryStrategy`?" in said
    assert "line 15: unknown field `spec.templates[0].container.imagee`: did you mean `image`?" in said
    (tmp_path / "w.yaml").write_text(text)
    assert read_documents(tmp_path / "w.yaml", strict=False)[0]["spec"]["entrypoint"] == "a"


def test_a_field_behind_an_anchor_is_refused_without_a_line(tmp_path):
    merged = "kind: Workflow\nmetadata: {annotations: &base {entrypointt: a}}\nspec: {<<: *base}\n"
    with pytest.raises(HeraUtilsError, match="w.yaml, unknown field `spec.entrypointt`"):
        read(tmp_path, merged)


def test_a_template_comes_before_the_one_that_calls_it(tmp_path):
    def template(name, calls):
        called = f"templateRef: {{name: {calls}, template: m}}"
        return f"kind: WorkflowTemplate\nmetadata: {{name: {name}}}\nspec: {{templates: [{{name: m, steps: [[{{name: s, {called}}}]]}}]}}"

    text = "\n---\n".join([template("a", "b"), template("b", "c"), template("c", "elsewhere"), template("d", "d")])
    assert [document["metadata"]["name"] for document in read(tmp_path, text)] == ["c", "b", "a", "d"]


def test_files_of_folders(tmp_path):
    texts = {
        "b.yaml": "kind: Workflow\n",
        "sub/a.yml": "metadata: {}\nspec: {}\n",
        "sub/j.json": '{"apiVersion": "v1", "kind": "ConfigMap"}',
        "sub/pretty.json": '{\n  "kind": "Workflow"\n}',
        "broken.yaml": "kind: [",
        "binary.yaml": b"\xff",
        "c.txt": "kind: Workflow",
        "compose.yaml": "services: {web: {image: x}}\n",
        "package.json": '{"name": "x"}',
        "runs/w/run.json": '{"kind": "Workflow"}',
        ".hidden/w.yaml": "kind: Workflow\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    found = [path.relative_to(tmp_path).as_posix() for path in files_of([tmp_path])]
    assert found == ["b.yaml", "binary.yaml", "broken.yaml", "sub/a.yml", "sub/j.json", "sub/pretty.json"]
    assert list(files_of([tmp_path / "x.py"])) == [tmp_path / "x.py"], "what is named is looked at"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: Worfklow\nspec: {}", "did you mean `Workflow`?"),
        ("kind: CronWorkflows\nspec: {}", "did you mean `CronWorkflow`?"),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Sensors", "Argo has: "),
        ("services: {web: {}}", "it has no `kind`"),
    ],
)
def test_a_kind_that_there_is_not(tmp_path, text, words):
    with pytest.raises(HeraUtilsError) as refusal:
        read(tmp_path, text)
    assert words in f"{refusal.value} {refusal.value.fix}"


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        *((version, kind) for version in ("x/v1", "v1") for kind in ("Role", "Deployment", "ServiceAccount")),
        *(("argoproj.io/v1alpha1", kind) for kind in ("WorkflowEventBinding", "Sensor", "Application", "Rollout")),
        ("v1", "PersistentVolume"),
        ("triggers.tekton.dev/v1", "ClusterTriggerTemplate"),
    ],
)
def test_other_kinds_are_read(tmp_path, version, kind):
    assert read(tmp_path, f"apiVersion: {version}\nkind: {kind}\nmetadata: {{}}")[0]["kind"] == kind
