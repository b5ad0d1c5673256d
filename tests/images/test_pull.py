"""Complete pulls from a registry on loopback into a store."""

import json
import shutil

import pytest
from registry_server import MANIFEST, Registry, layer, sha256

from hera_utils.errors import PlatformError
from hera_utils.images.config import UnreadableImage
from hera_utils.images.faults import ImageNotFound, RegistryUnreachable
from hera_utils.images.login import Logins
from hera_utils.images.manifest import NoSuchPlatform, this_platform
from hera_utils.images.pull import PullProgress, pull
from hera_utils.images.reference import Reference
from hera_utils.images.registry import resolve
from hera_utils.images.store import Store

ANYBODY = Logins()
LOWER, UPPER = layer({"bin/": "", "bin/hello": "#!/bin/sh\necho hello\n"}), layer({"data": b"\0" * 200_000})
OTHER = "linux/s390x"


@pytest.fixture
def registry():
    with Registry() as server:
        yield server


def reference_of(registry, name="tools/hello:v1"):
    return Reference.parse(f"{registry.host}/{name}")


def add(registry, layers=(LOWER, UPPER), tag="v1", **options):
    options.setdefault("platform", this_platform())
    return registry.add_image("tools/hello", tag, list(layers), **options)


def contents(image):
    return {path.name: path.read_bytes() for folder in image.layers for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("docker", [False, True])
def test_the_image_for_this_machine_comes_with_its_layers_and_config(registry, store, docker):
    mine = add(registry, tag="", config={"Cmd": ["hello"], "Env": ["A=b"], "WorkingDir": "/data"}, docker=docker)
    other = add(registry, [layer({"other": ""})], tag="", platform=OTHER)
    index = registry.add_index("tools/hello", "v1", {OTHER: other, this_platform(): mine}, docker=docker)
    image = pull(reference_of(registry), store, logins=ANYBODY)
    assert image.digest == index
    assert image.reference == str(reference_of(registry))
    assert contents(image) == {"hello": b"#!/bin/sh\necho hello\n", "data": b"\0" * 200_000}
    assert (image.config.cmd, image.config.env, image.config.workdir) == (("hello",), {"A": "b"}, "/data")
    assert store.find(reference_of(registry)) == image


def test_without_an_index_the_manifest_is_the_image(registry, store):
    digest = add(registry)
    assert pull(reference_of(registry), store, logins=ANYBODY).digest == digest


def test_by_its_digest_an_image_is_the_same_whatever_its_tag_says(registry, store):
    digest = add(registry)
    add(registry, [layer({"newer": ""})])
    image = pull(reference_of(registry, f"tools/hello:v1@{digest}"), store, logins=ANYBODY)
    assert set(contents(image)) == {"hello", "data"}
    assert not registry.asked("manifests/v1")


def test_a_platform_that_the_image_lacks_is_said_with_those_it_has(registry, store):
    registry.add_index("tools/hello", "v1", {OTHER: add(registry, tag="", platform=OTHER)})
    with pytest.raises(NoSuchPlatform, match=f"does not exist for {this_platform()}, only for {OTHER}"):
        pull(reference_of(registry), store, logins=ANYBODY)
    assert pull(reference_of(registry), store, logins=ANYBODY, platform=OTHER).config.platform == OTHER


def test_an_image_for_another_machine_without_an_index_is_refused(registry, store):
    add(registry, platform=OTHER)
    with pytest.raises(NoSuchPlatform, match=f"only for {OTHER}"):
        pull(reference_of(registry), store, logins=ANYBODY)
    assert not registry.asked(f"blobs/{sha256(UPPER)}")


def test_an_image_for_another_machine_in_the_store_does_not_stand_in(registry, store):
    mine, other = add(registry, tag=""), add(registry, [layer({"other": ""})], tag="", platform=OTHER)
    registry.add_index("tools/hello", "v1", {OTHER: other, this_platform(): mine})
    assert set(contents(pull(reference_of(registry), store, logins=ANYBODY, platform=OTHER))) == {"other"}
    assert set(contents(pull(reference_of(registry), store, logins=ANYBODY))) == {"hello", "data"}


def test_what_is_here_is_not_asked_for_again(registry, store):
    add(registry)
    first = pull(reference_of(registry), store, logins=ANYBODY)
    registry.requests.clear()
    assert pull(reference_of(registry), store, logins=ANYBODY).layers == first.layers
    assert registry.requests == []


@pytest.mark.parametrize("folder", ["references", "chains", "layers", "blobs/sha256", "partial"])
@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"null",
        b"[1]",
        b'{"version": 1}',
        b'{"version": 1, "folder": 7}',
        b'{"version": 1, "config": "../x"}',
        None,
    ],
)
def test_what_the_disk_lost_is_pulled_again(registry, store, folder, damage):
    """damage: the new content of each file of that folder; None removes the files."""
    digest = add(registry)
    reference = reference_of(registry)
    whole = contents(pull(reference, store, logins=ANYBODY))
    for path in (store.folder / folder).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif damage is None:
            path.unlink()
        else:
            path.write_bytes(damage)
    later = Store(store.folder)
    assert len(later.images()) <= 1
    assert later.collect(dict, dry_run=True)
    image = pull(reference, later, logins=ANYBODY)
    assert image.digest == digest
    assert contents(image) == whole
    assert pull(reference, later, logins=ANYBODY, always=True).layers == image.layers


