"""Which images are available: from the store, from registries on loopback, from registries that do not answer."""

import base64
import json
import socket

import pytest
from registry_server import Registry, layer

from hera_utils.errors import SettingsError
from hera_utils.images.availability import decide_pulls
from hera_utils.images.choice import Pull, RefusedImage, StandIn
from hera_utils.images.decision_texts import ImageDecision, as_json, of_text
from hera_utils.images.login import Logins
from hera_utils.images.manifest import this_platform
from hera_utils.images.pull import pull
from hera_utils.images.reference import Reference
from hera_utils.images.store import Store

PYTHON = StandIn({"python": "current"}, "Python 3.12.4")


@pytest.fixture
def registry():
    with Registry() as server:
        server.digest_of_hello = server.add_image("lab/hello", "1", [layer({"x": "1"})], platform=this_platform())
        yield server


def decide(store, *pulls, logins=Logins, **options):
    return decide_pulls({one.reference: one for one in pulls}, store, logins, **options)


def a_silent_port():
    """The port of a server that accepts connections and never answers."""
    server = socket.create_server(("127.0.0.1", 0))
    return server, f"127.0.0.1:{server.getsockname()[1]}"


def test_an_image_of_a_registry_is_known_by_its_digest(store, registry):
    image = f"{registry.host}/lab/hello:1"
    found = decide(store, Pull(image))
    assert found == {image: ImageDecision(Pull(image), registry.digest_of_hello)}
    assert registry.digest_of_hello[:19] in found[image].words


def test_an_image_of_the_store_needs_no_registry(store, registry):
    image = f"{registry.host}/lab/hello:1"
    pull(Reference.parse(image), store, logins=Logins())
    count = len(registry.requests)
    never = Pull(image, registry=False)
    assert decide(store, Pull(image)) == {image: ImageDecision(Pull(image), registry.digest_of_hello)}
    assert decide(store, never) == {image: ImageDecision(never, registry.digest_of_hello)}
    assert len(registry.requests) == count


def test_an_image_of_the_store_for_another_kind_of_machine_is_none(store, registry):
    other = "linux/riscv64" if this_platform() != "linux/riscv64" else "linux/amd64"
    there = registry.add_image("lab/hello", "", [layer({"x": "2"})], platform=other)
    index = registry.add_index("lab/hello", "both", {this_platform(): registry.digest_of_hello, other: there})
    image = f"{registry.host}/lab/hello:both"
    pull(Reference.parse(image), store, logins=Logins(), platform=other)
    count = len(registry.requests)
    assert decide(store, Pull(image)) == {image: ImageDecision(Pull(image), index)}
    assert len(registry.requests) > count
    assert isinstance(decide(store, Pull(image, registry=False))[image], RefusedImage)


def test_an_image_for_other_machines_is_refused_before_the_run(store, registry):
    other = "linux/riscv64" if this_platform() != "linux/riscv64" else "linux/amd64"
    there = registry.add_image("lab/alone", "1", [layer({"x": "2"})], platform=other)
    registry.add_index("lab/alone", "many", {other: there, "unknown/unknown": there})
    images = [f"{registry.host}/lab/alone:{tag}" for tag in ("1", "many")]
    found = decide(store, *map(Pull, images))
    for image in images:
        assert found[image].reason == f"the image {image} does not exist for {this_platform()}, only for {other}"
        assert this_platform() in found[image].fix


def test_what_the_look_before_the_run_read_is_not_read_again_by_the_pull(store, registry):
    image = f"{registry.host}/lab/hello:1"
    decide(store, Pull(image))
    assert len([one for one in registry.asked("GET") if "/manifests/" in one.path]) == 1
    pull(Reference.parse(image), store, logins=Logins())
    assert len([one for one in registry.asked("GET") if "/manifests/" in one.path]) == 1


def test_an_image_whose_platform_cannot_be_asked_is_left_to_its_pull(store, registry):
    registry.fail("/blobs/", status=500, times=-1)
    image = f"{registry.host}/lab/hello:1"
    assert decide(store, Pull(image)) == {image: ImageDecision(Pull(image), registry.digest_of_hello)}


