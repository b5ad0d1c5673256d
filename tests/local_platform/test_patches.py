"""Patches: the RFCs' examples and general laws. Protocol buffers: compared with our own encoder."""

from __future__ import annotations

import base64
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.errors import Refused
from hera_utils.local_platform.kubernetes_api import protobuf
from hera_utils.local_platform.storage.patches import apply_patch, json_patch

# RFC 6902, appendix A
OPERATIONS = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo", "foo": "bar"}),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    ({"foo": ["all", "grass", "cows", "eat"]}, [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
     {"foo": ["all", "cows", "eat", "grass"]}),
    ({"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "qux"}], {"baz": "qux"}),
    ({"foo": "bar"}, [{"op": "add", "path": "/child", "value": {"grandchild": {}}}], {"foo": "bar", "child": {"grandchild": {}}}),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}], {"foo": ["bar", ["abc", "def"]]}),
]  # fmt: skip


@pytest.mark.parametrize(("target", "patch", "result"), OPERATIONS)
def test_json_patch(target, patch, result):
    before = copy.deepcopy(target)
    assert json_patch(target, patch) == result
    assert target == before


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/baz", "value": "bar"},
        {"op": "add", "path": "/baz/bat", "value": "qux"},
        {"op": "remove", "path": "/nothing"},
        {"op": "replace", "path": "/nothing", "value": 1},
        {"op": "add", "path": "/list/7", "value": 1},
        {"op": "add", "path": "baz", "value": 1},
        {"op": "add", "path": "/x"},
        {"op": "remove", "path": ""},
        {"op": "dance", "path": "/baz"},
        "no operation",
    ],
)
def test_json_patches_that_are_refused(operation):
    with pytest.raises(Refused):
        json_patch({"baz": "qux", "list": []}, [operation])


plain = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
documents = st.dictionaries(
    st.sampled_from("abcd"),
    st.recursive(plain, lambda b: st.lists(b, max_size=2) | st.dictionaries(st.sampled_from("abcd"), b, max_size=3), max_leaves=8),
    max_size=4,
)  # fmt: skip


@given(documents)
def test_replacing_by_json_patch(target):
    wanted = [{"op": "replace", "path": f"/{key}", "value": 1} for key in target]
    assert json_patch(target, wanted) == dict.fromkeys(target, 1)


def test_a_media_type_that_is_no_patch():
    with pytest.raises(Refused):
        apply_patch({}, {}, "text/plain", "ConfigMap")


def test_a_strategic_merge_that_cannot_be_is_refused():
    patch = {"metadata": {"ownerReferences": [{"name": "b"}]}}
    with pytest.raises(Refused, match="does not contain declared merge key: uid"):
        apply_patch({"metadata": {"ownerReferences": []}}, patch, "application/strategic-merge-patch+json", "Secret")


# --- protocol buffers


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def body(kind: str, raw: bytes) -> bytes:
    return (
        protobuf.MAGIC
        + field(1, field(1, b"v1") + field(2, kind.encode()))
        + field(2, raw)
        + field(3, b"")
        + field(4, b"")
    )


texts = st.dictionaries(st.text(min_size=1, max_size=6), st.text(max_size=6), max_size=3)


@given(st.text(min_size=1, max_size=9), texts, texts, st.booleans())
def test_a_config_map_in_protocol_buffers(name, labels, data, immutable):
    metadata = field(1, name.encode()) + field(2, b"") + field(7, 0) + field(8, b"")
    metadata += b"".join(field(11, field(1, k.encode()) + field(2, v.encode())) for k, v in labels.items())
    raw = field(1, metadata) + b"".join(field(2, field(1, k.encode()) + field(2, v.encode())) for k, v in data.items())
    raw += field(4, int(immutable)) + field(99, b"unknown")
    read = protobuf.decode(body("ConfigMap", raw))
    expected = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "immutable": immutable}
    expected["metadata"] |= {"labels": labels} if labels else {}
    expected |= {"data": data} if data else {}
    assert read == expected


@given(st.binary(max_size=20))
def test_a_secret_in_protocol_buffers(value):
    read = protobuf.decode(body("Secret", field(1, field(1, b"s")) + field(2, field(1, b"k") + field(2, value))))
    assert base64.b64decode(read["data"]["k"]) == value


@given(st.binary(max_size=40))
def test_broken_protocol_buffers_are_said_to_be(data):
    for sent in (data, protobuf.MAGIC + data, body("ConfigMap", data), body("Deployment", data)):
        try:
            protobuf.decode(sent)
        except ValueError:
            continue
