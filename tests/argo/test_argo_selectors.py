"""Label selectors, field selectors, node field selectors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.argo import selectors
from hera_utils.errors import Refused

LABELS = {"app": "x", "tier": "", "workflows.argoproj.io/phase": "Failed", "n": "5"}


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("", True),
        ("app=x", True),
        ("app==x", True),
        ("app = x , tier", True),
        ("app!=x", False),
        ("nope!=x", True),
        ("nope", False),
        ("!nope", True),
        ("!app", False),
        ("app in (x, y)", True),
        ("app in (y)", False),
        ("app notin (y,z)", True),
        ("nope notin (y)", True),
        ("tier=", True),
        ("tier in ()", True),
        ("workflows.argoproj.io/phase in (Failed,Error)", True),
        ("workflows.argoproj.io/completed!=true", True),
        ("n>4", True),
        ("n<4", False),
        ("app>4", False),
        ("in in (in)", False),
    ],
)
def test_labels(text: str, verdict: bool) -> None:
    assert selectors.label_selector(text).matches(LABELS) is verdict


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=b,,", "found ',', expected: identifier after ','"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("=b", "unable to parse requirement: found '=', expected: !, identifier, or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',', or identifier"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    ],
)
def test_bad_labels(text: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        selectors.label_selector(text)
    assert caught.value.message == message


def test_label_objects() -> None:
    selector = selectors.label_selector_of(
        {
            "matchLabels": {"app": "x"},
            "matchExpressions": [
                {"key": "n", "operator": "In", "values": ["5"]},
                {"key": "tier", "operator": "Exists"},
                {"key": "zz", "operator": "DoesNotExist"},
                {"key": "zz", "operator": "NotIn", "values": ["1"]},
            ],
        }
    )
    assert selector.matches(LABELS)
    assert not selector.matches({"app": "x"})
    assert selectors.label_selector_of(None).matches({})
    assert selectors.label_selector("a=b,c in (d)").required_value("c") == "d"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("", True),
        ("metadata.name=a", True),
        ("metadata.name==a,spec.x!=1", True),
        ("metadata.name!=a", False),
        ("spec.nope=", True),
        ("spec.x=2", True),
        ("spec.flag=true", True),
        ("metadata.labels.a.b/c=d", True),
        (r"spec.odd=a\,b\=c", True),
    ],
)
def test_fields(text: str, verdict: bool) -> None:
    document: dict[str, Any] = {
        "metadata": {"name": "a", "labels": {"a.b/c": "d"}},
        "spec": {"x": 2, "flag": True, "odd": "a,b=c"},
    }
    selector = selectors.field_selector(text)
    assert selector.matches(lambda field: selectors.field_value(document, field)) is verdict


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        ("a=\\x", "invalid field selector: invalid escape sequence: \\x"),
    ],
)
def test_bad_fields(text: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        selectors.field_selector(text)
    assert caught.value.message == message


def test_nodes() -> None:
    node = {
        "id": "wf-1", "name": "wf.a", "displayName": "a", "phase": "Running", "templateRef": {"name": "t", "template": "main"},
        "inputs": {"parameters": [{"name": "p", "value": "v"}]},
    }  # fmt: skip
    for text in (
        "displayName=a",
        "phase!=Failed,name=wf.a",
        "templateRef.name=t",
        "templateName=main",
        "inputs.parameters.p.value=v",
    ):
        assert selectors.node_matches(selectors.field_selector(text), node)
    assert not selectors.node_matches(selectors.field_selector("inputs.parameters.q.value=v"), node)


@given(st.text(max_size=30))
def test_any_text_is_a_selector_or_refused(text: str) -> None:
    for parse in (selectors.label_selector, selectors.field_selector):
        try:
            selector: Any = parse(text)
        except Refused:
            continue
        assert selector == parse(text)


labels = st.dictionaries(st.sampled_from(["a", "b", "c/d"]), st.sampled_from(["", "x", "y-1"]))


@given(labels)
def test_labels_select_themselves(given_labels: dict[str, str]) -> None:
    text = ",".join(f"{key}={value}" for key, value in given_labels.items())
    assert selectors.label_selector(text).matches(given_labels)
