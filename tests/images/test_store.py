"""The store: a named image is complete, shared layers are stored once, and unneeded layers are removed."""

import os
import stat
import threading
import time

import pytest
from layer_archives import add_image, config_of, digest_of, entry, tar

from hera_utils.images.config import UnreadableImage
from hera_utils.images.store import InUse, Store

BASE = tar(entry("etc"), entry("etc/release", "1\n"))
TOOL = tar(entry("bin"), entry("bin/tool", "#!/bin/sh\n", mode=0o755))
OTHER = tar(entry("bin"), entry("bin/other", "#!/bin/sh\n", mode=0o755))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state" / "images")


nobody = dict


def test_an_image_is_found_with_its_layers_lowest_first(store, tmp_path):
    add_image(
        store,
        tmp_path,
        "docker.io/library/tool:1",
        BASE,
        TOOL,
        Entrypoint=["/bin/tool"],
        Env=["A=b=c", "D="],
        User="7:8",
    )
    image = Store(store.folder).find("docker.io/library/tool:1")
    assert [sorted(p.name for p in folder.iterdir()) for folder in image.layers] == [["etc"], ["bin"]]
    assert image.config.entrypoint == ("/bin/tool",)
    assert image.config.env == {"A": "b=c", "D": ""}
    assert image.config.user == "7:8"
    assert image.size == len("1\n") + len("#!/bin/sh\n")
    assert (image.layers[1] / "bin" / "tool").read_text() == "#!/bin/sh\n"
    assert store.find("docker.io/library/tool:2") is None


def test_a_shared_layer_is_unpacked_once(store, tmp_path):
    one = add_image(store, tmp_path, "one", BASE, TOOL)
    two = add_image(store, tmp_path, "two", BASE, OTHER)
    assert one.layers[0] == two.layers[0]
    assert one.layers[1] != two.layers[1]
    assert len(list((store.folder / "layers").iterdir())) == 3
    assert [image.reference for image in store.images()] == ["one", "two"]


def test_the_same_layer_over_another_one_is_another_layer(store, tmp_path):
    one = add_image(store, tmp_path, "one", BASE, TOOL)
    two = add_image(store, tmp_path, "two", TOOL)
    assert one.layers[1] != two.layers[0]


def test_removing_an_image_keeps_what_others_need(store, tmp_path):
    one = add_image(store, tmp_path, "one", BASE, TOOL)
    two = add_image(store, tmp_path, "two", BASE, OTHER)
    removed = store.remove("one", nobody)
    assert removed.layers == 1
    assert not one.layers[1].exists()
    assert store.find("one") is None
    assert store.find("two") == two
    store.remove("two", nobody)
    assert list((store.folder / "layers").iterdir()) == []
    store.collect(nobody, older_than=0)
    assert list((store.folder / "blobs" / "sha256").iterdir()) == []


def test_what_a_pod_has_mounted_stays(store, tmp_path):
    image = add_image(store, tmp_path, "one", BASE, TOOL)
    with pytest.raises(InUse, match="used by 2 running pods"):
        store.remove("one", lambda: {str(image.layers[0]): ["pod-1", "pod-2"]})
    assert store.find("one") is not None
    store.remove("one", nobody)
    image = add_image(store, tmp_path, "one", BASE, TOOL)
    add_image(store, tmp_path, "one", BASE)  # the name now belongs to another image
    store.collect(lambda: {str(folder): ["pod-1"] for folder in image.layers}, older_than=0)
    assert all(folder.is_dir() for folder in image.layers)
    store.collect(nobody, older_than=0)
    assert not image.layers[1].exists()
    assert image.layers[0].is_dir()


def test_nothing_is_removed_while_an_image_is_added(store, tmp_path):
    add_image(store, tmp_path, "one", BASE)
    with store.hold_content():
        with pytest.raises(InUse):
            store.remove("one", nobody)
        with pytest.raises(InUse):
            store.collect(nobody)
    store.collect(nobody)


def test_a_layer_that_is_not_what_the_image_says_is_refused(store, tmp_path):
    _, config = config_of(BASE)
    (tmp_path / "packed").write_bytes(TOOL)
    with pytest.raises(UnreadableImage, match="layer 1 of the image is damaged"):
        store.add_layer(config, 0, tmp_path / "packed")
    assert store.missing_layers(config) == (0,)
    assert list((store.folder / "layers").iterdir()) == []


def test_a_download_that_is_not_what_its_digest_says_is_refused(store):
    digest = digest_of(b"right")
    with pytest.raises(UnreadableImage, match="arrived damaged"):
        store.add_blob(digest, b"wrong")
    assert store.blob(digest) is None
    assert not store.partial(digest).exists()
    assert store.add_blob(digest, b"right").read_bytes() == b"right"


def test_a_digest_is_never_a_path(store):
    for digest in ("sha256:../../../etc/passwd", "sha256:" + "a" * 63 + "/", "md5:" + "a" * 32, "sha256:" + "A" * 64):
        with pytest.raises(UnreadableImage):
            store.blob(digest)


def test_an_image_that_lost_a_layer_is_not_found(store, tmp_path):
    image = add_image(store, tmp_path, "one", BASE, TOOL)
    image.layers[1].rename(tmp_path / "gone")
    assert store.find("one") is None
    assert store.images() == []
    assert add_image(store, tmp_path, "one", BASE, TOOL).layers[1].is_dir()


def test_the_folder_is_its_owners_alone(store, tmp_path):
    add_image(store, tmp_path, "one", BASE)
    for here, folders, files in os.walk(store.folder):
        if here.startswith(str(store.folder / "layers" / "")):
            continue  # the folder above protects them
        assert not stat.S_IMODE(os.stat(here).st_mode) & 0o077
        assert not any(stat.S_IMODE(os.stat(os.path.join(here, name)).st_mode) & 0o077 for name in files)
        folders[:] = [name for name in folders if os.path.join(here, name) != str(store.folder / "layers")]


def test_a_removal_waits_for_a_pod_that_starts(store, tmp_path):
    add_image(store, tmp_path, "one", BASE)
    entered = threading.Event()

    def start_a_pod():
        with store.hold_content():
            entered.set()
            time.sleep(0.3)

    pod = threading.Thread(target=start_a_pod)
    pod.start()
    entered.wait()
    store.remove("one", nobody)
    pod.join()
    assert store.images() == []
    assert list((store.folder / "removed").iterdir()) == []


def test_what_a_killed_removal_left_goes_with_the_next(store, tmp_path):
    add_image(store, tmp_path, "one", BASE)
    (store.folder / "removed" / "half").mkdir()
    (store.folder / "removed" / "half" / "file").write_text("1")
    assert store.collect(nobody).layers == 1
    assert list((store.folder / "removed").iterdir()) == []
