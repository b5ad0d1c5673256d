import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.images import manifest
from hera_utils.images.config import UnreadableImage
from hera_utils.images.manifest import ImageIndex, ImageManifest, NoSuchPlatform, choose, parse, runs_on, this_platform

SHA = "sha256:" + "ab" * 32
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": SHA, "size": 7}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": SHA, "size": 9}


def digest(number):
    return f"sha256:{number:064x}"


def index(*platforms):
    entries = []
    for number, platform in enumerate(platforms):
        system, architecture, *variant = platform.split("/") if platform else ("", "")
        described = {"os": system, "architecture": architecture} | ({"variant": variant[0]} if variant else {})
        entries.append({"digest": digest(number), "size": 5} | ({"platform": described} if platform else {}))
    document = parse(json.dumps({"schemaVersion": 2, "manifests": entries}).encode(), "tool")
    assert isinstance(document, ImageIndex)
    return document


def number_of(platforms, wanted):
    return int(choose(index(*platforms), wanted, "tool").digest.partition(":")[2], 16)


@pytest.mark.parametrize(
    ("platforms", "wanted", "chosen"),
    [
        (["linux/arm64/v8", "linux/amd64"], "linux/amd64", 1),
        (["linux/arm64/v8", "linux/amd64"], "linux/arm64", 0),
        (["linux/arm64"], "linux/arm64/v8", 0),
        (["windows/amd64", "linux/amd64"], "linux/amd64", 1),
        (["linux/386", "linux/amd64"], "linux/amd64", 1),
        (["linux/arm64", "linux/386"], "linux/amd64", 1),  # 386 runs on amd64; containerd does the same
        (["linux/amd64/v3", "linux/amd64"], "linux/amd64", 1),  # v3 may need what this machine lacks
        (["linux/arm/v5", "linux/arm/v6"], "linux/arm/v7", 1),
        (["linux/arm"], "linux/arm/v7", 0),
        (["unknown/unknown", "linux/amd64"], "linux/amd64", 1),
        ([""], "linux/amd64", 0),  # without a platform the image's config decides later
    ],
)
def test_the_manifest_for_a_machine_is_chosen(platforms, wanted, chosen):
    assert number_of(platforms, wanted) == chosen


def test_no_image_has_more_layers_than_the_kernel_puts_together():
    document = {"schemaVersion": 2, "config": CONFIG, "layers": [LAYER] * 501}
    with pytest.raises(UnreadableImage, match="names 501 layers, more than 500"):
        parse(json.dumps(document).encode(), "tool")
    assert isinstance(parse(json.dumps({**document, "layers": [LAYER] * 500}).encode(), "tool"), ImageManifest)


def test_of_very_many_platforms_the_first_are_named():
    with pytest.raises(NoSuchPlatform) as refused:
        choose(index(*(f"linux/kind{number:05}" for number in range(3000))), "linux/amd64", "tool")
    assert "linux/kind00019 and 2980 more" in str(refused.value)


def test_a_missing_platform_is_said_with_those_that_exist():
    with pytest.raises(NoSuchPlatform) as caught:
        choose(index("linux/s390x", "linux/amd64", "unknown/unknown"), "linux/arm64", "docker.io/library/tool:1")
    assert str(caught.value) == (
        "the image docker.io/library/tool:1 does not exist for linux/arm64, only for linux/amd64, linux/s390x"
    )
    assert "--platform linux/arm64" in caught.value.fix


def test_a_document_about_the_build_is_no_image():
    document = index("linux/amd64")
    attested = manifest.Descriptor(SHA, 1, "", "linux/amd64", {"vnd.docker.reference.type": "attestation-manifest"})
    assert choose(ImageIndex((attested, *document.manifests)), "linux/amd64", "tool").digest == digest(0)


@pytest.mark.parametrize(
    ("system", "expected"),
    [("x86_64", "linux/amd64"), ("aarch64", "linux/arm64"), ("armv7l", "linux/arm/v7"), ("riscv64", "linux/riscv64")],
)
def test_this_machine_in_the_words_of_images(monkeypatch, system, expected):
    monkeypatch.setattr(manifest.machine, "machine", lambda: system)
    assert this_platform() == expected


def test_whether_an_image_fits():
    assert runs_on("linux/arm64/v8", "linux/arm64")
    assert runs_on("linux", "linux/amd64")
    assert not runs_on("linux/arm64", "linux/amd64")
    assert not runs_on("windows/amd64", "linux/amd64")


def test_the_layers_of_a_manifest():
    document = parse(json.dumps({"schemaVersion": 2, "config": CONFIG, "layers": [LAYER, LAYER]}).encode(), "tool")
    assert isinstance(document, ImageManifest)
    assert (document.config.size, [layer.size for layer in document.layers]) == (7, [9, 9])


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"<html>", "not a JSON object"),
        (b"[" * 100_000, "not a JSON object"),
        (b"[]", "not a JSON object"),
        ({"schemaVersion": 1, "fsLayers": []}, "Docker's first format"),
        ({"layers": [], "manifests": [], "config": CONFIG}, "neither"),
        ({"schemaVersion": 2}, "neither"),
        ({"config": CONFIG, "layers": {}}, "not a list"),
        ({"layers": []}, "lacks a part"),
        ({"config": CONFIG | {"digest": "sha256:../../etc/passwd"}, "layers": []}, "not a sha256"),
        ({"config": CONFIG | {"size": -1}, "layers": []}, "how large"),
        ({"config": CONFIG | {"size": True}, "layers": []}, "how large"),
        (
            {"config": CONFIG | {"mediaType": "application/vnd.cncf.helm.config.v1+json"}, "layers": []},
            "not a container image",
        ),
        ({"config": CONFIG, "layers": [LAYER | {"mediaType": LAYER["mediaType"] + "+encrypted"}]}, "encrypted"),
    ],
)
def test_what_is_no_manifest_is_refused(document, why):
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(UnreadableImage, match=why):
        parse(content, "tool")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(SHA),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["manifests", "layers", "config", "digest", "size", "platform", "os"]), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_a_manifest_or_refused(document):
    with contextlib.suppress(UnreadableImage):
        parse(json.dumps(document).encode(), "tool")
