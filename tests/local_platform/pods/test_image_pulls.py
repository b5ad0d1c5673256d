"""Pods whose image is pulled from a registry: why they wait, and what they run afterwards."""

from __future__ import annotations

import base64
import dataclasses
import json
import shutil
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stage import Stage, uid

from waiting import until

sys.path.insert(0, str(Path(__file__).parents[2] / "images"))

from registry_server import Registry, layer, sha256

from hera_utils.images import endpoints, registry
from hera_utils.images.login import Logins
from hera_utils.images.pull import pull, this_platform
from hera_utils.images.reference import Reference
from hera_utils.images.store import Store
from hera_utils.images.table import ImageTable
from hera_utils.interpreter.events import PodStarted, PodWaiting
from hera_utils.local_platform.pods import image_pulls, pod_object, references
from hera_utils.local_platform.pods.image_choice import ImageChooser
from hera_utils.local_platform.pods.image_pulls import default_policy
from hera_utils.local_platform.pods.runtime import Launch

Json = dict[str, Any]
BUSYBOX = shutil.which("busybox", path="/bin:/usr/bin")
needs_busybox = pytest.mark.skipif(BUSYBOX is None, reason="no busybox (install busybox-static)")


PULLED = {"*": {"policy": "pull"}}


@pytest.fixture(autouse=True)
def nobody_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "DOCKER_CONFIG",
        "REGISTRY_AUTH_FILE",
        "XDG_RUNTIME_DIR",
        "XDG_CONFIG_HOME",
        endpoints.MIRRORS,
        endpoints.INSECURE,
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(endpoints, "DAEMON_JSON", tmp_path / "daemon.json")
    monkeypatch.setattr(registry, "PULLING", dataclasses.replace(registry.PULLING, attempts=1, first_pause=0.01))
    monkeypatch.setattr(image_pulls, "_FIRST_PAUSE", 2.0)
    monkeypatch.setattr(image_pulls, "_ERROR_SHOWN", 1.2)


@pytest.fixture
def server() -> Iterator[Registry]:
    with Registry() as made:
        yield made


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "state", images=ImageTable(PULLED))
    yield made
    made.close()


def add(server: Registry, tag: str = "1", *, version: str = "1", **config: Any) -> str:
    """Add an image with busybox. Returns its digest."""
    assert BUSYBOX is not None
    files: dict[str, Any] = {
        "bin/": "",
        "etc/": "",
        "bin/busybox": Path(BUSYBOX).read_bytes(),
        "etc/version": f"{version}\n",
    }
    for name in ("sh", "cat", "sleep", "env", "id"):
        link = tarfile.TarInfo(f"bin/{name}")
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        files[link.name] = link
    passwd = layer({"etc/passwd": "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"})
    return server.add_image("lab/tool", tag, [layer(files), passwd], config=config, platform=this_platform())


def image(server: Registry, tag: str = "1") -> str:
    return f"{server.host}/lab/tool:{tag}"


def messages(stage: Stage, node: str) -> list[str]:
    return [event.message for event in stage.events.get(node, ()) if isinstance(event, PodWaiting)]


@needs_busybox
def test_the_image_is_pulled_and_run(stage: Stage, server: Registry) -> None:
    digest = add(server, Cmd=["cat", "/etc/version"], Env=["PATH=/bin"])
    pod = stage.pod({"image": image(server)})
    end = stage.run(pod)
    assert (end.phase, stage.log(pod)) == ("Succeeded", ["1"])
    expected = f"{server.host}/lab/tool@{digest}"
    assert end.containers[0].image_id == expected
    started = next(event for event in stage.events[pod.node_id] if isinstance(event, PodStarted))
    assert [state.image_id for state in started.containers] == [expected]
    status = pod_object.status_when_running(pod.pod, started.at, states=started.containers)
    assert status["containerStatuses"][0]["imageID"] == expected
    status = pod_object.status_when_finished(pod.pod, end, None)
    assert status["containerStatuses"][0]["imageID"] == expected


