"""What one workflow may cost: loops, nodes, texts; and that the rest of it waits when others do."""

import pytest
from playbook import START, Play, workflow

from call_counts import calls_of
from hera_utils.interpreter import ledger, loops
from hera_utils.interpreter import start as begin
from hera_utils.interpreter.advance import advance
from hera_utils.interpreter.commands import LaunchPod
from hera_utils.interpreter.events import Submitted
from hera_utils.interpreter.faults import Fault, Oversize
from hera_utils.interpreter.outputs import publish
from hera_utils.interpreter.state import Run
from hera_utils.interpreter.substitution import Variables

NONE = Variables({}, None)
POD = {"name": "t", "container": {"image": "i", "command": ["true"]}}
SMALL = "workflow is longer than maximum allowed size."


def expanded(**loop):
    return list(loops.expand({"name": "s", "template": "t", **loop}, NONE, 100))


@pytest.mark.parametrize(
    ("loop", "complaint"),
    [
        ({"withSequence": {"count": "101"}}, f"withSequence has more than 100 items: {SMALL}"),
        ({"withSequence": {"count": "1000000000"}}, f"withSequence has more than 100 items: {SMALL}"),
        ({"withSequence": {"end": "999999999"}}, f"withSequence has more than 100 items: {SMALL}"),
        (
            {"withSequence": {"start": "9" * 18, "end": "-" + "9" * 18}},
            f"withSequence has more than 100 items: {SMALL}",
        ),
        (
            {"withSequence": {"count": "1" + "0" * 30}},
            f'strconv.Atoi: parsing "1{"0" * 30}": value out of range',
        ),
        ({"withSequence": {"count": "9" * 5000}}, f'strconv.Atoi: parsing "{"9" * 5000}": value out of range'),
        ({"withSequence": {"count": "²"}}, 'strconv.Atoi: parsing "²": invalid syntax'),
        ({"withItems": list(range(101))}, f"withItems has more than 100 items: {SMALL}"),
        ({"withParam": str(list(range(101)))}, f"withParam has more than 100 items: {SMALL}"),
    ],
)
def test_a_loop_has_a_bound(loop, complaint):
    with pytest.raises(Fault) as fault:
        expanded(**loop)
    assert fault.value.message == complaint


def test_the_items_of_a_sequence_have_a_width():
    assert len(expanded(withSequence={"count": "3", "format": "%0100000d"})) == 3
    with pytest.raises(Fault, match="too wide"):
        expanded(withSequence={"count": "100", "format": "%0200000d"})


class Short(Play):
    """A run that may have few nodes."""

    def tell(self, event):
        self.run.most_nodes = 200
        return super().tell(event)


@pytest.mark.parametrize("kind", ["steps", "dag"])
def test_a_template_that_calls_itself_twice_has_a_bound(kind):
    calls = [{"name": f"s{n}", "template": "m"} for n in range(2)]
    main = {"name": "m", "steps": [calls]} if kind == "steps" else {"name": "m", "dag": {"tasks": calls}}
    with pytest.raises(Oversize, match="maximum allowed size. more than 200 nodes"):
        Short(workflow({"entrypoint": "m", "templates": [main]}))


def test_a_text_that_doubles_has_a_bound():
    doubled = {"parameters": [{"name": "x", "value": "{{inputs.parameters.x}}{{inputs.parameters.x}}"}]}
    first = {"parameters": [{"name": "x", "value": "0123456789"}]}
    templates = [{"name": "m", "steps": [[{"name": "s", "template": "t0", "arguments": first}]]}]
    for level in range(40):
        call = {"name": "s", "template": f"t{level + 1}", "arguments": doubled}
        templates.append(
            {"name": f"t{level}", "inputs": {"parameters": [{"name": "x"}]}, "steps": [[call]]},
        )
    templates.append(POD | {"name": "t40", "inputs": {"parameters": [{"name": "x"}]}})
    play = Play(workflow({"entrypoint": "m", "templates": templates}))
    assert play.phase in ("Failed", "Error")
    assert any("more than 20000000 characters" in node.get("message", "") for node in play.run.nodes.values())


