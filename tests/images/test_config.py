"""Configs of images, well-formed or not."""

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hera_utils.images.config import ImageConfig, UnreadableImage, chain_ids, check_digest

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def parsed(**document):
    return ImageConfig.parse(json.dumps(document).encode())


def test_all_that_a_pod_needs():
    config = parsed(
        architecture="arm64",
        os="linux",
        variant="v8",
        created="2026-01-01T00:00:00Z",
        config={
            "Entrypoint": ["/entry", "-v"],
            "Cmd": ["run"],
            "Env": ["PATH=/bin", "EMPTY=", "EQUAL=a=b", "BARE", "=nothing"],
            "WorkingDir": "/work",
            "User": "1000:users",
            "Labels": {"a": "1", "b": None},
            "StopSignal": "SIGINT",
        },
        rootfs={"type": "layers", "diff_ids": [A, B]},
    )
    assert (config.entrypoint, config.cmd) == (("/entry", "-v"), ("run",))
    assert config.env == {"PATH": "/bin", "EMPTY": "", "EQUAL": "a=b", "BARE": ""}
    assert (config.workdir, config.user, config.stop_signal) == ("/work", "1000:users", "SIGINT")
    assert config.labels == {"a": "1", "b": ""}
    assert config.platform == "linux/arm64/v8"
    assert config.diff_ids == (A, B)


def test_an_image_that_says_nothing():
    config = parsed()
    assert (config.entrypoint, config.cmd, config.env, config.diff_ids, config.platform) == ((), (), {}, (), "linux")
    assert parsed(config=None, rootfs=None) == config
    assert parsed(config={"Env": None, "Cmd": None, "Entrypoint": None, "Labels": None}) == config


def test_a_command_as_one_text_is_for_the_shell():
    assert parsed(config={"Cmd": "echo $A", "Entrypoint": ""}).cmd == ("/bin/sh", "-c", "echo $A")


def test_a_chain_id_names_a_layer_with_those_below_it():
    """ChainID(L₀) = L₀, ChainID(L₀|…|Lₙ) = SHA256(ChainID(L₀|…|Lₙ₋₁) + " " + Lₙ)."""

    def digest(text):
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    assert chain_ids([A, B, C]) == (A, digest(f"{A} {B}"), digest(f"{digest(f'{A} {B}')} {C}"))
    assert chain_ids([]) == ()


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "the config of the image is [] instead of a mapping"),
        (b'{"config": 5}', '"config" is 5 instead of a mapping'),
        (b'{"config": {"Cmd": [1]}}', '"Cmd" of the image is [1] instead of a list of texts'),
        (b'{"config": {"Env": "A=1"}}', '"Env" of the image is "A=1" instead of a list of texts'),
        (b'{"config": {"User": 5}}', '"User" of the image is 5 instead of a text'),
        (b'{"config": {"Cmd": ["a\\u0000b"]}}', '"Cmd" of the image is'),
        (b'{"config": {"Labels": []}}', '"Labels" is [] instead of a mapping'),
        (b'{"rootfs": {"type": "squashfs"}}', 'of the unknown type "squashfs"'),
        (b'{"rootfs": {"diff_ids": ["sha256:abc"]}}', "which is not a sha256 or sha512 digest"),
        (b'{"rootfs": {"diff_ids": ["../../etc/passwd"]}}', "which is not a sha256 or sha512 digest"),
        (b'{"config": {"User": [' + b'"x",' * 1000 + b'"x"]}}', '..." is'.replace('..." is', "... instead")),
    ],
)
def test_a_config_that_is_none_is_a_sentence(document, sentence):
    with pytest.raises(UnreadableImage) as error:
        ImageConfig.parse(document)
    assert sentence in str(error.value)
    assert len(str(error.value)) < 200


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(["Cmd", "Entrypoint", "Env", "WorkingDir", "User", "Labels", "StopSignal"])


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "config": anything | st.dictionaries(keys, anything, max_size=3),
            "rootfs": anything | st.fixed_dictionaries({"diff_ids": anything}),
            "os": anything,
            "architecture": anything,
        },
    )
)
def test_any_document_is_read_or_refused(document):
    try:
        config = ImageConfig.parse(json.dumps(document).encode())
    except UnreadableImage:
        return
    assert all(check_digest(digest) for digest in config.diff_ids)
    assert all(isinstance(word, str) for word in (*config.entrypoint, *config.cmd, *config.env, *config.env.values()))
