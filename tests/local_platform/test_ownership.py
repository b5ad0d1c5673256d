"""Server-side apply: two managers keep their fields, different values are a conflict that names the other manager, and fields that a
manager no longer applies are removed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.errors import Refused
from hera_utils.local_platform.kubernetes_api.ownership import BEFORE, apply, disown_changes, leaves, owners_of


def config(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": data}


def applied(live, manager, *, force=False, **data):
    return apply(live, config(**data), manager, force=force, at="2026-01-01T00:00:00Z", version="v1")


def test_two_who_apply_keep_what_is_theirs():
    one = applied(None, "ana", a="1")
    two = applied(one, "bob", b="2")
    assert two["data"] == {"a": "1", "b": "2"}
    assert owners_of(two) == {"ana": {("data", "a")}, "bob": {("data", "b")}}
    back = applied(two, "ana")
    assert back["data"] == {"b": "2"}
    assert applied(back, "bob") == {"metadata": {"name": "m", "managedFields": []}}


def test_a_disagreement_is_a_conflict_unless_forced():
    one = applied(None, "ana", a="1", b="1")
    with pytest.raises(Refused) as refused:
        applied(one, "bob", a="2")
    assert refused.value.reason == "Conflict"
    assert refused.value.message == 'Apply failed with 1 conflict: conflict with "ana" using v1: .data.a'
    with pytest.raises(Refused, match="2 conflicts: conflicts with .ana. using v1:\n- .data.a\n- .data.b"):
        applied(one, "bob", a="2", b="2")
    forced = applied(one, "bob", force=True, a="2")
    assert forced["data"] == {"a": "2", "b": "1"}
    assert owners_of(forced) == {"ana": {("data", "b")}, "bob": {("data", "a")}}


def test_the_same_value_is_shared_and_outlives_one_of_them():
    both = applied(applied(None, "ana", a="1"), "bob", a="1")
    assert owners_of(both) == {"ana": {("data", "a")}, "bob": {("data", "a")}}
    assert applied(both, "ana")["data"] == {"a": "1"}


def test_what_was_there_before_anybody_applied_is_protected():
    there = {"metadata": {"name": "m", "uid": "u"}, "data": {"a": "1"}}
    with pytest.raises(Refused, match=BEFORE):
        applied(there, "ana", a="2")
    assert applied(there, "ana", b="2")["data"] == {"a": "1", "b": "2"}


def test_applying_the_same_changes_nothing_not_even_a_time():
    one = applied(None, "ana", a="1")
    assert apply(one, config(a="1"), "ana", force=False, at="2027-01-01T00:00:00Z", version="v1") == one


def test_what_is_changed_otherwise_belongs_to_its_applier_no_more():
    one = applied(None, "ana", a="1", b="1")
    new = disown_changes(one, {**one, "data": {"a": "9", "b": "1"}})
    assert owners_of(new) == {"ana": {("data", "b")}}
    assert applied(new, "bob", a="2")["data"] == {"a": "2", "b": "1"}


keys = st.sampled_from("abc")
configs = st.dictionaries(keys, st.sampled_from("12"), max_size=3)


@given(st.lists(st.tuples(st.sampled_from(["ana", "bob", "eve"]), configs), max_size=8))
def test_in_the_end_everybody_has_what_they_said_last(steps):
    live, last = None, {}
    for who, data in steps:
        try:
            live = applied(live, who, **data)
        except Refused:
            continue
        last[who] = data
    for who, data in last.items():
        assert data.items() <= live.get("data", {}).items(), who
    if live is not None:
        said = {("data", key) for data in last.values() for key in data}
        assert set(dict(leaves(live))) == said == set().union(*owners_of(live).values())
