"""What a point's result depends on: the same however the workflow was cut, another as soon as something that it depends on is."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from written_sweeps import sweeps, task, workflow, written

from hera_utils.execution.fingerprints import Fingerprinter, changes
from hera_utils.experiment.sweeps import grid
from hera_utils.experiment.task_ownership import task_ownership


def container(name, image="alpine", **inputs):
    parameters = [{"name": key, **({} if value is None else {"value": value})} for key, value in inputs.items()]
    return {"name": name, "inputs": {"parameters": parameters}, "container": {"image": image, "command": [name]}}


def with_templates(document, *templates):
    spec = document["spec"]
    return {**document, "spec": {**spec, "templates": [*spec["templates"], *templates]}}


def fingerprints(document, sweep, points=None, **more):
    fingerprinter = Fingerprinter(more.pop("sources", lambda template: {}), **more)
    points = list(sweep if points is None else points)
    ownership = task_ownership(document, sweep.axes, points)
    assert ownership.whole == ""
    computed = fingerprinter.of_points(document, ownership, points)
    return {point.id: fingerprint for point, fingerprint in computed}, fingerprinter.texts


@settings(max_examples=100, deadline=None)
@given(sweeps(), st.data())
def test_a_fingerprint_does_not_depend_on_what_else_is_computed(made, data):
    sweep, style, named, _ = made
    points = list(sweep)
    templates = [container("stage"), container("work"), container("more")]
    whole, _ = fingerprints(with_templates(written(points, sweep.axes, style, named, False)[0], *templates), sweep)
    some = data.draw(st.lists(st.sampled_from(points), min_size=1, unique=True))
    some.sort(key=points.index)
    part, _ = fingerprints(with_templates(written(some, sweep.axes, style, named, False)[0], *templates), sweep, some)
    assert part == {point.id: whole[point.id] for point in some}
    assert len({json.dumps(one) for one in whole.values()}) == len(points), "no two points have the same"


SWEEP = grid(n=[1, 2])


def document(code="work", image="alpine", default="3", size="7", **more):
    tasks = [task("stage", "stage", {"size": size})]
    tasks += [task(f"t{n}", "work", {"n": str(n)}, depends="stage", **more) for n in (1, 2)]
    tasks.append(task("aside", "aside", {}))
    return with_templates(
        workflow(*tasks),
        container("stage"),
        {
            **container("work", image, n=None, digits=default),
            "retryStrategy": {"limit": 2} if code == "retried" else {},
        },
        container("aside", image="another" if code == "aside" else "alpine"),
    )


def told(old, new, **more):
    before, before_texts = fingerprints(old, SWEEP)
    after, after_texts = fingerprints(new, SWEEP, **more)
    point = SWEEP[0].id
    return changes(before[point], after[point], before_texts.get, after_texts.get)


def test_every_change_is_told_by_its_name():
    assert told(document(), document()) == []
    assert told(document(), document(code="retried")) == ["code of work changed"]
    assert told(document(), document(image="debian")) == ["image of work changed"]
    assert told(document(), document(default="4")) == ["argument work.digits changed"]
    assert told(document(), document(size="8")) == ["argument stage.size changed"]
    assert told(document(), document(code="aside")) == [], "a task that no point waits for changes none"
    shared = document()
    shared["spec"]["arguments"] = {"parameters": [{"name": "x", "value": "1"}]}
    assert told(document(), shared) == ["the workflow's arguments, volumes or entrypoint changed"]


def scripted(source="print(1)"):
    made = with_templates(workflow(*(task(f"t{n}", "say", {"n": str(n)}) for n in (1, 2))))
    made["spec"]["templates"].append(
        {"name": "say", "script": {"image": "python", "command": ["python"], "source": source}}
    )
    return made


def test_the_digest_of_an_image_that_is_pulled_counts():
    one, two = {"alpine": "sha256:1"}, {"alpine": "sha256:2"}
    assert told(document(), document(), digests=one) == ["image of stage, work changed"]
    assert told(document(image="lab/x"), document(image="lab/x"), digests={"other": "sha256:1"}) == []
    before, before_texts = fingerprints(document(), SWEEP, digests=one)
    after, after_texts = fingerprints(document(), SWEEP, digests=two)
    point = SWEEP[0].id
    assert changes(before[point], after[point], before_texts.get, after_texts.get) == ["image of stage, work changed"]
    assert changes(before[point], before[point], before_texts.get, before_texts.get) == []


def test_the_digests_of_sidecars_count_too():
    made = document()
    made["spec"]["templates"][2]["sidecars"] = [{"name": "s", "image": "lab/side:1"}]
    assert told(made, made, digests={"lab/side:1": "sha256:1"}) == ["image of work changed"]


def test_packages_of_this_machine_count_only_where_its_python_runs():
    point = SWEEP[0].id
    for digests, counts in (({}, True), ({"python": "sha256:1"}, False)):
        found, _ = fingerprints(scripted(), SWEEP, packages={"numpy": "2"}, digests=digests)
        assert ("python" in found[point]) == counts


def changed_sources(before, after, old="print(1)", new="print(1)"):
    was, was_texts = fingerprints(scripted(old), SWEEP, sources=lambda template: before)
    now, now_texts = fingerprints(scripted(new), SWEEP, sources=lambda template: after)
    point = SWEEP[0].id
    return changes(was[point], now[point], was_texts.get, now_texts.get)


def test_the_file_that_changed_is_named():
    assert changed_sources({"sir.model": "1", "sir": "0"}, {"sir.model": "2", "sir": "0"}) == [
        "code of say (sir.model) changed"
    ]
    assert changed_sources({"a": "1"}, {}) == ["code of say (a) changed"]
    assert changed_sources({"a": "1"}, {"a": "1"}, new="print(2)") == ["code of say changed"]


def test_a_comment_is_no_change():
    assert changed_sources({}, {}, new="# says one\nprint(1)  # here\n", old="print(1)\n") == []


def test_code_does_not_count_where_it_shall_not():
    old, old_texts = fingerprints(document(), SWEEP)
    new, new_texts = fingerprints(document(code="retried", image="debian", default="4"), SWEEP)
    point = SWEEP[0].id
    told = changes(old[point], new[point], old_texts.get, new_texts.get, code_counts=False)
    assert told == ["argument work.digits changed"]


def test_a_unit_begins_with_what_its_spec_says():
    """One container, or a stored workflow: no task of it says what runs."""

    def whole(**spec):
        templates = [container("small"), container("large")]
        return Fingerprinter(lambda template: {}).of_workflow(
            {"spec": {"entrypoint": "small", "templates": templates, **spec}}
        )

    assert whole() == whole()
    assert whole() != whole(entrypoint="large")
    assert whole(workflowTemplateRef={"name": "one"}) != whole(workflowTemplateRef={"name": "other"})


def test_packages_count_for_python_scripts_alone():
    scripted = with_templates(workflow(*(task(f"t{n}", "say", {"n": str(n)}) for n in (1, 2))))
    scripted["spec"]["templates"].append(
        {"name": "say", "script": {"image": "python", "command": ["python"], "source": "1"}}
    )
    old, old_texts = fingerprints(scripted, SWEEP, packages={"numpy": "1"})
    new, new_texts = fingerprints(scripted, SWEEP, packages={"numpy": "2", "scipy": "1"})
    point = SWEEP[0].id
    assert changes(old[point], new[point], old_texts.get, new_texts.get) == ["python package numpy, scipy changed"]
    assert (
        fingerprints(document(), SWEEP, packages={"numpy": "1"})[0]
        == fingerprints(document(), SWEEP, packages={"numpy": "2"})[0]
    )


def test_a_file_that_the_run_made_itself_is_no_change():
    old, new = {"files": {"a": "", "b": "1"}}, {"files": {"a": "9", "b": "1"}}
    assert changes(old, new, str, str) == []
    assert changes(new, {"files": {"a": "8"}}, str, str) == ["input file a, b changed"]
