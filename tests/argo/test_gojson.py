"""JSON in Go's words: what of it stays as it is written, and what is refused how."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.argo import gojson

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_what_is_json_is_accepted_and_its_parts_are_its_text(
    value: object, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    gojson.check(text)
    assert gojson.json_fault(text) == ""
    assert json.loads(gojson.compact(text)) == value
    if isinstance(value, list):
        assert [json.loads(one) for one in gojson.elements(text)] == value
    elif isinstance(value, dict):
        assert {key: json.loads(one) for key, one in gojson.members(text).items()} == value


@given(VALUES, st.data())
def test_whatever_python_refuses_has_a_complaint(value: object, data: st.DataObject) -> None:
    text = json.dumps(value)
    place = data.draw(st.integers(0, len(text)))
    broken = (
        text[:place]
        + data.draw(st.sampled_from(['"', "]", "}", "[", "{", ",", "x", "\\", "", "\n", "1"]))
        + text[place + 1 :]
    )
    try:
        json.loads(broken, parse_constant=lambda name: json.loads(name + "!"))
    except ValueError:
        assert gojson.json_fault(broken)
        with pytest.raises(gojson.InvalidJson):
            gojson.check(broken)
    else:
        assert not gojson.json_fault(broken)


def test_numbers_are_never_made_python_numbers() -> None:
    assert gojson.elements(f"[ 1e-3 , -0,{'9' * 5000}, 1e999]") == ["1e-3", "-0", "9" * 5000, "1e999"]
    assert gojson.members('{"a": 1.50, "b": {"c": 1E5}, "a": 0.10}') == {"a": "0.10", "b": '{"c": 1E5}'}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"a": 1}', "json: cannot unmarshal number into Go value of type string"),
        ('{"a": ["b"]}', "json: cannot unmarshal array into Go value of type string"),
        ("[]", "json: cannot unmarshal array into Go value of type map[string]string"),
        ("true", "json: cannot unmarshal bool into Go value of type map[string]string"),
    ],
)
def test_an_object_of_other_than_texts_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(gojson.InvalidJson) as refused:
        gojson.texts(text)
    assert str(refused.value) == complaint


def test_an_object_of_texts() -> None:
    assert gojson.texts('{"a": "b", "c": null}') == {"a": "b", "c": ""}
    assert gojson.texts("null") == {}


def test_too_deep() -> None:
    with pytest.raises(gojson.InvalidJson, match="exceeded max depth"):
        gojson.check("[" * 20_000 + "]" * 20_000)