def test_the_inputs_of_all_nodes_have_a_bound():
    given = {"parameters": [{"name": "x", "value": "{{workflow.parameters.big}}"}]}
    one = {"name": "s", "template": "t", "arguments": given, "withSequence": {"count": 100}}
    spec = {
        "entrypoint": "m",
        "arguments": {"parameters": [{"name": "big", "value": "x" * 1_000_000}]},
        "templates": [
            {"name": "m", "steps": [[one]]},
            POD | {"inputs": {"parameters": [{"name": "x"}]}},
        ],
    }
    with pytest.raises(Oversize, match="characters of names, inputs and messages"):
        Play(workflow(spec))


def test_output_parameters_of_all_nodes_have_a_bound():
    outputs = {"parameters": [{"name": "p", "valueFrom": {"path": "/p"}}]}
    loop = {"name": "s", "template": "t", "withSequence": {"count": 3}}
    spec = {"entrypoint": "m", "templates": [{"name": "m", "steps": [[loop]]}, POD | {"outputs": outputs}]}
    run = Play(workflow(spec))
    given = {"parameters": [{"name": "p", "value": "x" * 15_000_000}]}
    for number in (0, 1):
        run.end(f"wf[0].s({number}:{number})", outputs=given)
    with pytest.raises(Oversize, match="40000000 characters of outputs"):
        run.end("wf[0].s(2:2)", outputs=given)


RAW = {"artifacts": [{"name": "a", "path": "/a", "raw": {"data": "x" * 5000}}]}
BOUND = "100000 characters of names, inputs and messages"


@pytest.mark.parametrize(
    ("loop", "leaf"),
    [
        ({"withSequence": {"count": 30}}, {"inputs": RAW}),
        ({"withItems": [str(n) * 5000 for n in range(9)] * 3}, {}),
    ],
    ids=["raw", "names"],
)
def test_names_and_raw_artifacts_of_all_nodes_have_the_same_bound(loop, leaf, monkeypatch):
    monkeypatch.setattr(ledger, "MOST_CHARACTERS", 100_000)
    one = {"name": "s", "template": "t", **loop}
    with pytest.raises(Oversize, match=BOUND):
        Play(workflow({"entrypoint": "m", "templates": [{"name": "m", "dag": {"tasks": [one]}}, POD | leaf]}))


def test_messages_and_results_of_all_nodes_have_a_bound(monkeypatch):
    monkeypatch.setattr(ledger, "MOST_CHARACTERS", 100_000)
    monkeypatch.setattr(ledger, "MOST_OUTPUT_CHARACTERS", 100_000)
    loop = {"name": "s", "template": "t", "withSequence": {"count": 200}}
    spec = {"entrypoint": "m", "templates": [{"name": "m", "steps": [[loop]]}, POD]}
    run = Play(workflow(spec))
    run.end("wf[0].s(0:0)", outputs={"result": "x" * 90_000})
    with pytest.raises(Oversize, match="100000 characters of outputs"):
        run.end("wf[0].s(1:1)", outputs={"result": "x" * 20_000})
    nodes = Play(workflow(spec)).run.index.ledger
    one, other = list(nodes.nodes.values())[-2:]
    nodes.mark(one, "Failed", "x" * 90_000)
    nodes.mark(one, "Failed", "x" * 1000)
    nodes.mark(other, "Failed", "x" * 90_000)
    with pytest.raises(Oversize, match=BOUND):
        nodes.mark(one, "Failed", "x" * 20_000)


@pytest.mark.parametrize("kind", ["steps", "dag"])
def test_a_long_loop_is_written_out_and_opened_in_pieces(kind):
    loop = {"name": "s", "template": "t", "withSequence": {"count": 250}}
    main = {"name": "m", "steps": [[loop]]} if kind == "steps" else {"name": "m", "dag": {"tasks": [loop]}}
    spec = {"entrypoint": "m", "templates": [main, POD]}
    hurried, live = Play(workflow(spec), "hurried"), Play(workflow(spec))
    assert hurried.launched == live.launched
    assert len(hurried.launched) == 250
    assert list(hurried.run.nodes) == list(live.run.nodes)
    assert begin.GO_ON not in hurried.timers


