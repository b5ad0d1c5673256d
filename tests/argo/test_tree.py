"""Workflow documents as trees: fan-outs, retries, nested templates, what is still expected."""

from hypothesis import given
from hypothesis import strategies as st

from call_counts import calls_of
from hera_utils.argo.node_tree import seconds, tree

START, END = "2026-01-01T00:00:00Z", "2026-01-01T00:00:02Z"


def node(name, kind="Pod", phase="Succeeded", boundary="", **more):
    return {
        "id": name,
        "name": name,
        "displayName": name.rpartition(".")[2],
        "type": kind,
        "phase": phase,
        "boundaryID": boundary,
        "startedAt": START,
        "finishedAt": END,
        **more,
    }


def workflow(*nodes, phase="Running", templates=(), name="wf"):
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"entrypoint": "main", "templates": list(templates)},
        "status": {"phase": phase, "startedAt": START, "nodes": {n["id"]: n for n in nodes}},
    }


def dag(*tasks, name="main"):
    return {"name": name, "dag": {"tasks": list(tasks)}}


def retried(name, phase, boundary, message=""):
    return node(name, phase=phase, boundary=boundary, nodeFlag={"retried": True}, message=message)


def test_a_run_without_nodes_has_no_tree():
    assert tree(workflow()) == ()


def test_a_single_pod_is_its_own_tree():
    (root,) = tree(workflow(node("wf")))
    assert (root.label, root.phase, root.tasks, root.done) == ("wf", "Succeeded", 1, 1)


def test_a_dag_shows_its_tasks_in_the_order_they_were_written_and_counts_those_to_come():
    document = workflow(
        node("wf", "DAG", "Running", templateName="main"),
        node("wf.B", phase="Running", boundary="wf"),
        node("wf.A", boundary="wf"),
        templates=[dag({"name": "A", "template": "t"}, {"name": "B", "template": "t"}, {"name": "C", "template": "t"})],
    )
    (root,) = tree(document)
    assert [(part.label, part.phase) for part in root.parts] == [("A", "Succeeded"), ("B", "Running"), ("C", "")]
    assert (root.tasks, root.done, root.running) == (3, 1, 1)


def test_a_fan_out_is_one_branch():
    document = workflow(
        node("wf", "DAG", "Running", templateName="main"),
        node("wf.collect", "TaskGroup", "Running", boundary="wf"),
        node("wf.collect(0:a(1))", boundary="wf"),
        node("wf.collect(1:b)", phase="Failed", boundary="wf"),
        templates=[
            dag(
                {"name": "collect", "template": "t", "withItems": ["a(1)", "b", "c", "d"]},
                {"name": "gather", "template": "t"},
            )
        ],
    )
    (root,) = tree(document)
    collect, gather = root.parts
    assert collect.fan_out
    assert [part.label for part in collect.parts] == ["(0:a(1))", "(1:b)"]
    assert (collect.tasks, collect.done, collect.failed) == (4, 2, 1)
    assert (gather.label, gather.tasks, root.tasks) == ("gather", 1, 5)


def test_attempts_of_a_retried_task_count_once_and_the_last_says_why():
    document = workflow(
        node("wf", "Steps", "Failed", templateName="main"),
        node("wf[0]", "StepGroup", "Failed", boundary="wf"),
        node("wf[0].a", "Retry", "Failed", boundary="wf", message="No more retries left"),
        retried("wf[0].a(0)", "Failed", "wf", "main: Error (exit code 1)"),
        retried("wf[0].a(1)", "Failed", "wf", "main: Error (exit code 7)"),
        phase="Failed",
    )
    (root,) = tree(document)
    (task,) = root.parts
    assert (task.label, task.tasks, task.failed, task.retried) == ("a", 1, 1, 1)
    assert task.message == "main: Error (exit code 7)"


def test_a_retried_item_of_a_fan_out():
    document = workflow(
        node("wf", "DAG", "Succeeded", templateName="main"),
        node("wf.c", "TaskGroup", boundary="wf"),
        node("wf.c(0:x)", "Retry", boundary="wf"),
        retried("wf.c(0:x)(0)", "Failed", "wf"),
        retried("wf.c(0:x)(1)", "Succeeded", "wf"),
        phase="Succeeded",
    )
    (root,) = tree(document)
    (item,) = root.parts[0].parts
    assert (item.label, item.retried, len(item.attempts), item.phase) == ("(0:x)", 1, 2, "Succeeded")
    assert (root.tasks, root.done, root.failed, root.retried) == (1, 1, 0, 1)


