"""Names as Argo makes them and as Kubernetes judges them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.argo import names


def test_node_ids_are_argo_s() -> None:
    # FNV-1a with 32 bits; the second pair is from a run on Argo 4.1.2
    assert names.fnv1a32("") == 2166136261
    assert names.fnv1a32("foobar") == 0xBF9CF968
    assert names.node_id("wf", "wf") == "wf"
    assert names.node_id("wf", "wf.a") == f"wf-{names.fnv1a32('wf.a')}"


def test_pod_names() -> None:
    digits = names.fnv1a32("wf.a")
    assert names.pod_name("wf", "wf", "whalesay") == "wf"
    assert names.pod_name("wf", "wf.a", "whalesay") == f"wf-whalesay-{digits}"
    assert names.pod_name("wf", "wf.a", "") == f"wf-{digits}"
    assert names.pod_name("wf", "wf.a", "whalesay", "wf-1", version="v1") == "wf-1"
    long = names.pod_name("w" * 200, "x", "t" * 200)
    assert len(long) <= 253
    assert long.startswith("w" * 200 + "-" + "t" * 41 + "-")


@given(st.text())
def test_random_suffix(seed: str) -> None:
    suffix = names.random_suffix(seed)
    assert re.fullmatch("[bcdfghjklmnpqrstvwxz2456789]{5}", suffix)
    assert suffix == names.random_suffix(seed)


def test_random_suffixes_differ() -> None:
    assert len({names.random_suffix(str(number)) for number in range(2000)}) > 1990


def test_generated_name_is_cut() -> None:
    assert len(names.generated_name("x" * 100, "s")) == 63


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (
            {"name": "Bad_Name"},
            'Workflow.argoproj.io "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": '
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
            "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
            r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ),
        ({}, 'Workflow.argoproj.io "" is invalid: metadata.name: Required value: name or generateName is required'),
        (
            {"name": "a", "labels": {"k": "b c"}},
            'Workflow.argoproj.io "a" is invalid: metadata.labels: Invalid value: "b c": a valid label must be an empty string or '
            "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
            "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
            "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ),
        ({"name": "x" * 254}, f'Workflow.argoproj.io "{"x" * 254}" is invalid: metadata.name: Invalid value: "{"x" * 254}": '
                              "must be no more than 253 bytes"),
        ({"name": "a", "annotations": {"k": "x" * 200_000, "l": "ä" * 40_000}}, 'Workflow.argoproj.io "a" is invalid: '
                              "metadata.annotations: Too long: may not be more than 262144 bytes"),
    ],
)  # fmt: skip
def test_refused(metadata: dict[str, object], message: str) -> None:
    wrong = names.join_messages(names.metadata_faults(metadata))
    assert f'Workflow.argoproj.io "{metadata.get("name", "")}" is invalid: {wrong}' == message


@pytest.mark.parametrize(
    "metadata", [{"name": "a.b-c1"}, {"generateName": "a-"}, {"name": "a", "labels": {"x.io/K_1": "V.1", "e": ""}}]
)
def test_accepted(metadata: dict[str, object]) -> None:
    assert names.metadata_faults(metadata) == []


def test_an_owner_is_named_in_full() -> None:
    wrong = names.metadata_faults({"name": "a", "ownerReferences": [{"kind": "K", "name": "n"}]})
    assert wrong == [
        'metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty',
        'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
    ]


def test_label_names_have_no_dots() -> None:
    assert names.label_faults("a.b")
    assert not names.label_faults("a-b")
    assert names.label_key_faults("a/b/c")
    assert names.label_key_faults("/b")
    assert names.config_key_faults("a b")
    assert names.config_key_faults("..x")
    assert not names.config_key_faults(".x")
