"""What a template calls."""

from itertools import pairwise

from hera_utils.argo.node_tree import tree
from hera_utils.argo.template_calls import calls_of, depths, loop_count, step_groups

ONE, TWO, THREE = ({"name": name, "template": "t"} for name in ("one", "two", "three"))


def test_a_group_of_steps_is_a_list_a_mapping_or_null() -> None:
    template = {"steps": [[ONE, TWO], None, {"steps": [THREE]}, {}]}
    assert step_groups(template) == [[ONE, TWO], [], [THREE], []]
    assert calls_of(template) == [ONE, TWO, THREE]


def test_a_template_that_calls_nothing() -> None:
    assert calls_of({"container": {"image": "busybox"}}) == []
    assert calls_of({"dag": None, "steps": None}) == []


def test_a_tree_of_steps_with_an_empty_group() -> None:
    """Argo's server stores an empty group as null: the tree of such a run was a traceback."""
    templates = [{"name": "main", "steps": [None, [ONE]]}, {"name": "t", "container": {"image": "busybox"}}]
    document = {"metadata": {"name": "wf"}, "spec": {"entrypoint": "main", "templates": templates}}
    root = {"id": "wf", "name": "wf", "displayName": "wf", "type": "Steps", "phase": "Running", "templateName": "main"}
    (branch,) = tree({**document, "status": {"phase": "Running", "nodes": {"wf": root}}})
    assert [part.label for part in branch.parts] == ["one"]


def test_a_long_chain_that_is_written_last_first_is_in_order() -> None:
    names = [f"t{number}" for number in range(3000)]
    chain = [{"name": name, "depends": f"{before}.Succeeded"} for before, name in pairwise(names)]
    assert depths([*reversed(chain), {"name": "t0"}]) == {name: number for number, name in enumerate(names)}


def test_how_often_a_call_runs() -> None:
    assert loop_count({"name": "a"}) == 1
    assert loop_count({"name": "a", "withItems": []}) == 0
    assert loop_count({"name": "a", "withSequence": {"count": "3"}}) == 3
    assert loop_count({"name": "a", "withParam": "{{tasks.b.outputs.result}}"}) is None
