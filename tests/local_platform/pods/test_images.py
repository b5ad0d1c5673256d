from __future__ import annotations

from pathlib import Path

from stage import Stage

from hera_utils.images.table import ImageTable


def table(tmp_path: Path, text: str) -> ImageTable:
    path = tmp_path / "images.yaml"
    path.write_text(text)
    return ImageTable.from_environment({"HERA_UTILS_IMAGES": str(path)})


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
