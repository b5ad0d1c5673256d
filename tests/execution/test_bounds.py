"""Templates that differ in their bounds alone, whatever they are of."""

import json

import pytest

from hera_utils.execution.bounds import differs_only_in_bounds


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ({"script": {"source": "a"}}, {"script": {"source": "a", "resources": {"limits": {"cpu": 1}}}}, True),
        ({"script": {"source": "a"}}, {"script": {"source": "b", "resources": {}}}, False),
        ({"dag": {}}, {"dag": {}, "failFast": False}, True),
        # In a DAG, failFast decides which tasks run.
        (
            {"dag": {"failFast": True}},
            {"dag": {"failFast": False}},
            False,
        ),
        ({"sidecars": [{"name": "s"}]}, {"sidecars": [{"name": "s", "resources": {"limits": {"cpu": 1}}}]}, True),
        ({"sidecars": [{"name": "s"}]}, {"sidecars": [{"name": "t"}]}, False),
        (
            {"containerSet": {"containers": [{"name": "a"}]}},
            {"containerSet": {"containers": [{"name": "a", "resources": {}}], "retryStrategy": {"retries": 2}}},
            True,
        ),
        ({"container": {"env": [{"name": "A", "value": "1"}]}}, {"container": {}}, False),
        ({"outputs": {}}, {}, True),
    ],
)
def test_what_is_the_same(before, after, same):
    assert differs_only_in_bounds(json.dumps(before), json.dumps(after)) is same
    assert differs_only_in_bounds(json.dumps(after), json.dumps(before)) is same


@pytest.mark.parametrize("text", ["no json", "[]", "3", ""])
def test_texts_without_a_template_differ(text):
    assert not differs_only_in_bounds(text, "{}")
