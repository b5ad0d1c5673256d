"""Workflow files: what is read, in which order, and how a wrong one is told."""

import pytest

from hera_utils.cli.documents import files_of, read_documents, with_parameters
from hera_utils.cli.run import parameters
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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1, 2", "not legal YAML"),
        ("just words", "no object but text"),
        ("- 1", "no object but a list"),
        ("", "holds no document"),
        ("spec: 3", "`spec` is no object but a number"),
        ("kind: Deployment", "is a Deployment"),
        ("metadata: {}\n---\n[]", "document 2 is no object"),
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
    with pytest.raises(SettingsError, match="NAME=VALUE|no parameter"):
        with_parameters(document, ["a"])


def test_files_of_folders(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.yaml", "sub/a.yml", "c.txt"):
        (tmp_path / name).write_text("")
    assert [path.name for path in files_of([tmp_path, tmp_path / "x.py"])] == ["b.yaml", "a.yml", "x.py"]