def test_a_store_that_somebody_removed_is_made_again(registry, store):
    add(registry)
    first = pull(reference_of(registry), store, logins=ANYBODY)
    shutil.rmtree(store.folder)
    assert pull(reference_of(registry), store, logins=ANYBODY).digest == first.digest


def test_a_config_of_the_same_size_that_the_disk_changed_is_pulled_by_the_next_try(registry, store):
    add(registry)
    reference = reference_of(registry)
    image = pull(reference, store, logins=ANYBODY)
    path = store.blob(image.config_digest)
    path.write_bytes(path.read_bytes().replace(b"linux", b"Linux"))
    later = Store(store.folder)
    with pytest.raises(UnreadableImage):
        pull(reference, later, logins=ANYBODY)
    assert pull(reference, later, logins=ANYBODY).layers == image.layers


def test_always_asks_whether_the_name_means_another_image_today(registry, store):
    add(registry)
    before = pull(reference_of(registry), store, logins=ANYBODY)
    registry.requests.clear()
    assert pull(reference_of(registry), store, logins=ANYBODY, always=True).layers == before.layers
    assert [request.method for request in registry.requests] == ["HEAD"]  # Docker Hub does not count HEAD requests
    add(registry, [LOWER, layer({"newer": ""})])
    after = pull(reference_of(registry), store, logins=ANYBODY, always=True)
    assert set(contents(after)) == {"hello", "newer"}
    assert after.layers[0] == before.layers[0]
    assert len(registry.asked(f"blobs/{sha256(LOWER)}")) == 0  # the layer was here


def test_two_equal_layers_are_fetched_once(registry, store):
    add(registry, [LOWER, UPPER, LOWER])
    assert len(pull(reference_of(registry), store, logins=ANYBODY).layers) == 3
    assert len(registry.asked(f"blobs/{sha256(LOWER)}")) == 1


def test_the_packed_layers_take_no_room_once_they_are_unpacked(registry, store):
    add(registry, [LOWER, UPPER, LOWER])
    image = pull(reference_of(registry), store, logins=ANYBODY)
    left = {path.name for path in (store.folder / "blobs" / "sha256").iterdir()}
    assert left == {image.digest.partition(":")[2], image.config_digest.partition(":")[2]}


def test_an_image_without_layers(registry, store):
    add(registry, [])
    assert pull(reference_of(registry), store, logins=ANYBODY).layers == ()


def test_progress_counts_the_bytes_that_come_and_ends_with_all_of_them(registry, store):
    add(registry)
    reports: list[PullProgress] = []
    pull(reference_of(registry), store, logins=ANYBODY, progress=reports.append)
    total = len(LOWER) + len(UPPER)
    assert {report.total for report in reports} == {total}
    assert [report.done for report in reports] == sorted(report.done for report in reports)
    last = reports[-1]
    assert (last.done, last.unpacked, last.layers) == (total, 2, 2)
    assert last.image == reference_of(registry).familiar


def test_what_progress_raises_ends_the_pull(registry, store):
    class Enough(Exception):
        pass

    def stop(progress):
        raise Enough

    add(registry)
    with pytest.raises(Enough):
        pull(reference_of(registry), store, logins=ANYBODY, progress=stop)
    assert store.find(reference_of(registry)) is None
    assert pull(reference_of(registry), store, logins=ANYBODY)


def test_a_tag_that_does_not_exist(registry, store):
    add(registry)
    with pytest.raises(ImageNotFound, match="has no image 127.*tools/hello:v2"):
        pull(reference_of(registry, "tools/hello:v2"), store, logins=ANYBODY)
    with pytest.raises(ImageNotFound, match="has no image"):
        resolve(reference_of(registry, "tools/nothing"), ANYBODY)


def test_a_digest_question_asks_once_and_without_a_body(registry):
    digest = add(registry)
    assert resolve(reference_of(registry), ANYBODY) == digest
    assert [request.method for request in registry.requests] == ["HEAD"]