def test_all_that_lacks_is_refused_at_once_each_with_what_would_help(store, registry):
    unknown, closed = f"{registry.host}/lab/hello:2", "127.0.0.1:1/lab/x:1"
    found = decide(store, Pull(unknown), Pull(closed, "the reason"), Pull("Bad/Name:1"), Pull("lab/x", registry=False))
    assert all(isinstance(one, RefusedImage) for one in found.values())
    assert len(found) == 4
    assert "hello:2" in found[unknown].reason
    assert "connection refused" in found[closed].reason
    assert "the reason" in found[closed].reason
    assert "image import" in found[closed].fix
    assert "lower case" in found["Bad/Name:1"].reason
    assert "must not be pulled" in found["lab/x"].reason
    assert all("\n" not in one.reason for one in found.values())


def test_a_wrong_password_is_told_without_it(store, tmp_path):
    with Registry(login="basic", users={"me": "right"}) as server:
        server.add_image("lab/secret", "1", [layer({"x": "1"})], platform=this_platform())
        image = f"{server.host}/lab/secret:1"

        def logins(password):
            auth = base64.b64encode(f"me:{password}".encode()).decode()
            document = json.dumps({"auths": {server.host: {"auth": auth}}})
            secret = {
                "type": "kubernetes.io/dockerconfigjson",
                "data": {".dockerconfigjson": base64.b64encode(document.encode()).decode()},
            }
            return lambda: Logins().with_pull_secrets([secret])

        refused = decide(store, Pull(image), logins=logins("wr0ng-one"))[image]
        assert isinstance(refused, RefusedImage)
        assert "wr0ng-one" not in f"{refused}"
        assert "docker login" in refused.fix
        assert isinstance(decide(store, Pull(image), logins=logins("right"))[image], ImageDecision)


def test_another_minor_of_python_stands_in_where_no_registry_answers_and_it_is_not_asked_again_at_once(store):
    image = "127.0.0.1:1/library/python:3.9"
    pull_of_python = Pull(image, "why", PYTHON)
    (first,) = decide(store, pull_of_python).values()
    assert first.choice.settings == PYTHON.settings
    assert "connection refused" in first.choice.because
    (second,) = decide(store, pull_of_python).values()
    assert "a moment ago" in second.choice.because
    refused = decide(store, Pull(image))[image]  # before an image is refused, the registry is asked anyway
    assert "connection refused" in refused.reason


def test_nobody_waits_longer_than_the_patience(store):
    server, host = a_silent_port()
    with server:
        found = decide(store, *(Pull(f"{host}/lab/{number}") for number in range(5)), last_patience=0.5)
        python = Pull(f"{host}/library/python:3.9", "why", PYTHON)
        (stands_in,) = decide(store, python, patience=0.4).values()
    assert ["did not answer within 0.5 s" in one.reason for one in found.values()] == [True] * 5
    assert stands_in.choice.settings == PYTHON.settings


def test_a_store_that_cannot_be_written_is_no_obstacle(tmp_path, registry):
    blocked = tmp_path / "images"
    blocked.write_text("a file in the place of the folder")
    image = f"{registry.host}/lab/hello:1"
    assert isinstance(decide(Store(blocked), Pull(image))[image], ImageDecision)
    python = Pull("127.0.0.1:1/library/python:3.9", "why", PYTHON)
    assert isinstance(decide(Store(blocked), python)[python.reference], ImageDecision)


def test_decisions_survive_as_text():
    decisions = {
        "python:3.9": ImageDecision(StandIn({"python": "current"}, "Python 3.12.4", "no registry answers")),
        "lab/x:1": ImageDecision(Pull("lab/x:1"), "sha256:" + "a" * 64),
        "lab/y": ImageDecision(Pull("lab/y")),
        "lab/z": ImageDecision(Pull("lab/z", registry=False), "sha256:" + "b" * 64),
    }
    assert of_text(json.dumps(as_json(decisions)), "the annotation") == decisions


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"a": 1}', '{"a": {}}', '{"a": {"stand_in": 3}}'])
def test_a_text_that_holds_no_decisions(text):
    with pytest.raises(SettingsError, match="the annotation x does not say"):
        of_text(text, "the annotation x")
