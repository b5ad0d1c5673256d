"""The small pure parts: loops, dependencies, values, outcomes, progress, patches."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.expressions.entropy import Entropy
from hera_utils.interpreter import depends, loops, outcomes, podspec, progress, values
from hera_utils.interpreter.events import ContainerState, PodFinished
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.items import Item
from hera_utils.interpreter.nodes.retry import readable_duration
from hera_utils.interpreter.sprintf import sprintf
from hera_utils.interpreter.substitution import Variables

NONE = Variables({}, Entropy())


@pytest.mark.parametrize(
    ("step", "names"),
    [
        ({"withItems": ["a", 1, True, 1.5]}, ["t(0:a)", "t(1:1)", "t(2:true)", "t(3:1.5)"]),
        ({"withItems": [{"b": 2, "a": "x"}]}, ["t(0:a:x,b:2)"]),
        ({"withItems": [["x", 2]]}, ["t(0:[x 2])"]),
        ({"withItems": ["(odd)"]}, ["t(0:odd)"]),
        ({"withParam": '["p", {"k": "v"}]'}, ["t(0:p)", "t(1:k:v)"]),
        (
            {"withItems": [1.0, 1e-05, 1e-07, 10**22, 10**19, -0.0, 0.1]},
            ["t(0:1)", "t(1:0.00001)", "t(2:1e-7)", "t(3:1e+22)", "t(4:10000000000000000000)", "t(5:-0)", "t(6:0.1)"],
        ),
        (
            {"withParam": "[1e-3, 1.50, 1E5, 12345678901234567890123, -0, -0.0]"},
            ["t(0:1e-3)", "t(1:1.50)", "t(2:1E5)", "t(3:12345678901234567890123)", "t(4:-0)", "t(5:-0.0)"],
        ),
        (
            {"withParam": '[{"b": 1.50, "a": 1e-3, "c": [1e-3, 2.0], "d": {"f": 1E5, "e": "x y"}}]'},
            ['t(0:a:1e-3,b:1.50,c:[1e-3,2.0],d:{"f":1E5,"e":"x y"})'],
        ),
        ({"withParam": "[1, null, [null, 1e-3]]"}, ["t(0:1)", "t(1:[])", "t(2:[null 1e-3])"]),
        ({"withParam": '["\\u00fc", "<&>", "a\\"b"]'}, ["t(0:\\u00fc)", "t(1:<&>)", 't(2:a\\"b)']),
        ({"withParam": f"[{'9' * 5000}]"}, [f"t(0:{'9' * 5000})"]),
        ({"withSequence": {"count": "2", "format": "%s-%d"}}, ["t(0:%!sint=0-%!dMISSING)", "t(1:%!sint=1-%!dMISSING)"]),
        ({"withSequence": {"count": "1", "format": "x"}}, ["t(0:x%!EXTRA int=0)"]),
        ({"withSequence": {"count": "2"}}, ["t(0:0)", "t(1:1)"]),
        ({"withSequence": {"start": "3", "end": "1"}}, ["t(0:3)", "t(1:2)", "t(2:1)"]),
        ({"withSequence": {"start": "9", "count": "2", "format": "n%03d"}}, ["t(0:n009)", "t(1:n010)"]),
        ({"withSequence": {"count": "0"}}, []),
    ],
)
def test_loops(step: dict[str, object], names: list[str]) -> None:
    expanded = list(loops.expand({"name": "t", "template": "x", **step}, NONE, 100))
    assert [one["name"] for one in expanded] == names
    assert all(key not in one for one in expanded for key in ("withItems", "withParam", "withSequence"))


def test_items_are_filled_in() -> None:
    step = {
        "name": "t",
        "arguments": {"parameters": [{"name": "x", "value": "{{item.a}}-{{item}}"}]},
        "withItems": [{"a": "<1>"}],
    }
    (one,) = loops.expand(step, NONE, 100)
    assert one["arguments"]["parameters"][0]["value"] == '<1>-{"a":"\\u003c1\\u003e"}'  # as Go writes JSON


def test_a_loop_over_rubbish() -> None:
    with pytest.raises(Fault, match="withParam value could not be parsed as a JSON list: nonsense"):
        list(loops.expand({"name": "t", "withParam": "nonsense"}, NONE, 100))
    assert list(loops.expand({"name": "t", "withParam": "nonsense", "when": "1 == 2"}, NONE, 100)) == []


@pytest.mark.parametrize(
    ("form", "number", "text"),
    [
        ("%d", 7, "7"),
        ("%03d", 7, "007"),
        ("%x", 255, "ff"),
        ("%-4d|", 7, "7   |"),
        ("%+d", 7, "+7"),
        ("%%%d", 7, "%7"),
        ("%04X", 255, "00FF"),
        ("%#x %[1]O", -12, "-0xc -0o14"),
        ("%.3d|%8.3[1]d|%-8.3[1]d|", 7, "007|     007|007     |"),
        ("%+v % [1]d", 7, "7  7"),
        ("%c%[1]q", 300, "Ĭ'Ĭ'"),
        ("%c", -12, "\ufffd"),
        ("%U", 7, "U+0007"),
        ("%s", 7, "%!s(int=7)"),
        ("%05s", -12, "%!s(int=-0012)"),
        ("%5.2f", 7, "%!f(int=   07)"),
        ("%d-%d", 7, "7-%!d(MISSING)"),
        ("%[2]d", 7, "%!d(BADINDEX)"),
        ("%*d", 7, "%!d(MISSING)"),
        ("%0*[1]d|%-*[1]d|", 5, "00005|%!(BADWIDTH)5|"),
        ("%[1]*[1]d|", -3, "-3 |"),
        ("%.*[1]d|", 5, "00005|"),
        ("%.*d", -3, "%!(BADPREC)%!d(MISSING)"),
        ("%d%*d", 5, "5%!(BADWIDTH)%!d(MISSING)"),
        ("%*.*d", 5, "%!(BADPREC)%!d(MISSING)"),
        ("%[2]*[1]d", 5, "%!d(BADINDEX)"),
        ("%[x]d", 5, "%!d(BADINDEX)"),
        ("%[", 5, "%!(NOVERB)"),
        ("%*%", 5, "%"),
        ("%5.[1]d|%.[1]*[1]d|", 5, "    5|00005|"),
        ("%[1]5d", 5, "%!d(BADINDEX)"),
        ("%[1].3d|", 5, "%!d(BADINDEX)|"),
        ("%[1] d", 5, "%! (int=5)d"),
        ("a%", 7, "a%!(NOVERB)%!(EXTRA int=7)"),
        ("", 7, "%!(EXTRA int=7)"),
    ],
)
def test_formats_of_sequences(form: str, number: int, text: str) -> None:
    assert sprintf(form, number) == text


def test_a_format_of_a_sequence_is_not_endlessly_wide() -> None:
    with pytest.raises(Fault, match="too wide"):
        sprintf("%99999999d", 7)


TASKS = {"a": {"name": "a"}, "b-1": {"name": "b-1", "continueOn": {"failed": True}}}


def test_dependencies_become_depends() -> None:
    found = depends.of_task({"name": "c", "dependencies": ["a", "b-1"]}, TASKS)
    assert found.names == ("a", "b-1")
    assert (
        found.logic
        == "(a.Succeeded || a.Skipped || a.Daemoned) && (b-1.Succeeded || b-1.Skipped || b-1.Daemoned || b-1.Failed)"
    )


def test_bare_names_in_depends() -> None:
    found = depends.of_task({"name": "c", "depends": "a && !b-1.Failed"}, TASKS)
    assert found.logic == "(a.Succeeded || a.Skipped || a.Daemoned) && !b-1.Failed"


_WORDS = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed")


def _logic() -> st.SearchStrategy[str]:
    leaves = st.builds(lambda name, word: f"{name}.{word}", st.sampled_from(["a", "b-1"]), st.sampled_from(_WORDS))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(lambda one: f"!({one})", inner),
            st.builds(lambda one, other: f"({one} && {other})", inner, inner),
            st.builds(lambda one, other: f"{one} || {other}", inner, inner),
        ),
        max_leaves=6,
    )


@pytest.mark.parametrize(
    ("given_item", "item", "parts"),
    [
        ("1.50", "1.50", {}),
        ("null", "null", {}),
        ('"\\u00fc<"', "ü<", {}),
        ("[ 1.0, null ]", "[1.0,null]", {}),
        ('{"z": 1E5, "a": {"k": [ 1e-3 ]}, "s": "q\\"<", "z": -0}',
         '{"a":{"k":[1e-3]},"s":"q\\"\\u003c","z":-0}', {"z": "-0", "a": '{"k":[1e-3]}', "s": 'q\\"<'}),
    ],
)  # fmt: skip
def test_an_item_is_the_text_that_it_was_written_as(given_item: str, item: str, parts: dict[str, str]) -> None:
    assert dict(Item(given_item).variables()) == {
        "item": item,
        **{f"item.{key}": value for key, value in parts.items()},
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "unexpected end of JSON input"),
        ("[1", "unexpected end of JSON input"),
        ("nonsense", "invalid character 'o' in literal null (expecting 'u')"),
        ("tru", "invalid character ' ' in literal true (expecting 'e')"),
        ("[1 2]", "invalid character '2' after array element"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a": 1 2}', "invalid character '2' after object key:value pair"),
        ("{1}", "invalid character '1' looking for beginning of object key string"),
        ("[1]]", "invalid character ']' after top-level value"),
        ("-", "invalid character ' ' in numeric literal"),
        ("[1.]", "invalid character ']' after decimal point in numeric literal"),
        ("[1e]", "invalid character ']' in exponent of numeric literal"),
        ("['a']", "invalid character '\\'' looking for beginning of value"),
        ("[\\u00fc]", "invalid character '\\\\' looking for beginning of value"),
        ('["\\x"]', "invalid character 'x' in string escape code"),
        ('["\\u00g0"]', "invalid character 'g' in \\u hexadecimal character escape"),
        ('["\n"]', "invalid character '\\n' in string literal"),
        ("[NaN]", "invalid character 'N' looking for beginning of value"),
        ("ü", "invalid character 'Ã' looking for beginning of value"),
        ('{"a": 1}', "json: cannot unmarshal object into Go value of type []v1alpha1.Item"),
        ("1", "json: cannot unmarshal number into Go value of type []v1alpha1.Item"),
    ],
)
def test_what_is_no_list_is_refused_in_the_words_of_go(text: str, complaint: str) -> None:
    with pytest.raises(Fault) as fault:
        list(loops.expand({"name": "t", "withParam": text or " "}, NONE, 100))
    assert fault.value.message == f"withParam value could not be parsed as a JSON list: {text}: {complaint}"


def test_a_tag_within_the_items_of_a_task_must_be_known_but_not_within_those_of_a_step() -> None:
    loop = {"name": "t", "withParam": '["{{x}}"]'}
    assert [one["name"] for one in loops.expand(loop, NONE, 100)] == ["t(0:{{x}})"]
    with pytest.raises(Fault, match=r"failed to resolve \{\{x\}\}"):
        list(loops.expand(loop, NONE, 100, task=True))


@given(_logic(), st.lists(st.booleans(), min_size=16, max_size=16))
def test_the_short_way_through_depends_is_the_long_one(logic: str, flags: list[bool]) -> None:
    results = {"a": dict(zip(_WORDS, flags[:8], strict=True)), "b-1": dict(zip(_WORDS, flags[8:], strict=True))}
    python = logic.replace("-", "_").replace("&&", " and ").replace("||", " or ").replace("!", " not ")
    for name, result in results.items():
        for word, value in result.items():
            python = python.replace(f"{name.replace('-', '_')}.{word}", str(value))
    assert depends.is_true(logic, results) is _truth(python)


def _truth(text: str) -> bool:
    """A Python expression of True, False, and, or, not and parentheses."""
    import ast

    def walk(node: ast.expr) -> bool:
        if isinstance(node, ast.BoolOp):
            parts = [walk(one) for one in node.values]
            return all(parts) if isinstance(node.op, ast.And) else any(parts)
        if isinstance(node, ast.UnaryOp):
            return not walk(node.operand)
        assert isinstance(node, ast.Constant)
        return bool(node.value)

    return walk(ast.parse(text.strip(), mode="eval").body)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (5, "5"),
        (1.0, "1"),
        (1.5, "1.5"),
        (1e21, "1000000000000000000000"),
        (True, "true"),
        (None, ""),
        ([1, "a"], '[1,"a"]'),
    ],
)
def test_any_string(value: object, text: str) -> None:
    assert values.text_of(value) == text


def test_go_prints_lists_and_maps() -> None:
    assert values.go_print([1, "a", {"k": [True]}]) == "[1 a map[k:[true]]]"


@pytest.mark.parametrize(
    ("states", "fields", "phase", "message"),
    [
        ([("main", 0)], {"phase": "Succeeded"}, "Succeeded", ""),
        ([("main", 2)], {}, "Failed", "main: Error (exit code 2)"),
        ([("main", 137, "OOMKilled")], {}, "Failed", "main: OOMKilled (exit code 137)"),
        ([("main", 0), ("side", 143)], {}, "Succeeded", ""),
        ([("main", 0), ("side", 1)], {}, "Failed", "side: Error (exit code 1)"),
        ([("main", 0)], {"error": "open /x: no such file"}, "Error", "open /x: no such file"),
        ([("main", 1)], {"error": "open /x: no such file"}, "Failed", "main: Error (exit code 1)"),
        ([], {"message": "Pod was active on the node longer than the specified deadline"}, "Failed",
         "Pod was active on the node longer than the specified deadline"),
    ],
)  # fmt: skip
def test_outcomes(states: list[tuple[object, ...]], fields: dict[str, str], phase: str, message: str) -> None:
    containers = tuple(
        ContainerState(str(one[0]), int(str(one[1])), str(one[2]) if len(one) > 2 else "Error") for one in states
    )
    event = PodFinished(0.0, "", "n", **{"phase": "Failed", "containers": containers, **fields})  # type: ignore[arg-type]
    assert outcomes.of_pod(event, {"container": {}}) == outcomes.PodOutcome(phase, message)


def test_a_daemon_that_ends_failed() -> None:
    assert outcomes.of_pod(PodFinished(0.0), {"container": {}, "daemon": True}).phase == "Failed"


@pytest.mark.parametrize(
    ("text", "parsed"), [("3/10", (3, 10)), ("0/0", None), ("4/3", None), ("a/b", None), (None, None)]
)
def test_progress(text: object, parsed: tuple[int, int] | None) -> None:
    assert progress.parse(text) == parsed


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute 0 seconds"), (125, "2 minutes 5 seconds"),
     (3600, "1 hour 0 minutes"), (90061, "1 day 1 hours")],
)  # fmt: skip
def test_durations_in_words(seconds: float, words: str) -> None:
    assert readable_duration(seconds) == words


def test_a_pod_spec_patch_adds_a_mount_of_a_volume_that_is_mounted_elsewhere() -> None:
    def spec(*paths: str) -> dict[str, object]:
        return {
            "containers": [{"name": "main", "volumeMounts": [{"name": "data", "mountPath": path} for path in paths]}]
        }

    assert podspec.apply_patches(spec("/a", "/b"), [json.dumps(spec("/c"))]) == spec("/c", "/a", "/b")


@pytest.mark.parametrize(
    "patch",
    [
        "containers: [{image: x}]",
        "not: [json",
        "text",
        "{{workflow.nope}}",
        "containers: [{name: main, resources: {limits: {cpu: many}}}]",
        "containers: [{name: main, env: [{name: a, value: 1}]}]",
        "volumes: [{name: v, emptyDir: {sizeLimit: much}}]",
        "securityContext: {runAsUser: me}",
        "containers: 5",
        "activeDeadlineSeconds: soon",
    ],
)
def test_a_pod_spec_patch_that_cannot_be_applied(patch: str) -> None:
    with pytest.raises(Fault) as fault:
        podspec.apply_patches({"containers": [{"name": "main"}]}, [patch])
    assert fault.value.message == "Error applying PodSpecPatch"


def test_pod_spec_patch() -> None:
    spec = {"containers": [{"name": "main", "image": "i", "resources": {"limits": {"cpu": "1"}}}]}
    patch = '{"containers":[{"name":"main","resources":{"limits":{"memory":"1Gi"}}},{"name":"wait","image":"x"}]}'
    patched = podspec.apply_patches(spec, [patch, "terminationGracePeriodSeconds: 3"])
    assert patched["containers"] == [
        {"name": "main", "image": "i", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}
    ]
    assert patched["terminationGracePeriodSeconds"] == 3


def test_usage_is_in_argos_units() -> None:
    template = {"container": {"resources": {"requests": {"cpu": "2", "memory": "200Mi"}}}}
    states = [ContainerState("main", 0, "Completed", "", 10.0, 20.0)]
    assert outcomes.usage(states, template) == {"cpu": 20, "memory": 20}


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"image": "a", "env": [{"name": "x", "valueFrom": {"resourceFieldRef": {"resource": "abc"}}}]},
         'Pod "p" is invalid: spec.containers[1].env[0].valueFrom.resourceFieldRef.resource: Unsupported value: "abc"'),
        ({"name": "side"}, 'failed to look-up entrypoint/cmd for image ""'),
    ],
)  # fmt: skip
def test_pods_that_could_not_be_made(container: dict[str, object], message: str) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main", **container}]}}

    def check() -> None:
        podspec.check_commands(pod)
        podspec.check(pod)

    with pytest.raises(Fault) as caught:
        check()
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("resource", ["limits.memory", "requests.cpu", "limits.hugepages-2Mi"])
def test_resources_of_a_container_as_variables(resource: str) -> None:
    variable = {"name": "x", "valueFrom": {"resourceFieldRef": {"resource": resource}}}
    podspec.check(
        {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main", "image": "a", "env": [variable]}]}}
    )