@needs_busybox
def test_an_image_of_the_store_for_another_kind_of_machine_is_pulled_for_this_one(
    stage: Stage, server: Registry
) -> None:
    add(server, "here", Cmd=["cat", "/etc/version"], Env=["PATH=/bin"])
    other = "linux/riscv64" if this_platform() != "linux/riscv64" else "linux/amd64"
    there = server.add_image("lab/tool", "", [layer({"x": "1"})], platform=other)
    here = sha256(server.manifests["lab/tool", "here"][1])
    server.add_index("lab/tool", "both", {this_platform(): here, other: there})
    store = Store(stage.state / "images")
    pull(Reference.parse(image(server, "both")), store, platform=other, logins=Logins())
    pod = stage.pod({"image": image(server, "both")})
    assert (stage.run(pod).phase, stage.log(pod)) == ("Succeeded", ["1"])


@needs_busybox
def test_many_pods_wait_for_one_pull_and_hold_no_core(tmp_path: Path, server: Registry) -> None:
    add(server)
    server.fail("/blobs/", times=1, bytes_per_second=1_000_000)
    stage = Stage(tmp_path / "state", images=ImageTable(PULLED), cores=1)
    pods = [stage.pod({"image": image(server), "command": ["sh", "-c", "cat /etc/version"]}) for _ in range(12)]
    for pod in pods:
        stage.launch(pod)
    until(lambda: len(stage.runtime.waiting().get("run", {})) == 12)
    assert set(stage.runtime.waiting()["run"].values()) <= {
        text for text in stage.runtime.waiting()["run"].values() if text.startswith(f'Pulling image "{image(server)}"')
    }
    assert any(text.startswith(f'Pulling image "{image(server)}"') for text in messages(stage, pods[0].node_id))
    assert all(stage.finished(pod.node_id).phase == "Succeeded" for pod in pods)
    assert len([request for request in server.asked("GET") if "/blobs/" in request.path]) == 3
    assert len(server.asked("GET /v2/lab/tool/manifests/1")) == 1
    stage.close()


@needs_busybox
def test_a_failure_is_followed_by_a_pause_and_another_try(stage: Stage, server: Registry) -> None:
    pod = stage.pod({"image": image(server), "command": ["sh", "-c", "cat /etc/version"]})
    node = stage.launch(pod)
    until(lambda: any(text.startswith("ErrImagePull: ") for text in messages(stage, node)))
    back_off = f'ImagePullBackOff: Back-off pulling image "{image(server)}": ErrImagePull: '
    until(lambda: any(text.startswith(back_off) for text in messages(stage, node)))
    assert "lab/tool" in messages(stage, node)[-1]
    status = pod_object.status_when_pending(pod.pod, 1.0, message=messages(stage, node)[-1])
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"
    assert status["conditions"][0]["status"] == "True"
    add(server)
    assert stage.finished(node).phase == "Succeeded"


def test_pauses_double_up_to_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    attempt = image_pulls._Pull(image_pulls.WantedImage("a", "a", "IfNotPresent"))
    pauses = []
    for _ in range(8):
        attempt.failures += 1
        pauses.append(attempt.due - attempt.failed_at)
    assert pauses == [10, 20, 40, 80, 160, 300, 300, 300]


def test_a_pod_can_be_killed_while_its_image_is_pulled(stage: Stage, server: Registry) -> None:
    server.fail(".", times=-1, status=503)
    pod = stage.pod({"image": image(server), "command": ["sh"]})
    node = stage.launch(pod)
    until(lambda: messages(stage, node))
    stage.runtime.kill(uid(pod))
    assert stage.finished(node).phase == "Failed"
    assert stage.runtime.waiting() == {}


@needs_busybox
def test_another_server_goes_on_with_the_pull(stage: Stage, server: Registry) -> None:
    add(server)
    server.fail("/blobs/", times=2, bytes_per_second=200_000)
    pod = stage.pod({"image": image(server), "command": ["cat", "/etc/version"]})
    node = stage.launch(pod)
    until(lambda: server.asked("/blobs/"))
    stage.restart()
    server.faults.clear()
    stage.runtime.reattach(pod)
    assert stage.finished(node).phase == "Succeeded"
    assert stage.log(pod) == ["1"]


