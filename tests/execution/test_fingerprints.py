"""What a point's result depends on: the same however the workflow was cut, another as soon as something that it depends on is."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from written_sweeps import sweeps, task, workflow, written

from hera_utils.execution.fingerprint_diff import describe_at_length, describe_changes, find_changes
from hera_utils.execution.fingerprints import Fingerprinter
from hera_utils.experiment.sweeps import grid
from hera_utils.experiment.task_ownership import task_ownership


def changes(*fingerprints, **more):
    return describe_changes(find_changes(*fingerprints, **more))


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
    assert ownership.unit_reason == ""
    computed = fingerprinter.fingerprint_points(document, ownership, points)
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


BOUNDS = {
    "retryStrategy": {"limit": 2}, "activeDeadlineSeconds": 60, "nodeSelector": {"disk": "fast"}, "parallelism": 2,
    "synchronization": {"mutexes": [{"name": "licence"}]}, "sidecars": [],
    "container": {"image": "alpine", "command": ["work"], "resources": {"limits": {"memory": "4Gi"}}},
}  # fmt: skip


def document(code="work", image="alpine", default="3", size="7", **more):
    tasks = [task("stage", "stage", {"size": size})]
    tasks += [task(f"t{n}", "work", {"n": str(n)}, depends="stage", **more) for n in (1, 2)]
    tasks.append(task("aside", "aside", {}))
    return with_templates(
        workflow(*tasks),
        container("stage"),
        {
            **container("work", image, n=None, digits=default),
            **({"daemon": True} if code == "daemon" else BOUNDS if code == "bounded" else {}),
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
    assert told(document(), document(code="daemon")) == ["code of work changed"]
    assert told(document(), document(image="debian")) == ["image of work changed"]
    assert told(document(), document(default="4")) == ["argument work.digits changed"]
    assert told(document(), document(size="8")) == ["argument stage.size changed"]
    assert told(document(), document(code="aside")) == [], "a task that no point waits for changes none"
    shared = document()
    shared["spec"]["arguments"] = {"parameters": [{"name": "x", "value": "1"}]}
    assert told(document(), shared) == ["the workflow's arguments, volumes or entrypoint changed"]


def test_bounds_do_not_change_the_fingerprint():
    assert told(document(), document(code="bounded")) == []
    assert told(document(code="bounded"), document()) == []
    defaults = document()
    defaults["spec"]["templateDefaults"] = {"retryStrategy": {"limit": 3}}
    assert told(document(), defaults) == []
    defaults["spec"]["templateDefaults"]["daemon"] = True
    assert told(document(), defaults) == ["the workflow's arguments, volumes or entrypoint changed"]


def test_a_change_besides_bounds_changes_the_fingerprint():
    changed = document(code="bounded")
    changed["spec"]["templates"][2]["container"]["command"] = ["other"]
    assert told(document(), changed) == ["code of work changed"]


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


def a_python(**packages):
    return lambda template: {"of": "", "packages": packages, "modules": {}, "computed": ""}


def test_packages_of_this_machine_count_only_where_its_python_runs():
    point = SWEEP[0].id
    for digests, counts in (({}, True), ({"python": "sha256:1"}, False)):
        found, _ = fingerprints(scripted(), SWEEP, python=a_python(numpy="2"), digests=digests)
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
        return Fingerprinter(lambda template: {}).fingerprint_workflow(
            {"spec": {"entrypoint": "small", "templates": templates, **spec}}
        )

    assert whole() == whole()
    assert whole() != whole(entrypoint="large")
    assert whole(workflowTemplateRef={"name": "one"}) != whole(workflowTemplateRef={"name": "other"})


def python_changes(before, after):
    """Of two fingerprints of a Python script, with these Pythons."""
    old, old_texts = fingerprints(scripted(), SWEEP, python=before)
    new, new_texts = fingerprints(scripted(), SWEEP, python=after)
    point = SWEEP[0].id
    found = find_changes(old[point], new[point], old_texts.get, new_texts.get)
    return [line for one in found for line in describe_at_length(one, "run-1", old_texts.get, new_texts.get)]


def test_packages_are_told_with_both_versions():
    assert python_changes(a_python(numpy="1", six="1"), a_python(numpy="2", six="1")) == ["python package numpy: 1 → 2"]
    assert python_changes(a_python(numpy="1"), a_python(numpy="1", scipy="1")) == [], (
        "then the code has changed as well"
    )
    assert python_changes(a_python(numba=""), a_python(numba="0.6")) == ["python package numba: none → 0.6"]
    assert python_changes(a_python(yaml=""), a_python(pyyaml="6")) == ["python package yaml: none → there"]
    plain = fingerprints(document(), SWEEP, python=a_python(numpy="1"))[0]
    assert plain == fingerprints(document(), SWEEP, python=a_python(numpy="2"))[0], "no Python script"


def older(fingerprint, texts, packages):
    """As an older version would have written it: the names of all packages, in one mapping."""
    digest = "of-all"
    return {**fingerprint, "python": digest}, {**texts, digest: json.dumps(packages)}


def test_an_older_record_knows_all_packages_of_the_python_that_submitted():
    point = SWEEP[0].id
    for packages, other, told in (
        ({"numpy": "1", "six": "1"}, "", []),
        ({"numpy": "2", "six": "1"}, "", ["python package numpy changed"]),
        ({"numpy": "1", "six": "2"}, "", []),
        ({"numpy": "2"}, "another", []),
    ):
        python = {"of": other, "packages": {"numpy": "1", "python": "3.11"}, "modules": {"mine": "x"}, "computed": ""}
        new, new_texts = fingerprints(scripted(), SWEEP, python=lambda template, python=python: python)
        old, old_texts = older(new[point], new_texts, packages)
        assert changes(old, new[point], old_texts.get, new_texts.get) == told, packages


def test_what_is_installed_in_place_counts_by_its_code():
    def installed(source):
        return lambda template: {"of": "", "packages": {}, "modules": {"mine.model": source}, "computed": ""}

    assert python_changes(installed("a = 1"), installed("a = 1")) == []
    assert python_changes(installed("a = 1"), installed("a = 2")) == ["code of mine.model: a = 1 → a = 2"]


def referring(**reference):
    made = with_templates(workflow(*(task(f"t{n}", "", {"n": str(n)}) for n in (1, 2))))
    for one in made["spec"]["templates"][0]["dag"]["tasks"]:
        one.pop("template")
        one["templateRef"] = {"name": "library", "template": "step", **reference}
    return made


def library(command, inner="inner"):
    def stored(kind, name):
        return {
            "spec": {
                "templates": [
                    {"name": "step", "dag": {"tasks": [{"name": "a", "template": inner}]}},
                    container("inner") | {"container": {"image": "alpine", "command": [command]}},
                    container("unused") | {"container": {"image": "alpine", "command": [command * 2]}},
                    container("other"),
                ]
            }
        }

    return stored


def referred(before, after):
    old, old_texts = fingerprints(referring(), SWEEP, stored=before)
    new, new_texts = fingerprints(referring(), SWEEP, stored=after)
    point = SWEEP[0].id
    return changes(old[point], new[point], old_texts.get, new_texts.get)


def test_the_content_of_stored_templates_counts_as_far_as_it_is_reached():
    assert referred(library("true"), library("true")) == []
    assert referred(library("true"), library("false")) == ["referenced template library/inner changed"]
    assert referred(library("true", "other"), library("false", "other")) == []
    assert referred(library("true"), lambda kind, name: None) == [], "nobody can be asked"
    fingerprinter = Fingerprinter(lambda template: {}, stored=lambda kind, name: None)
    list(fingerprinter.fingerprint_points(referring(), task_ownership(referring(), SWEEP.axes, list(SWEEP)), SWEEP))
    assert fingerprinter.unread == {"library"}


def test_a_stored_workflow_counts_as_a_whole():
    def whole(stored):
        fingerprinter = Fingerprinter(lambda template: {}, stored=stored)
        return fingerprinter.fingerprint_workflow({"spec": {"workflowTemplateRef": {"name": "library"}}})

    assert whole(library("true")) == whole(library("true"))
    assert whole(library("true")) != whole(library("false"))


def test_images_that_only_a_tag_names_are_listed():
    pinned = "lab/x@sha256:" + "a" * 64
    for image, tagged in (("lab/x:1", {"lab/x:1", "alpine"}), (pinned, {"alpine"})):
        fingerprinter = Fingerprinter(lambda template: {}, tagged=set())
        made = document(image=image)
        list(fingerprinter.fingerprint_points(made, task_ownership(made, SWEEP.axes, list(SWEEP)), SWEEP))
        assert fingerprinter.tagged == tagged


def test_code_is_told_as_a_diff():
    old, old_texts = fingerprints(scripted("a = 1\nprint(a)\n" + "b = 2\n" * 30), SWEEP)
    new, new_texts = fingerprints(scripted("a = 2\nprint(a)\n" + "b = 2\n" * 30), SWEEP)
    point = SWEEP[0].id
    (one,) = find_changes(old[point], new[point], old_texts.get, new_texts.get)
    first, *lines = describe_at_length(one, "run-1", old_texts.get, new_texts.get)
    assert (first, lines[:2]) == ("code of say:", ["--- run-1", "+++ now"])
    assert ("-a = 1" in lines, "+a = 2" in lines) == (True, True)
    assert len(lines) < 15, "only what is near"
    assert describe_at_length(one, "run-1", lambda digest: "", new_texts.get) == [
        "code of say: the text of run-1 was not kept"
    ]


def test_a_secret_is_not_kept():
    secret = "hunter2-is-long"
    made = scripted(f"key = '{secret}'")
    found, texts = fingerprints(made, SWEEP, hides=lambda text: secret in text)
    assert found == fingerprints(made, SWEEP)[0]
    assert not any(secret in text for text in texts.values())


def test_what_differs_is_a_change_though_no_text_is_known():
    old, _ = fingerprints(document(), SWEEP)
    point = SWEEP[0].id
    for new in (document(code="daemon"), document(image="debian")):
        after, _ = fingerprints(new, SWEEP)
        assert changes(old[point], after[point], lambda digest: "", lambda digest: "") != []


def test_a_hidden_text_hides_no_change():
    for new in (document(code="daemon"), document(image="debian"), document(size="8")):
        before, before_texts = fingerprints(document(), SWEEP, hides=lambda text: True)
        after, after_texts = fingerprints(new, SWEEP, hides=lambda text: True)
        point = SWEEP[0].id
        hidden = changes(before[point], after[point], before_texts.get, after_texts.get)
        assert hidden == told(document(), new)


def test_arguments_are_told_by_their_values():
    old, old_texts = fingerprints(document(size="7"), SWEEP)
    new, new_texts = fingerprints(document(size="8"), SWEEP)
    point = SWEEP[0].id
    (one,) = find_changes(old[point], new[point], old_texts.get, new_texts.get)
    assert describe_at_length(one, "run-1", old_texts.get, new_texts.get) == ["argument stage.size: 7 → 8"]


def test_a_file_that_the_run_made_itself_is_no_change():
    old, new = {"files": {"a": "", "b": "1"}}, {"files": {"a": "9", "b": "1"}}
    assert changes(old, new, str, str) == []
    assert changes(new, {"files": {"a": "8"}}, str, str) == ["input file a, b changed"]
