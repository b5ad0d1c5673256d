"""Merges of documents: RFC 7386 by its own examples and laws; Kubernetes' strategic merge by cases and beside the original in Go."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from hera_utils.argo.merge_patches import PatchError, merge_patch, strategic_merge

Json = dict[str, Any]

# RFC 7386, appendix A (the cases whose document is an object)
MERGES: list[tuple[Json, Json, Json]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("document", "patch", "result"), MERGES)
def test_merge_patch(document: Json, patch: Json, result: Json) -> None:
    assert merge_patch(document, patch) == result


plain = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
documents = st.dictionaries(
    st.sampled_from("abcd"),
    st.recursive(plain, lambda b: st.lists(b, max_size=2) | st.dictionaries(st.sampled_from("abcd"), b, max_size=3), max_leaves=8),
    max_size=4,
)  # fmt: skip


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return value


@given(documents, documents)
def test_laws_of_merge_patches(document: Json, patch: Json) -> None:
    before = copy.deepcopy(document)
    once = merge_patch(document, patch)
    assert merge_patch(once, patch) == once
    assert document == before
    assert merge_patch({}, patch) == without_nulls(patch)
    assert merge_patch(document, {}) == document


# --- strategic merge ----------------------------------------------------------------------------------------------------
def container(**fields: Any) -> Json:
    return {"containers": [{"name": "main", **fields}]}


def mounts(*paths: str) -> list[Json]:
    return [{"name": "data", "mountPath": path} for path in paths]


def env(**variables: str) -> list[Json]:
    return [{"name": name, "value": value} for name, value in variables.items()]


POD_SPECS: dict[str, tuple[Json, Json, Json]] = {
    "a mount is one path, whatever its volume": (
        container(volumeMounts=mounts("/a", "/b")),
        container(volumeMounts=mounts("/c")),
        container(volumeMounts=mounts("/c", "/a", "/b")),
    ),
    "elements with the same key are merged": (
        container(env=env(A="1", B="2")),
        container(env=env(B="3", C="4")),
        container(env=env(A="1", B="3", C="4")),
    ),
    "ports go by their number": (
        container(ports=[{"name": "a", "containerPort": 1}, {"name": "b", "containerPort": 2}]),
        container(ports=[{"name": "c", "containerPort": 1}]),
        container(ports=[{"name": "c", "containerPort": 1}, {"name": "b", "containerPort": 2}]),
    ),
    "a list without a key is replaced": (
        container(args=["1", "2"]) | {"tolerations": [{"key": "a"}]},
        container(args=["3"]) | {"tolerations": [{"key": "b"}]},
        container(args=["3"]) | {"tolerations": [{"key": "b"}]},
    ),
    "null removes": (container(image="a", args=["1"]), container(args=None), container(image="a")),
    "an element is deleted": (
        container(env=env(A="1", B="2")),
        container(env=[{"name": "A", "$patch": "delete"}]),
        container(env=env(B="2")),
    ),
    "a list is replaced": (
        container(env=env(A="1", B="2")),
        container(env=[{"$patch": "replace"}, *env(C="3")]),
        container(env=env(C="3")),
    ),
    "a map is replaced": (
        {"nodeSelector": {"a": "1", "b": "2"}},
        {"nodeSelector": {"$patch": "replace", "c": "3"}},
        {"nodeSelector": {"c": "3"}},
    ),
    "a map is emptied": (
        {"securityContext": {"runAsUser": 1}, "dnsPolicy": "None"},
        {"securityContext": {"$patch": "delete"}},
        {"securityContext": {}, "dnsPolicy": "None"},
    ),
    "only some keys are retained": (
        {"volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "emptyDir": {}}]},
        {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/h"}}]},
        {"volumes": [{"name": "v", "hostPath": {"path": "/h"}}, {"name": "w", "emptyDir": {}}]},
    ),
    "an order is set": (
        container(env=env(A="1", B="2", C="3")),
        container(**{"$setElementOrder/env": [{"name": "C"}, {"name": "A"}], "env": env(A="4")}),
        container(env=env(B="2", C="3", A="4")),
    ),
    "an order alone is set": (
        container(env=env(A="1", B="2")),
        container(**{"$setElementOrder/env": [{"name": "B"}, {"name": "A"}]}),
        container(env=env(B="2", A="1")),
    ),
    "what is added holds no directive": (
        container(),
        container(env=[{"name": "A", "$patch": "delete"}, *env(B="1")]),
        container(env=env(B="1")),
    ),
}


@pytest.mark.parametrize(("document", "patch", "result"), POD_SPECS.values(), ids=POD_SPECS)
def test_pod_specs(document: Json, patch: Json, result: Json) -> None:
    before = copy.deepcopy((document, patch))
    assert strategic_merge(document, patch, "v1.PodSpec") == result
    assert (document, patch) == before


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (container(env=[{"value": "1"}]), "map: map[value:1] does not contain declared merge key: name"),
        (container(env=[{"$patch": "delete"}]), "map: map[$patch:delete] does not contain declared merge key: name"),
        (container(env=[{"name": "A", "$patch": "merge"}]), "merging lists cannot yet be specified in the patch"),
        (container(env=[{"name": "A", "$patch": "x"}]), "unknown patch type: x in map: map[$patch:x name:A]"),
        (container(env=["A"]), "list element types are not identical: [[map[name:A value:1]] [A]]"),
        (container(**{"$retainKeys": ["name"], "image": "a"}), "invalid patch format of retainKeys"),
        ({"$patch": "x"}, "unknown patch type: x in map: map[$patch:x]"),
        (container(**{"$setElementOrder/env": None}), "invalid patch format of setElementOrder list"),
        (container(**{"$setElementOrder/env": 1, "env": env(A="2")}), "invalid patch format of setElementOrder list"),
    ],
)
def test_patches_that_cannot_be(patch: Json, message: str) -> None:
    with pytest.raises(PatchError) as refused:
        strategic_merge(container(env=env(A="1")), patch, "v1.PodSpec")
    assert str(refused.value) == message


def test_metadata_of_any_kind() -> None:
    owners = [{"uid": "1", "name": "a"}, {"uid": "2", "name": "b"}]
    document = {"metadata": {"finalizers": ["x"], "ownerReferences": owners}, "data": {"k": "v"}}
    patch = {
        "metadata": {
            "finalizers": ["y"],
            "$deleteFromPrimitiveList/other": ["z"],
            "ownerReferences": [{"uid": "2", "name": "c"}, {"uid": "1", "$patch": "delete"}, {"uid": "3"}],
            "$setElementOrder/ownerReferences": [],
        },
        "data": {"$patch": "replace", "n": "1"},
    }
    merged = strategic_merge(document, patch, "v1.ConfigMap")
    assert merged["metadata"]["finalizers"] == ["y", "x"]
    assert merged["metadata"]["ownerReferences"] == [{"uid": "2", "name": "c"}, {"uid": "3"}]
    assert merged["data"] == {"n": "1"}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["y"]}}
    assert strategic_merge(merged, patch, "v1.ConfigMap")["metadata"]["finalizers"] == ["x"]
    assert strategic_merge({"data": {"metadata": ["x"]}}, {"data": {"metadata": ["y"]}}, "v1.ConfigMap") == {
        "data": {"metadata": ["y"]}
    }


class Word(str):
    """A text that counts its comparisons with others."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Word.compared += 1
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