@needs_busybox
def test_policies(stage: Stage, server: Registry) -> None:
    def version(policy: str | None) -> str:
        more = {} if policy is None else {"imagePullPolicy": policy}
        pod = stage.pod({"image": image(server), "command": ["cat", "/etc/version"], **more})
        assert stage.run(pod).phase == "Succeeded"
        return stage.log(pod)[0]

    never = stage.pod({"image": image(server), "command": ["cat"], "imagePullPolicy": "Never"})
    node = stage.launch(never)
    until(lambda: messages(stage, node))
    until(lambda: any("is not present with pull policy of Never" in text for text in messages(stage, node)))
    assert messages(stage, node)[-1].startswith("ErrImageNeverPull: Container image ")
    add(server, version="1")
    assert version("IfNotPresent") == "1"
    assert stage.finished(node).phase == "Succeeded"
    add(server, version="2")
    assert version(None) == "1"
    assert version("Never") == "1"
    assert version("Always") == "2"
    assert version("IfNotPresent") == "2"


def test_the_default_policy_depends_on_the_tag() -> None:
    digest = "sha256:" + "a" * 64
    expected = {
        "a": "Always",
        "a:latest": "Always",
        "a:1": "IfNotPresent",
        f"a@{digest}": "IfNotPresent",
        "h:5/a": "Always",
    }
    assert {name: default_policy(name) for name in expected} == expected


@needs_busybox
def test_pull_secrets(tmp_path: Path) -> None:
    with Registry(login="basic", users={"me": "s3cret-word"}) as server:
        add(server)
        stage = Stage(tmp_path / "state", images=ImageTable(PULLED))
        denied = stage.pod({"image": image(server), "command": ["cat", "/etc/version"]})
        node = stage.launch(denied)
        until(lambda: any("ErrImagePull" in text for text in messages(stage, node)))
        auths = {"auths": {server.host: {"auth": base64.b64encode(b"me:s3cret-word").decode()}}}
        secret = {
            "metadata": {"name": "door"}, "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": base64.b64encode(json.dumps(auths).encode()).decode()},
        }  # fmt: skip
        pod = stage.pod({"image": image(server), "command": ["cat", "/etc/version"]}, pull_secrets=lambda: (secret,))
        assert stage.run(pod).phase == "Succeeded"
        assert "s3cret-word" not in "".join(
            path.read_text() for path in (tmp_path / "state" / "pods" / uid(pod)).glob("*.json")
        )
        stage.runtime.kill(uid(denied))
        stage.close()


@needs_busybox
def test_a_pull_secret_that_was_changed_counts_for_the_next_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_pulls, "_FIRST_PAUSE", 0.3)

    def secret(password: str) -> Json:
        auth = base64.b64encode(f"me:{password}".encode()).decode()
        text = json.dumps({"auths": {server.host: {"auth": auth}}})
        return {"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": text}}

    with Registry(login="basic", users={"me": "right"}) as server:
        add(server)
        stage = Stage(tmp_path / "state", images=ImageTable(PULLED))
        secrets = [secret("wrong")]
        pod = stage.pod(
            {"image": image(server), "command": ["cat", "/etc/version"]}, pull_secrets=lambda: tuple(secrets)
        )
        node = stage.launch(pod)
        until(lambda: any("ErrImagePull" in text for text in messages(stage, node)))
        secrets[:] = [secret("right")]
        assert stage.finished(node).phase == "Succeeded"
        stage.close()


def test_an_invalid_name(stage: Stage) -> None:
    pod = stage.pod({"image": "Not/A Name", "command": ["true"]})
    node = stage.launch(pod)
    until(lambda: any(text.startswith("InvalidImageName: ") for text in messages(stage, node)))


def test_where_no_registry_answers_what_is_said_to_stand_in_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settings(_: ImageChooser, image: str, launch: Launch) -> Json:
        return {"pull": image, "otherwise": {"cmd": ["sh"]}}

    monkeypatch.setattr(ImageChooser, "settings", settings)
    stage = Stage(tmp_path / "state")
    pod = stage.pod({"image": "127.0.0.1:9/lab/tool:1", "command": ["sh", "-c", "echo here"]})
    end = stage.run(pod)
    assert (end.phase, stage.log(pod)) == ("Succeeded", ["here"])
    assert end.stand_ins == (
        "no registry could be reached for the image 127.0.0.1:9/lab/tool:1: this machine stood in for it",
    )
    stage.close()


