from __future__ import annotations

import json
from pathlib import Path

import pytest
from stage import Stage

from hera_utils.errors import SettingsError
from hera_utils.local_platform.pods.images import ImageTable, defaults


def table(tmp_path: Path, text: str) -> ImageTable:
    path = tmp_path / "images.yaml"
    path.write_text(text)
    return ImageTable.from_environment({"HERA_UTILS_IMAGES": str(path)})


def test_the_longest_glob_wins(tmp_path: Path) -> None:
    images = table(tmp_path, '"tool*": {cmd: [a]}\n"tool:1*": {cmd: [b]}\n"tool:1.2": {cmd: [c]}\n')
    assert [images.lookup(i) for i in ("tool:9", "tool:1.3", "tool:1.2")] == [
        {"cmd": ["a"]},
        {"cmd": ["b"]},
        {"cmd": ["c"]},
    ]


def test_the_file_stands_before_the_defaults(tmp_path: Path) -> None:
    images = table(tmp_path, '"alpine*": {cmd: [x]}\n')
    assert images.lookup("alpine:3") == {"cmd": ["x"]}
    assert images.lookup("python:3.11") == defaults()["python:*"]
    assert images.lookup("docker.io/library/python:3.11") == defaults()["python:*"]
    assert images.lookup("nobody/knows") is None


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    entry = table(tmp_path, '"a": {path: [bin], files: {/tool: bin/tool}}\n').lookup("a")
    assert entry == {"path": [str(tmp_path / "bin")], "files": {"/tool": str(tmp_path / "bin" / "tool")}}


def test_a_workflows_own_table_stands_first(tmp_path: Path) -> None:
    images = table(tmp_path, '"a*": {cmd: [file]}\n')
    assert images.lookup("a:1", json.dumps({"a*": {"cmd": ["own"]}})) == {"cmd": ["own"]}
    assert images.lookup("a:1") == {"cmd": ["file"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "must map image names to settings"),
        ('"a": 3', 'the settings of "a" must be a mapping'),
        ('"a": {command: [x]}', 'unknown setting "command"'),
        ('"a": {cmd: x}', '"cmd" of "a" must be a list of texts'),
        ("a: {cmd: [x", "is not YAML"),
    ],
)
def test_a_wrong_table_is_refused_with_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        table(tmp_path, text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_table_that_is_not_there() -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        ImageTable.from_environment({"HERA_UTILS_IMAGES": "/no/such.yaml"})


def test_entrypoint_cmd_path_files_env_and_hidden_programs(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("tool", "helper"):
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / "bin" / name).chmod(0o755)
    images = table(
        tmp_path,
        '"entry*": {entrypoint: [/tool], cmd: [default], files: {/tool: bin/tool}}\n'
        '"path*": {cmd: [helper, x], path: [bin], env: {COLOUR: blue}}\n'
        '"small*": {cmd: [sh], hide: [bash, env]}\n',
    )
    stage = Stage(tmp_path / "state", images=images)

    def lines(**main: object) -> list[str]:
        pod = stage.pod(main)
        stage.run(pod)
        return stage.log(pod)

    assert lines(image="entry:1") == ["tool default"]
    assert lines(image="entry:1", args=["given"]) == ["tool given"]
    assert lines(image="entry:1", command=["/tool", "own"]) == ["tool own"]
    assert lines(image="path:1") == ["helper x"]
    assert lines(image="path:1", command=["sh", "-c", "echo $COLOUR; helper y"]) == ["blue", "helper y"]
    for _ in range(2):
        assert (
            lines(
                image="small",
                command=[
                    "sh",
                    "-c",
                    "command -v bash || echo none; ls /usr/bin/env /bin/bash; command -v ls >/dev/null && echo ls",
                ],
            )[0]
            == "none"
        )
    end = stage.run(stage.pod({"image": "small", "command": ["bash", "-c", "true"]}))
    assert end.containers[0].message == 'failed to find name in PATH: exec: "bash": executable file not found in $PATH'
    assert lines(image="path:1", command=["bash", "-c", "echo bash"]) == ["bash"]
    stage.close()