NAMES = [Word(f"n{number}") for number in range(300)]
OTHERS = [Word(f"o{number}") for number in range(300)]


@pytest.mark.parametrize(
    ("document", "patch"),
    [
        ({"metadata": {"finalizers": NAMES}}, {"metadata": {"$deleteFromPrimitiveList/finalizers": OTHERS}}),
        (
            {"spec": container(env=[{"name": name} for name in NAMES])},
            {"spec": container(env=[{"$patch": "delete", "name": name} for name in OTHERS])},
        ),
        (
            {"spec": dict.fromkeys(NAMES, "")},
            {"spec": {"$retainKeys": NAMES[:100] + OTHERS, **dict.fromkeys(OTHERS, "x")}},
        ),
    ],
    ids=["a list without so many values", "a list without so many elements", "a map with no other keys"],
)
def test_many_are_not_compared_with_each_other(document: Json, patch: Json) -> None:
    Word.compared = 0
    strategic_merge(document, patch, "v1.Pod")
    assert Word.compared < 20 * len(NAMES)


def test_names_that_are_no_texts_are_compared_as_they_are() -> None:
    document = {"spec": container(env=[{"name": {"a": [1]}, "value": "1"}, {"name": "b"}])}
    patch = {"spec": container(env=[{"name": {"a": [1]}, "value": "2"}, {"$patch": "delete", "name": "b"}])}
    assert strategic_merge(document, patch, "v1.Pod") == {"spec": container(env=[{"name": {"a": [1]}, "value": "2"}])}


def test_the_containers_of_a_pod_and_of_a_job() -> None:
    spec, patch = container(volumeMounts=mounts("/a")), container(volumeMounts=mounts("/b"))
    merged = container(volumeMounts=mounts("/b", "/a"))
    assert strategic_merge({"spec": spec}, {"spec": patch}, "v1.Pod") == {"spec": merged}
    job, change = {"spec": {"template": {"spec": spec}}}, {"spec": {"template": {"spec": patch}}}
    assert strategic_merge(job, change, "v1.Job") == {"spec": {"template": {"spec": merged}}}


def lists(key: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Json]]:
    field = "value" if key == "name" else "name"
    element = st.fixed_dictionaries({key: values}, optional={field: st.sampled_from(["x", "y"])})
    return st.lists(element, max_size=4, unique_by=lambda each: each[key])