@needs_busybox
def test_an_image_that_was_removed_meanwhile_is_pulled_again(tmp_path: Path, server: Registry) -> None:
    add(server)
    stage = Stage(tmp_path / "state", images=ImageTable(PULLED), cores=1)
    first = stage.pod({"image": image(server), "command": ["sleep", "1"]})
    second = stage.pod({"image": image(server), "command": ["cat", "/etc/version"]})
    stage.launch(first)
    stage.started(first.node_id)
    stage.launch(second)
    time.sleep(0.1)
    Store(tmp_path / "state" / "images").remove(Reference.parse(image(server)), dict)
    assert stage.finished(second.node_id).phase == "Succeeded"
    assert stage.log(second) == ["1"]
    stage.close()


@needs_busybox
def test_layers_of_pods_are_in_use(stage: Stage, server: Registry, tmp_path: Path) -> None:
    earlier = threading.enumerate()  # a test before this one may have left a registry that does not answer
    add(server)
    pod = stage.pod({"image": image(server), "command": ["sleep", "60"]})
    stage.launch(pod)
    stage.started(pod.node_id)
    layers = image_pulls.layers_in_use(tmp_path / "state")
    assert sorted(layers) == sorted(str(path) for path in (tmp_path / "state" / "images" / "layers").iterdir())
    assert set(map(tuple, layers.values())) == {(uid(pod),)}
    stage.runtime.kill(uid(pod), force=True)
    stage.finished(pod.node_id)
    assert image_pulls.layers_in_use(tmp_path / "state") == {}
    assert not [thread for thread in threading.enumerate() if thread.name == "image-pull" and thread not in earlier]


def test_the_pull_secrets_are_the_pods_else_its_accounts() -> None:
    objects = {
        ("ServiceAccount", "ns", "robot"): {"imagePullSecrets": [{"name": "of-robot"}, {"name": "gone"}]},
        ("Secret", "ns", "of-robot"): {"metadata": {"name": "of-robot"}},
        ("Secret", "ns", "of-pod"): {"metadata": {"name": "of-pod"}},
    }

    class Model:
        def object(self, key: tuple[str, str, str]) -> Any:
            return SimpleNamespace(text=json.dumps(objects[key])) if key in objects else None

    def names(spec: Json) -> list[str]:
        return [one["metadata"]["name"] for one in references._pull_secrets(Model(), spec, "ns")]  # type: ignore[arg-type]

    assert names({"serviceAccountName": "robot"}) == ["of-robot"]
    assert names({"serviceAccountName": "robot", "imagePullSecrets": [{"name": "of-pod"}]}) == ["of-pod"]
    assert names({}) == []


@needs_busybox
def test_an_image_of_the_store_runs_where_nobody_has_locked_the_store_yet(
    stage: Stage, server: Registry, tmp_path: Path
) -> None:
    add(server)
    pod = stage.pod({"image": image(server), "command": ["cat", "/etc/version"]})
    stage.run(pod)
    (tmp_path / "state" / "images" / "locks" / "store").unlink()
    pod = stage.pod({"image": image(server), "command": ["cat", "/etc/version"]})
    assert stage.run(pod).phase == "Succeeded"


@needs_busybox
def test_a_layer_that_somebody_removed_by_hand_is_pulled_again(stage: Stage, server: Registry, tmp_path: Path) -> None:
    add(server)
    pod = stage.pod({"image": image(server), "command": ["cat", "/etc/version"]})
    stage.run(pod)
    shutil.rmtree(tmp_path / "state" / "images" / "layers")
    (tmp_path / "state" / "images" / "layers").mkdir()
    pod = stage.pod({"image": image(server), "command": ["cat", "/etc/version"]})
    assert stage.run(pod).phase == "Succeeded"
    assert stage.log(pod) == ["1"]


@needs_busybox
def test_without_an_answer_always_means_the_image_of_the_store(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "state", images=ImageTable(PULLED))
    with Registry() as server:
        add(server)
        name = image(server)
        pods = [
            stage.pod({"image": name, "command": ["cat", "/etc/version"], "imagePullPolicy": "Always"})
            for _ in range(3)
        ]
        assert stage.run(pods[0]).phase == "Succeeded"
    stage.restart()  # the server forgets the registry's answers
    for pod in pods[1:]:
        assert stage.run(pod).phase == "Succeeded"
        assert stage.log(pod) == ["1"]
    stage.close()