def test_nested_templates_and_exit_handlers():
    document = workflow(
        node("wf", "DAG", "Succeeded", templateName="main"),
        node("wf.A", "DAG", "Succeeded", boundary="wf", templateName="inner"),
        node("wf.A.x", boundary="wf.A"),
        node("wf.A.y", boundary="wf.A"),
        node("wf.A.onExit", boundary="wf", nodeFlag={"hooked": True}),
        node("wf.onExit", nodeFlag={"hooked": True}),
        phase="Succeeded",
    )
    root, handler = tree(document)
    assert [part.label for part in root.parts] == ["A", "A.onExit"]
    assert [part.label for part in root.parts[0].parts] == ["x", "y"]
    assert (root.tasks, handler.label) == (3, "onExit")


def test_only_the_last_attempt_of_a_retried_template_counts():
    document = workflow(
        node("wf", "Retry", "Succeeded"),
        node("wf(0)", "Steps", "Failed", nodeFlag={"retried": True}),
        node("wf(0)[0].a", phase="Failed", boundary="wf(0)"),
        node("wf(1)", "Steps", "Succeeded", nodeFlag={"retried": True}),
        node("wf(1)[0].a", boundary="wf(1)"),
        phase="Succeeded",
    )
    (root,) = tree(document)
    assert (root.tasks, root.failed, root.retried) == (1, 0, 1)
    assert [part.label for part in root.parts] == ["a"]


def test_a_template_that_calls_itself_is_expected_once():
    recursive = {
        "name": "main",
        "steps": [[{"name": "flip", "template": "coin"}], [{"name": "again", "template": "main"}]],
    }
    (root,) = tree(workflow(node("wf", "Steps", "Running", templateName="main"), templates=[recursive]))
    assert root.tasks == 3


def test_times():
    assert seconds(node("wf")) == 2
    assert seconds({"startedAt": START}) is None


@given(st.lists(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=8), max_size=20, unique=True))
def test_any_item_value_keeps_its_branch(values):
    nodes = [node("wf", "DAG", "Running", templateName="main"), node("wf.t", "TaskGroup", "Running", boundary="wf")]
    nodes += [node(f"wf.t({index}:{value})", boundary="wf") for index, value in enumerate(values)]
    (root,) = tree(workflow(*nodes))
    assert root.parts[0].label == "t"
    assert [part.label for part in root.parts[0].parts] == [f"({index}:{value})" for index, value in enumerate(values)]
    assert len(list(root.leaves())) == (len(values) or 1)


def test_the_work_grows_with_the_nodes_and_no_faster():
    def calls(count):
        nodes = [node("wf", "DAG", "Running", templateName="main"), node("wf.t", "TaskGroup", "Running", boundary="wf")]
        document = workflow(*nodes, *(node(f"wf.t({index}:{index})", boundary="wf") for index in range(count)))
        (root,) = tree(document)
        assert root.done == count
        return calls_of(lambda: tree(document))

    assert calls(10_000) < 12 * calls(1000)


def test_a_hook_that_is_retried_is_no_attempt_of_its_own():
    """In Argo its Retry node has the flag of its attempts."""
    flag = {"nodeFlag": {"hooked": True, "retried": True}}
    document = workflow(
        node("wf", "DAG", templateName="main"),
        node("wf.A", boundary="wf"),
        node("wf.A.onExit", "Retry", boundary="wf", **flag),
        node("wf.A.onExit(0)", phase="Failed", boundary="wf", **flag),
        node("wf.A.onExit(1)", boundary="wf", **flag),
    )
    (root,) = tree(document)
    hook = next(part for part in root.parts if part.label == "A.onExit")
    assert ([one["name"] for one in hook.attempts], hook.retried, hook.node["type"]) == (
        ["wf.A.onExit(0)", "wf.A.onExit(1)"],
        1,
        "Retry",
    )
