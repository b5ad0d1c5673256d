"""`hera-utils image` and what `gc` does with images, as typed."""

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from layer_archives import add_image, config_of, entry, tar
from registry_server import Registry, layer

from hera_utils.cli.pull_display import progress_text
from hera_utils.images import registry
from hera_utils.images.manifest import this_platform
from hera_utils.images.pull import PullProgress
from hera_utils.images.store import Store
from waiting import until

BUSYBOX = shutil.which("busybox")
needs_busybox = pytest.mark.skipif(
    BUSYBOX is None, reason="there is no busybox, which an image of one file can be made of"
)
SLEEPS = """
metadata:
  generateName: sleeps-
  annotations: {hera-utils/images: '{"lab/tool:1": "pull"}'}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: "lab/tool:1", command: [/bin/busybox, sh, -c, "cat /etc/mine; sleep 60"]}
"""


WAITS = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: waits-, annotations: {hera-utils/image-decisions: 'DECIDED'}}
spec: {entrypoint: w, templates: [{name: w, suspend: {}}]}
"""


@pytest.fixture
def store(user):
    return Store(Path(user.platform.context.state) / "images")


@pytest.fixture(autouse=True)
def no_images(store):
    """The platform is the same for all tests."""
    yield
    shutil.rmtree(store.folder, ignore_errors=True)


@pytest.fixture
def rootfs(user):
    top = user.folder / "rootfs"
    (top / "bin").mkdir(parents=True)
    (top / "bin" / "tool").write_text("#!/bin/sh\n")
    return top


def test_import_a_folder_list_inspect_remove(user, rootfs):
    more = (
        "--cmd",
        "tool 'a b'",
        "--entrypoint",
        "/bin/sh",
        "--env",
        "A=1",
        "--env",
        "B=",
        "--workdir",
        "/w",
        "--user",
        "7:8",
    )
    first = user.type("image", "import", rootfs, "--name", "lab/tool:1", *more)
    assert first.startswith("lab/tool:1  sha256:")
    assert user.type("image", "ls").splitlines()[1].startswith("lab/tool:1  ")
    assert user.type("image", "ls", "-o", "name") == "lab/tool:1\n"
    (listed,) = json.loads(user.type("image", "ls", "-o", "json"))
    assert listed["config"]["env"] == {"A": "1", "B": ""}
    text = user.type("image", "inspect", "lab/tool:1")
    assert "cmd:        tool 'a b'\n" in text
    assert "user:       7:8\n" in text
    assert "env:        A=1\n            B=\n" in text
    assert json.loads(user.type("image", "inspect", listed["digest"][7:19], "-o", "json")) == listed
    assert user.type("image", "rm", "docker.io/lab/tool:1").startswith("lab/tool:1 removed, ")
    assert "there is no image on this machine" in user.type("image", "ls")
    assert json.loads(user.type("image", "ls", "-o", "json")) == []


def test_import_an_archive(user, store):
    data = tar(entry("a", "1"))
    config, _ = config_of(data, Cmd=["a"])
    config = config.replace(b"amd64", this_platform().split("/")[1].encode())
    manifest = json.dumps([{"Config": "c.json", "RepoTags": ["one:1", "two:2"], "Layers": ["l.tar"]}])
    (user.folder / "x.tar").write_bytes(
        tar(entry("manifest.json", manifest), entry("c.json", config), entry("l.tar", data))
    )
    assert user.type("image", "import", "x.tar", "-o", "name") == "one:1\ntwo:2\n"
    assert [image.reference for image in store.images()] == ["docker.io/library/one:1", "docker.io/library/two:2"]
    assert "--cmd is for plain folders" in user.type("image", "import", "x.tar", "--cmd", "a", status=2).replace(
        "are for", "is for"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["import", "rootfs"], "needs a name"),
        (["import", "rootfs", "--name", "Tool"], "must be in lower case"),
        (["import", "rootfs", "--name", "a", "--env", "A"], "sets no variable"),
        (["import", "rootfs", "--name", "a", "--cmd", "a 'b"], "cannot be split into words"),
        (["import", "nowhere.tar"], "cannot be read"),
        (["import", "http://x/y"], "is not a source of images"),
        (["import", "docker://"], "is not a source of images"),
        (["inspect", "python:3.13"], "there is no image python:3.13"),
        (["rm", "python:3.13"], "there is no image python:3.13"),
        (["rm", "Python"], "must be in lower case"),
        (["pull", "a b"], "has a space in it"),
        (["pull", "localhost:1/x"], "does not answer"),
        (["pull", "x:1", "--image-platform", "arm64"], "`arm64` is not a kind of machine"),
        (["pull", "x:1", "--image-platform", "linux/"], "`linux/` is not a kind of machine"),
    ],
)
def test_mistakes_are_sentences(user, rootfs, monkeypatch, words, sentence):
    monkeypatch.setattr(registry, "PULLING", replace(registry.PULLING, first_pause=0.01))
    assert sentence in user.type("image", *words, status=2)


def test_control_characters_in_image_names_are_escaped(user, rootfs):
    user.type("image", "import", "rootfs", "--name", "a", "--env", "A=\x1b]0;title\x07")
    assert "A=\\x1b]0;title\\x07" in user.type("image", "inspect", "a")
    assert "\\x1b]0;b" in user.type("image", "inspect", "\x1b]0;b", status=2)


def test_a_near_name_is_proposed(user, rootfs):
    user.type("image", "import", rootfs, "--name", "lab/tool:1")
    assert "did you mean lab/tool:1?" in user.type("image", "rm", "lab/tol:1", status=2)


def test_pull(user, store):
    with Registry() as server:
        server.add_image("lab/tool", "1", [layer({"a": "1"}), layer({"b": "2"})], platform=this_platform())
        name = f"{server.host}/lab/tool:1"
        assert user.type("image", "pull", name).startswith(f"{name}  sha256:")
        (document,) = json.loads(user.type("image", "pull", name, "-o", "json"))
        assert document["name"] == name
        assert "does not exist for linux/s390x" in user.type(
            "image", "pull", name, "--image-platform", "linux/s390x", status=2
        )
    assert store.find(name).digest == document["digest"]
    kept = {path.name for path in (store.folder / "blobs" / "sha256").iterdir()}
    assert kept == {document["digest"][7:], store.find(name).config_digest[7:]}  # the packed layers are gone


def aged(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)


def test_gc_removes_what_no_image_needs(user, store):
    add_image(store, user.folder, "docker.io/lab/tool:1", tar(entry("a", "1" * 5000)))
    add_image(store, user.folder, "docker.io/lab/tool:1", tar(entry("b", "1")))
    for path in [*(store.folder / "chains").iterdir(), *(store.folder / "blobs" / "sha256").iterdir()]:
        aged(path, 2 * 86400)
    assert "2 things that no image needs" in user.type("gc", "--dry-run")
    assert len(list((store.folder / "layers").iterdir())) == 2
    user.type("gc", "--yes")
    assert len(list((store.folder / "layers").iterdir())) == 1
    assert store.find("docker.io/lab/tool:1") is not None
    assert "nothing is older" in user.type("gc", "--yes")


def test_gc_removes_unused_images_when_asked_alone(user, store):
    for name in ("old", "new"):
        add_image(store, user.folder, f"docker.io/lab/{name}:1", tar(entry(name, "1" * 5000)))
    (record,) = [path for path in (store.folder / "references").iterdir() if "lab/old" in path.read_text()]
    aged(record, 100 * 86400)
    user.type("gc", "--yes")
    assert len(store.images()) == 2
    assert "image lab/old:1  " in user.type("gc", "--unused-images", "90d", "--yes")
    assert [image.reference for image in store.images()] == ["docker.io/lab/new:1"]
    assert len(list((store.folder / "layers").iterdir())) == 1


@needs_busybox
def test_gc_removes_unused_pythons_with_packages_when_asked_alone(user, store):
    folder = store.folder.parent / "python"
    used, unused, named = (folder / name for name in ("1" * 24, "2" * 24, "3" * 24))
    for home in (used, unused, named):
        home.mkdir(parents=True)
        home.with_suffix(".lock").touch()
        (home / "complete").write_text("3.12.1")
    for home in (unused, named):
        aged(home / "complete", 100 * 86400)
    decided = json.dumps({"x": {"stand_in": {"python": f"{named}/bin/python"}, "reason": "r"}})
    name = user.start(WAITS.replace("DECIDED", decided))
    assert "Python" not in user.type("gc", "--older-than", "90d", "--yes")
    said = user.type("gc", "--older-than", "90d", "--unused-images", "90d", "--yes")
    assert f"Python with packages {unused.name}" in said
    assert [home.is_dir() for home in (used, unused, named)] == [True, False, True]
    user.type("terminate", name)
    user.type("gc", "--older-than", "90d", "--unused-images", "90d", "--yes")
    assert [home.is_dir() for home in (used, unused, named)] == [True, False, False]
    shutil.rmtree(folder)


@needs_busybox
def test_an_image_that_a_pod_uses_stays(user, rootfs):
    shutil.copy(BUSYBOX, rootfs / "bin" / "busybox")
    (rootfs / "etc").mkdir()
    (rootfs / "etc" / "mine").write_text("of the image\n")
    user.type("image", "import", rootfs, "--name", "lab/tool:1")
    name = user.start(SLEEPS, "--no_preflight")
    until(lambda: "of the image" in user.type("logs", name))
    assert "is used by 1 running pod" in user.type("image", "rm", "lab/tool:1", status=2)
    user.type("gc", "--unused-images", "0d", "--yes")
    assert "lab/tool:1" in user.type("image", "ls")
    user.type("terminate", name)
    user.type("watch", name, status=1)
    assert "lab/tool:1 removed" in user.type("image", "rm", "lab/tool:1")


def test_how_far_a_pull_is_in_words():
    def text(**values):
        return progress_text("tool", PullProgress("tool", **values), "=")

    assert progress_text("tool", None, "=") == text() == "tool  asks its registry"
    assert progress_text("tool", None, "=", "is read") == "tool  is read"
    assert text(done=3 << 20, total=12 << 20, layers=2) == f"tool  {'=' * 6}{' ' * 18}  3.0 MiB of 12.0 MiB"
    assert text(done=12 << 20, total=12 << 20, unpacked=1, layers=2) == "tool  unpacks layer 2 of 2"
    assert text(unpacked=2, layers=2) == "tool  unpacks layer 2 of 2"