def test_groups_of_which_nothing_runs_take_more_than_one_event():
    groups = [[{"name": f"s{n}", "template": "t", "when": "false"}] for n in range(30)]
    last = [{"name": "last", "template": "t", "when": "{{steps.s29.status}} == Skipped"}]
    spec = workflow({"entrypoint": "m", "templates": [{"name": "m", "steps": [*groups, last]}, POD]})
    events = []

    class Counted(Play):
        def tell(self, event):
            events.append(event)
            return super().tell(event)

    for mode, at_least in (("live", 1), ("hurried", 30), ("hurried, restored", 30)):
        events.clear()
        run = Counted(spec, mode)
        assert len(events) >= at_least
        assert len(run.launched) == 1


def test_depends_may_not_be_nested_too_deeply():
    tasks = [{"name": "a", "template": "t"}, {"name": "b", "template": "t", "depends": "(" * 5000 + "a" + ")" * 5000}]
    run = Play(workflow({"entrypoint": "m", "templates": [{"name": "m", "dag": {"tasks": tasks}}, POD]}))
    run.end("a")
    assert run.phase == "Error"
    assert "nested too deeply" in run.node("b")["message"]


@pytest.mark.parametrize("template", [POD, POD | {"tolerations": [{"operator": "Exists"}] * 40_000}])
def test_of_large_templates_fewer_nodes_are_opened_in_one_event(template):
    loop = {"name": "s", "template": "t", "withSequence": {"count": 20}}
    spec = {"entrypoint": "m", "templates": [{"name": "m", "steps": [[loop]]}, template]}
    run = Run(workflow(spec))
    run.is_late = lambda: True
    launched = [one for one in advance(run, Submitted(START, "seed")) if isinstance(one, LaunchPod)]
    if template is POD:
        assert 5 < len(launched) < 12  # least
    else:
        assert len(launched) == 1


def published(count):
    """The cost of making so many outputs of a pod outputs of the workflow."""
    outputs = [{"name": f"p{n}", "value": "v", "globalName": f"g{n}"} for n in range(count)]
    run = Play(workflow({"entrypoint": "t", "templates": [POD | {"outputs": {"parameters": outputs}}]}))
    calls = calls_of(lambda: publish(run.run.index, {"parameters": outputs}))
    assert run.run.document["status"]["outputs"]["parameters"][-1] == {"name": f"g{count - 1}", "value": "v"}
    publish(run.run.index, {"parameters": [{**outputs[0], "value": "w"}]})
    assert run.run.document["status"]["outputs"]["parameters"][0] == {"name": "g0", "value": "w"}
    assert len(run.run.document["status"]["outputs"]["parameters"]) == count
    return calls


def test_outputs_of_the_workflow_are_not_searched_for_each():
    assert published(800) < 5 * published(200)


def looked_at(count, monkeypatch):
    """The number of children that are read while so many tasks with the same dependency open."""
    children, looked = ledger.Ledger.children, [0]

    def counted(self, node):
        below = children(self, node)
        looked[0] += len(below)
        return below

    needing = [{"name": f"u{n}", "template": "t", "depends": "a.Succeeded || a.Failed"} for n in range(count)]
    spec = {
        "entrypoint": "m",
        "templates": [{"name": "m", "dag": {"tasks": [{"name": "a", "template": "t"}, *needing]}}, POD],
    }
    with monkeypatch.context() as patch:
        patch.setattr(ledger.Ledger, "children", counted)
        play = Play(workflow(spec))
        play.end("a")
        assert len(play.launched) == count + 1
    return looked[0]


def test_what_opens_below_a_task_is_not_looked_at_for_each_that_needs_it(monkeypatch):
    assert looked_at(200, monkeypatch) <= 2 * 200
