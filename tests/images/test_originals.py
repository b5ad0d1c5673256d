"""Compares names of images and platforms with the Go originals: distribution/reference, and containerd's platforms."""

import random

import pytest

import oracle
from hera_utils.images.manifest import Descriptor, ImageIndex, NoSuchPlatform, choose
from hera_utils.images.reference import InvalidImageName, Reference

SHA = "sha256:" + "0123456789abcdef" * 4
HEX = "0123456789abcdef" * 4
PIECES = (
    *(
        "python",
        "a",
        "b1",
        "Tool",
        "lib",
        "library",
        "docker.io",
        "index.docker.io",
        "ghcr.io",
        "localhost",
        "127.0.0.1",
    ),
    *(
        "[::1]",
        "[fe80::1%25lo]",
        "a_b",
        "a__b",
        "a___b",
        "a..b",
        "a--b",
        "-a",
        "a-",
        "a.",
        "",
        HEX,
        HEX[1:],
        "host",
        "X.io",
    ),
)
SIGNS = (
    "/",
    "/",
    "/",
    ":",
    ":",
    "@",
    ".",
    "-",
    "_",
    "//",
    "::",
    ":5000/",
    ":v1",
    f"@{SHA}",
    "@sha256:12",
    f"@{SHA.upper()}",
    " ",
    "é",
)
MACHINES = (
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/arm/v6",
    "linux/386",
    "linux/riscv64",
    "linux/s390x",
    "linux/arm64/v8",
)
OTHERS = (*MACHINES, "linux/amd64/v2", "linux/arm", "linux/arm/v5", "windows/amd64", "linux/ppc64le")


@pytest.fixture(autouse=True, scope="module")
def original():
    """The Go program, built while HOME is still the user's, because Go keeps its modules there."""
    try:
        oracle.program()
    except oracle.Unavailable as why:
        pytest.skip(str(why))


def names(draw):
    for _ in range(4000):
        count = draw.randint(1, 5)
        text = "".join(draw.choice(PIECES) + draw.choice(SIGNS) for _ in range(count))
        yield text + draw.choice(PIECES) if draw.random() < 0.7 else text
    for length in range(240, 262):
        yield "ghcr.io/" + "a" * (length - 8)
        yield "a:" + "t" * (length - 120)


def ours(text):
    try:
        reference = Reference.parse(text)
    except InvalidImageName:
        return None
    parts = {
        "registry": reference.registry,
        "repository": reference.repository,
        "tag": reference.tag,
        "digest": reference.digest,
    }
    return {key: value for key, value in parts.items() if value}


def test_names_mean_what_they_mean_to_docker():
    texts = sorted(set(names(random.Random(20))))
    answers = oracle.ask([{"kind": "image", "text": text} for text in texts])
    theirs = {text: answer["value"] if answer["ok"] else None for text, answer in zip(texts, answers, strict=True)}
    assert sum(value is not None for value in theirs.values()) > 200
    differences = {text: (ours(text), theirs[text]) for text in texts if ours(text) != theirs[text]}
    # A host must not have an underscore. The original takes such a host for a part of the repository, and finds no registry.
    assert not [text for text, (_, theirs) in differences.items() if theirs is None or theirs["registry"]]


def chosen(machine, platforms):
    index = ImageIndex(tuple(Descriptor(f"sha256:{n:064x}", 1, "", name) for n, name in enumerate(platforms)))
    try:
        return platforms[int(choose(index, machine, "tool").digest[7:], 16)]
    except NoSuchPlatform:
        return ""


def test_a_machine_takes_the_image_that_containerd_takes():
    draw = random.Random(7)
    cases = [(draw.choice(MACHINES), draw.sample(OTHERS, draw.randint(1, 5))) for _ in range(1000)]
    answers = oracle.ask([{"kind": "platform", "text": machine, "names": names} for machine, names in cases])
    differences = [
        (machine, names, chosen(machine, names), answer["value"])
        for (machine, names), answer in zip(cases, answers, strict=True)
        if chosen(machine, names) != answer["value"]
        # Deliberately different: most 64-bit ARM machines cannot run 32-bit programs.
        and not (
            machine.startswith("linux/arm64")
            and answer["value"] in ("linux/arm", *(f"linux/arm/v{n}" for n in range(5, 9)))
        )
    ]
    assert not differences