def pod_specs(patch: bool) -> st.SearchStrategy[Json]:
    """Of a patch, some fields are null."""

    def some(**optional: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
        return {field: values | st.none() for field, values in optional.items()} if patch else optional

    container = st.fixed_dictionaries(
        {"name": st.sampled_from("mno")},
        optional=some(
            env=lists("name", st.sampled_from("ABCD")),
            volumeMounts=lists("mountPath", st.sampled_from(["/a", "/b", "/c"])),
            ports=lists("containerPort", st.integers(1, 3)),
            args=st.lists(st.sampled_from("abc"), min_size=1, max_size=3),
            image=st.sampled_from("ij"),
        ),
    )
    fields = some(
        containers=st.lists(container, max_size=3, unique_by=lambda each: each["name"]),
        nodeSelector=st.dictionaries(st.sampled_from("ab"), st.sampled_from("12"), min_size=1),
        tolerations=lists("key", st.sampled_from("kl")),
        hostAliases=lists("ip", st.sampled_from(["1.1.1.1", "2.2.2.2"])),
    )
    return st.fixed_dictionaries({}, optional=fields)


@given(pod_specs(False), pod_specs(True))
def test_laws_of_strategic_merges(document: Json, patch: Json) -> None:
    before = copy.deepcopy((document, patch))
    once = strategic_merge(document, patch, "v1.PodSpec")
    assert (document, patch) == before
    assert strategic_merge(once, patch, "v1.PodSpec") == once
    assert strategic_merge(once, {}, "v1.PodSpec") == once
    for field in ("env", "volumeMounts", "ports"):
        for element in once.get("containers") or ():
            keys = [json.dumps(each, sort_keys=True) for each in element.get(field) or ()]
            assert len(keys) == len(set(keys))


def random_list(draw: random.Random, key: str, values: Sequence[Any], patch: bool) -> list[Json]:
    elements: list[Json] = []
    for value in draw.sample(values, draw.randint(0, len(values))):
        field = "value" if key == "name" else "name"
        elements.append({key: value} | ({field: draw.choice("xy")} if draw.random() < 0.7 else {}))
        if patch and draw.random() < 0.2:
            elements[-1] = {key: value, "$patch": "delete"}
    return [{"$patch": "replace"}, *elements] if patch and draw.random() < 0.1 else elements


def random_spec(draw: random.Random, patch: bool) -> Json:
    def some(fields: Json) -> Json:
        kept = {field: value for field, value in fields.items() if draw.random() < 0.6}
        return {field: None if patch and draw.random() < 0.15 else value for field, value in kept.items()}

    containers = [
        {"name": name}
        | some(
            {
                "env": random_list(draw, "name", "ABCD", patch),
                "volumeMounts": random_list(draw, "mountPath", ["/a", "/b", "/c", "/d"], patch),
                "ports": random_list(draw, "containerPort", [1, 2, 3], patch),
                "args": [draw.choice("abc")],
                "image": draw.choice("ij"),
                "resources": {"limits": dict.fromkeys(draw.sample(["cpu", "memory"], draw.randint(0, 2)), "1")},
            }
        )
        for name in draw.sample("mno", draw.randint(0, 3))
    ]
    return some(
        {
            "containers": containers,
            "nodeSelector": {draw.choice("ab"): draw.choice("12")},
            "tolerations": random_list(draw, "key", "kl", False),
            "hostAliases": [{"ip": ip} for ip in draw.sample(["1.1.1.1", "2.2.2.2", "3.3.3.3"], draw.randint(0, 3))],
            "terminationGracePeriodSeconds": draw.randint(0, 3),
        }
    )


def test_a_text_is_no_object_that_is_written_like_it() -> None:
    patch = {"$deleteFromPrimitiveList/imagePullSecrets": [{"a": 1}]}
    text = json.dumps({"a": 1})
    assert strategic_merge({"imagePullSecrets": [text]}, patch, "v1.PodSpec")["imagePullSecrets"] == [text]


def test_the_same_as_kubernetes() -> None:
    """Each result is read once more by Go as a PodSpec, so that empty values look alike."""
    try:
        oracle.program()
    except oracle.Unavailable as why:
        pytest.skip(str(why))
    draw = random.Random(7386)
    pairs = [(random_spec(draw, False), random_spec(draw, True)) for _ in range(1000)]
    theirs = oracle.ask(
        [{"kind": "merge", "text": json.dumps(spec), "patch": json.dumps(patch)} for spec, patch in pairs]
    )
    merged = [json.dumps(strategic_merge(spec, patch, "v1.PodSpec")) for spec, patch in pairs]
    ours = oracle.ask([{"kind": "merge", "text": spec, "patch": "{}"} for spec in merged])
    for pair, mine, right in zip(pairs, ours, theirs, strict=True):
        assert mine == right, pair
