from __future__ import annotations

import json
from pathlib import Path

import pytest

from hera_utils.errors import SettingsError
from hera_utils.image_policies import POLICIES
from hera_utils.images.table import ImageTable, TableEntry

NOTHING = TableEntry()


def table(tmp_path: Path, text: str) -> ImageTable:
    path = tmp_path / "images.yaml"
    path.write_text(text)
    return ImageTable.from_environment({"HERA_UTILS_IMAGES": str(path)})


def stand_in(**settings: object) -> TableEntry:
    return TableEntry("auto", settings)


def test_the_longest_glob_wins(tmp_path: Path) -> None:
    images = table(tmp_path, '"tool*": {cmd: [a]}\n"tool:1*": {cmd: [b]}\n"tool:1.2": {cmd: [c]}\n')
    found = [images.entry(image) for image in ("tool:9", "tool:1.3", "tool:1.2")]
    assert found == [stand_in(cmd=["a"]), stand_in(cmd=["b"]), stand_in(cmd=["c"])]


def test_an_image_that_no_entry_names(tmp_path: Path) -> None:
    images = table(tmp_path, '"alpine*": {cmd: [x]}\n')
    assert images.entry("docker.io/library/alpine:3") == stand_in(cmd=["x"])
    assert images.entry("nobody/knows") == NOTHING
    assert ImageTable().entry("alpine") == NOTHING


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    entry = table(tmp_path, '"a": {path: [bin], files: {/tool: bin/tool}}\n').entry("a")
    assert entry == stand_in(path=[str(tmp_path / "bin")], files={"/tool": str(tmp_path / "bin" / "tool")})


def test_a_workflows_own_table_stands_first(tmp_path: Path) -> None:
    images = table(tmp_path, '"a*": {cmd: [file]}\n')
    assert images.entry("a:1", json.dumps({"a*": {"cmd": ["own"]}})) == stand_in(cmd=["own"])
    assert images.entry("a:1") == stand_in(cmd=["file"])


def test_an_empty_entry_is_this_machines_programs(tmp_path: Path) -> None:
    assert table(tmp_path, '"a": {}').entry("a") == stand_in()


@pytest.mark.parametrize(
    ("entry", "policy"),
    [
        ("pull", "pull"),
        ("{pull: true}", "pull"),
        ("{pull: false}", "never"),
        ("{policy: here}", "here"),
        ("stand-in", "stand-in"),
    ],
)
def test_a_policy_of_some_images(tmp_path: Path, entry: str, policy: str) -> None:
    images = table(tmp_path, f'"lab/*": {entry}\n')
    assert images.entry("lab/x:1") == TableEntry(policy, None)
    assert images.entry("other/x:1") == NOTHING


def test_a_policy_for_all_images_counts_after_every_entry(tmp_path: Path) -> None:
    images = table(tmp_path, '"lab/*": {cmd: [x]}\n"*": never\n')
    everything = json.dumps({"*": {"policy": "pull"}})
    assert images.entry("lab/x") == images.entry("lab/x", everything) == stand_in(cmd=["x"])
    assert images.entry("other") == TableEntry("never", None)
    assert images.entry("other", everything) == TableEntry("pull", None)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_variable_may_hold_a_policy(policy: str) -> None:
    assert ImageTable.from_environment({"HERA_UTILS_IMAGES": policy}).entry("any/thing") == TableEntry(policy, None)


def test_a_stand_in_with_its_policy_is_a_stand_in(tmp_path: Path) -> None:
    assert table(tmp_path, '"a": {policy: stand-in, cmd: [x]}').entry("a") == TableEntry("stand-in", {"cmd": ["x"]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "must map image names to settings"),
        ('"a": 3', 'the settings of "a" must be a mapping'),
        ('"a": pul', 'the settings of "a" must be a mapping'),
        ('"a": {command: [x]}', 'unknown setting "command"'),
        ('"a": {cmd: x}', '"cmd" of "a" must be a list of texts'),
        ("a: {cmd: [x", "is not YAML"),
        ('"a": {policy: docker}', 'unknown policy "docker"'),
        ('"a": {policy: pull, cmd: [x]}', 'both a stand-in and the policy "pull"'),
        ('"a": {pull: maybe}', '"pull" of "a" must be true or false'),
        ('"a": {pull: true, policy: never}', '"pull" of "a" must be true or false'),
    ],
)
def test_a_wrong_table_is_refused_with_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        table(tmp_path, text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_table_that_is_not_there() -> None:
    with pytest.raises(SettingsError, match="cannot be read") as refused:
        ImageTable.from_environment({"HERA_UTILS_IMAGES": "/no/such.yaml"})
    assert "stand-in" in (refused.value.fix or "")


@pytest.mark.parametrize("annotation", ["{", "[]", '{"a": {"policy": "x"}}'])
def test_a_wrong_annotation_is_refused(annotation: str) -> None:
    with pytest.raises(SettingsError, match="the image table of the workflow"):
        ImageTable().entry("a", annotation)
