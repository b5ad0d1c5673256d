"""Fields that Argo does not know, wherever they stand in a document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.argo.schema import decode
from hera_utils.argo.unknown_fields import REMOVED, unknown_fields

CONTAINER = {
    "name": "a",
    "container": {"image": "x", "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "f"}}}]},
}


def paths(spec, kind="Workflow"):
    return [str(field) for field in unknown_fields({"kind": kind, "spec": spec}, kind)]


def test_what_argo_knows_is_known():
    spec = {
        "entrypoint": "a",
        "hooks": {"exit": {"template": "a"}},
        "templates": [
            CONTAINER,
            {"name": "s", "steps": [[{"name": "one", "template": "a", "withItems": [{"any": 1}, 2]}]]},
            {"name": "p", "plugin": {"any": {"thing": 1}}},
            {"Name": "case", "Container": {"IMAGE": "x"}},
        ],
    }
    assert paths(spec) == []


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"entrypont": "a"}, "`spec.entrypont`: did you mean `entrypoint`?"),
        ({"zzz": 1}, "`spec.zzz`"),
        ({"hooks": {"exit": {"templat": "a"}}}, "`spec.hooks.exit.templat`: did you mean `template`?"),
        ({"templates": [{"steps": [[{"whn": "x"}]]}]}, "`spec.templates[0].steps[0][0].whn`: did you mean `when`?"),
        ({"templates": [{"dag": {"tasks": [{"depend": "x"}]}}]}, "`spec.templates[0].dag.tasks[0].depend`"),
        ({"templates": [{"initContainers": [{"mirrorVolumeMount": 1}]}]}, "`spec.templates[0].initContainers[0]."),
        ({"volumes": [{"persistentVolumeClaims": {}}]}, "`spec.volumes[0].persistentVolumeClaims`"),
        ({"templates": [{"inline": {}}]}, "`spec.templates[0].inline`"),
    ],
)
def test_an_unknown_field_is_named_with_its_place(spec, field):
    (text,) = paths(spec)
    assert text.startswith(f"unknown field {field}")


def test_values_of_the_wrong_type_are_left_to_the_decoder():
    assert paths({"templates": {"name": "a"}}) == []
    assert paths({"hooks": [1], "volumes": "x", "arguments": 3}) == []


def test_a_removed_field_names_what_took_its_place():
    assert paths({"schedule": "* * * * *"}, "CronWorkflow") == [
        'unknown field `spec.schedule`: removed in Argo 4.0; write schedules: ["…"]'
    ]


@pytest.mark.parametrize(("struct", "field"), REMOVED)
def test_removed_fields_are_removed(struct, field):
    assert decode({field: None}, struct) == decode({}, struct)
    assert [found.path for found in _in_struct(struct, field)] == [(field,)]


def _in_struct(struct, field):
    return unknown_fields({field: {}}, struct.partition(".")[2])


names = st.text("abcdefgh", min_size=1, max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | names,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(names | st.sampled_from(["spec", "templates", "steps"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(values)
def test_any_document_has_an_answer(value):
    list(unknown_fields({"spec": value}, "Workflow"))