def test_a_registry_that_does_not_say_the_digest(registry):
    registry.digest_header = False
    digest = add(registry)
    assert resolve(reference_of(registry), ANYBODY) == digest


def test_a_registry_without_head(registry):
    digest = add(registry)
    registry.fail("/manifests/", method="HEAD", status=405)
    assert resolve(reference_of(registry), ANYBODY) == digest


def test_a_blob_that_is_damaged_once_is_fetched_again(registry, store):
    add(registry)
    registry.fail(f"/blobs/{sha256(UPPER)}", corrupt=True)
    assert contents(pull(reference_of(registry), store, logins=ANYBODY))["data"] == b"\0" * 200_000


def test_what_cannot_be_unpacked_says_of_which_image(registry, store):
    registry.add_image("tools/broken", "1", [b"MZ" + b"x" * 4000])
    with pytest.raises(UnreadableImage, match=f"^{registry.host}/tools/broken:1: the tar of a layer is damaged"):
        pull(Reference.parse(f"{registry.host}/tools/broken:1"), store, logins=ANYBODY)


def test_a_blob_that_stays_damaged_is_refused_and_nothing_is_left(registry, store):
    add(registry)
    registry.fail(f"/blobs/{sha256(UPPER)}", corrupt=True, times=-1)
    with pytest.raises(UnreadableImage, match=f"the part {sha256(UPPER)} of .* arrived damaged"):
        pull(reference_of(registry), store, logins=ANYBODY)
    assert store.find(reference_of(registry)) is None
    assert list((store.folder / "partial").iterdir()) == []


def test_a_manifest_that_is_not_what_its_digest_says(registry, store):
    digest = add(registry)
    kind, content = registry.manifests["tools/hello", digest]
    registry.manifests["tools/hello", digest] = (kind, content + b" ")
    with pytest.raises(UnreadableImage, match="the manifest of .* arrived damaged"):
        pull(reference_of(registry, f"tools/hello@{digest}"), store, logins=ANYBODY)


def test_a_manifest_that_is_cut_once(registry, store):
    add(registry)
    registry.fail("/manifests/", cut_after=20, method="GET")
    assert pull(reference_of(registry), store, logins=ANYBODY)


def test_a_config_that_speaks_of_other_layers(registry, store):
    digest = add(registry)
    document = json.loads(registry.manifests["tools/hello", digest][1])
    document["layers"].pop()
    registry.add_manifest("tools/hello", "v1", MANIFEST, json.dumps(document).encode())
    with pytest.raises(UnreadableImage, match="names 1 layers, its config 2"):
        pull(reference_of(registry), store, logins=ANYBODY)


def test_a_layer_that_is_longer_than_the_manifest_says_is_not_read_to_its_end(registry, store):
    digest = add(registry)
    document = json.loads(registry.manifests["tools/hello", digest][1])
    document["layers"][1]["size"] = 10
    registry.add_manifest("tools/hello", "v1", MANIFEST, json.dumps(document).encode())
    with pytest.raises(UnreadableImage, match="arrived damaged"):
        pull(reference_of(registry), store, logins=ANYBODY)


def test_the_failure_of_one_blob_ends_the_others(registry, store):
    slow = layer({"slow": bytes(range(256)) * 40_000}, compressed=False)
    add(registry, [slow, UPPER])
    registry.fail(f"/blobs/{sha256(slow)}", bytes_per_second=1_000_000)  # ten seconds
    registry.fail(f"/blobs/{sha256(UPPER)}", status=404)
    with pytest.raises(ImageNotFound):
        pull(reference_of(registry), store, logins=ANYBODY)
    assert (store.folder / "partial" / sha256(slow).replace(":", "-")).stat().st_size < 5_000_000


def test_a_disk_without_room_is_said_before_anything_comes(registry, store, monkeypatch):
    add(registry)
    monkeypatch.setattr("hera_utils.images.pull.shutil.disk_usage", lambda _: type("Usage", (), {"free": 100}))
    with pytest.raises(PlatformError, match=r"the disk of .*/images has no room for the image .*tools/hello:v1"):
        pull(reference_of(registry), store, logins=ANYBODY)
    assert not registry.asked(sha256(UPPER))


def test_no_registry_at_all(store):
    with Registry() as gone:
        reference = reference_of(gone)
    with pytest.raises(
        RegistryUnreachable, match=f"the registry {gone.host} does not answer .connection refused."
    ) as caught:
        pull(reference, store, logins=ANYBODY)
    assert "HTTPS_PROXY" in caught.value.fix
