"""The server's choice for a pod's images: the client's decision, or else its own."""

from __future__ import annotations

import json
import platform
from typing import Any

import pytest

from hera_utils.argo.annotations import IMAGE_DECISIONS, IMAGES
from hera_utils.errors import ResourceError, SettingsError
from hera_utils.image_policies import policy_for_all
from hera_utils.images.table import ImageTable
from hera_utils.local_platform.pods.image_choice import ImageChooser
from hera_utils.local_platform.pods.runtime import Launch

OWN = f"{platform.python_version()}"
MINOR = ".".join(OWN.split(".")[:2])


def launch(image: str, *command: str, script: str | None = None, **annotations: Any) -> Launch:
    container = {"name": "main", "image": image, "command": list(command)}
    template = {"script": {"source": script}} if script is not None else {}
    texts = {name.replace("_", "-"): json.dumps(value) for name, value in annotations.items()}
    return Launch("run", "node", {"spec": {"containers": [container]}}, template, annotations=texts)


def settings(pod: Launch, **table: Any) -> dict[str, Any]:
    chooser = ImageChooser(ImageTable(table), "/usr/bin:/bin")
    return chooser.settings(pod.pod["spec"]["containers"][0]["image"], pod)


def test_without_a_word_of_the_client_the_server_decides_and_says_so() -> None:
    same = settings(launch(f"python:{MINOR}", "python", script="print(1)"))
    assert same["python"] == "current"
    assert f"python:{MINOR}: Python {OWN}" in same["stand_in"]
    assert settings(launch("busybox", "echo"))["stand_in"].endswith("this machine's programs")
    assert settings(launch("busybox", "bash")) == {"pull": "busybox"}
    assert settings(launch("lab/x:1", "solver")) == {"pull": "lab/x:1"}
    assert settings(launch("python:3.1", "python")) == {
        "pull": "python:3.1",
        "otherwise": {"python": "current", "cmd": ["python3"]},
    }


def test_the_servers_table_and_the_workflows_own() -> None:
    pod = launch("lab/x:1", "solver")
    assert settings(pod, **{"lab/*": {"cmd": ["a"]}})["cmd"] == ["a"]
    assert settings(pod, **{"lab/*": {"policy": "never"}}) == {"pull": "lab/x:1", "registry": False}
    own = Launch("run", "node", pod.pod, {}, annotations={IMAGES: json.dumps({"lab/x:1": {"cmd": ["b"]}})})
    assert settings(own, **{"lab/*": {"cmd": ["a"]}})["cmd"] == ["b"]


def test_what_the_client_decided_is_obeyed() -> None:
    decisions = {
        "lab/x:1": {"stand_in": {"cmd": ["c"]}, "reason": "so"},
        "busybox": {"pull": "busybox", "digest": "sha256:1"},
    }
    for image, expected in (("lab/x:1", {"cmd": ["c"]}), ("busybox", {"pull": "busybox"})):
        pod = launch(image, "echo")
        pod.annotations[IMAGE_DECISIONS] = json.dumps(decisions)
        assert settings(pod) == expected, "and its own event says it, not each pod's"
    other = launch("alpine", "echo")
    other.annotations[IMAGE_DECISIONS] = json.dumps(decisions)
    assert settings(other)["cmd"] == ["/bin/sh"], "an image that only the run knows ({{…}})"


def test_here_means_scripts_in_python_alone() -> None:
    table = policy_for_all("here")
    assert settings(launch("lab/x:1", "python", script="print(1)"), **table)["python"] == "current"
    assert settings(launch("lab/x:1", "python", "-m", "lab"), **table) == {"pull": "lab/x:1"}


def test_what_cannot_run_fails_with_a_sentence() -> None:
    with pytest.raises(ResourceError, match='no substitute for the image "lab/x:1"'):
        settings(launch("lab/x:1", "solver"), **policy_for_all("stand-in"))
    with pytest.raises(ResourceError, match="a Python with packages, which is not made"):
        settings(launch("python:3.12", "python"), **{"python*": {"python": "3.12", "requirements": ["numpy"]}})
    for text, message in (
        ("{", "does not say what happens to images"),
        ('{"lab/x:1": {"stand_in": {"cmd": 3}}}', 'image-decisions: "cmd" of "lab/x:1" must be a list'),
    ):
        pod = launch("lab/x:1", "solver")
        pod.annotations[IMAGE_DECISIONS] = text
        with pytest.raises(SettingsError, match=message):
            settings(pod)
