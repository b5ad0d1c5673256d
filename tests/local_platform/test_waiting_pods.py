"""Only some of many waiting pods are in memory: the rest is read from the journal again."""

import toy_parts as toys

from hera_utils.interpreter.advance import advance
from hera_utils.interpreter.events import ShutdownRequested
from hera_utils.local_platform.controller import outstanding
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.pods import process, references
from waiting import until

TASKS = 12
WHOLE = {"requests": {"cpu": 1000}}
"""A request for the whole machine, so that one pod runs at a time."""


def many(command):
    arguments = {"parameters": [{"name": "n", "value": "{{item}}"}]}
    task = {"name": "t", "template": "pod", "arguments": arguments, "withSequence": {"count": TASKS}}
    variable = {"name": "WORD", "valueFrom": {"configMapKeyRef": {"name": "words", "key": "word"}}}
    container = {"image": "busybox", "command": ["sh", "-c", command], "env": [variable], "resources": WHOLE}
    pod = {"name": "pod", "inputs": {"parameters": [{"name": "n"}]}, "container": container}
    main = {"name": "main", "dag": {"tasks": [task]}}
    return {"metadata": {"generateName": "many-"}, "spec": {"entrypoint": "main", "templates": [main, pod]}}


def words(platform, value):
    platform.create("ConfigMap", "default", {"metadata": {"name": "words"}, "data": {"word": value}})


def lines_of(platform, name):
    pods = platform.pods("default", name)
    return sorted(line for pod in pods for _, line in platform.pod_log("default", pod.name, "main"))


def aside(platform):
    return len(platform._controller.effects.outstanding) - len(platform._controller.effects.outstanding._whole)


def ended(platform, name):
    return toys.wait(platform, "default", name, 120)


def few_at_hand(monkeypatch):
    monkeypatch.setattr(process, "AT_HAND", 1)
    monkeypatch.setattr(outstanding, "AT_HAND", 1)


def blocked(platform):
    """A run that takes the whole machine: nothing else starts before it is stopped."""
    pod = {"name": "pod", "container": {"image": "busybox", "command": ["sleep", "600"], "resources": WHOLE}}
    name = platform.submit("default", {"metadata": {"name": "first"}, "spec": {"entrypoint": "pod", "templates": [pod]}}).name  # fmt: skip
    until(lambda: '"Running"' in platform.pods("default", name)[0].text)


def unblock(platform):
    platform.act("default", "first", ShutdownRequested(0.0))


def test_pods_that_were_set_aside_run_as_the_others(tmp_path, monkeypatch):
    few_at_hand(monkeypatch)
    platform = LocalPlatform(tmp_path, advance=advance)
    try:
        words(platform, "a")
        blocked(platform)
        name = platform.submit("default", many("echo $WORD-{{inputs.parameters.n}}")).name
        until(lambda: aside(platform) > TASKS / 2)
        platform.delete("ConfigMap", "default", "words")
        words(platform, "b")  # pods that start later read this
        unblock(platform)
        assert ended(platform, name)["status"]["phase"] == "Succeeded"
        lines = lines_of(platform, name)
        assert sorted(int(line[2:]) for line in lines) == list(range(TASKS))
        assert "b-11" in lines
        assert len(platform._controller.effects.outstanding) == 0
    finally:
        platform.close()


def test_what_a_pod_that_was_set_aside_refers_to_may_go_and_come_again(tmp_path, monkeypatch):
    few_at_hand(monkeypatch)
    platform = LocalPlatform(tmp_path, advance=advance)
    try:
        words(platform, "a")
        blocked(platform)
        name = platform.submit("default", many("echo $WORD")).name
        until(lambda: aside(platform) > TASKS / 2)
        platform.delete("ConfigMap", "default", "words")
        unblock(platform)
        until(lambda: platform._launcher._waiting)
        words(platform, "b")
        assert ended(platform, name)["status"]["phase"] == "Succeeded"
        assert {*lines_of(platform, name)} == {"a", "b"}
    finally:
        platform.close()


def test_pods_that_were_set_aside_are_stopped_and_found_by_the_next_server(tmp_path, monkeypatch):
    few_at_hand(monkeypatch)
    platform = LocalPlatform(tmp_path, advance=advance)
    words(platform, "a")
    blocked(platform)
    ends, stops = (platform.submit("default", many("echo $WORD")).name for _ in range(2))
    until(lambda: aside(platform) > TASKS)
    platform.close()
    platform = LocalPlatform(tmp_path, advance=advance)
    try:
        assert len(platform._controller.effects.outstanding) == 2 * TASKS + 1
        platform.act("default", stops, ShutdownRequested(0.0))
        assert ended(platform, stops)["status"]["phase"] == "Failed"
        unblock(platform)
        assert ended(platform, ends)["status"]["phase"] == "Succeeded"
        assert lines_of(platform, ends) == ["a"] * TASKS
        assert lines_of(platform, stops) == []
    finally:
        platform.close()


def test_what_is_much_is_looked_up_when_a_pod_starts_and_not_held_for_those_that_wait_or_run(tmp_path, monkeypatch):
    """Three hundred pods with 20 config maps of a megabyte each used to need 13 GB."""
    monkeypatch.setattr(references, "_LITTLE_TEXT", 100)
    platform = LocalPlatform(tmp_path, advance=advance)
    try:
        words(platform, "a" * 200)
        blocked(platform)
        name = platform.submit("default", many("echo $WORD; sleep 0.3")).name
        runtime = platform._launcher.runtime
        until(lambda: len(runtime._pods) > TASKS / 2)
        assert not any(one.launch.config_maps for one in list(runtime._pods.values()))
        unblock(platform)
        until(lambda: any(one.started for uid, one in list(runtime._pods.items()) if one.launch.run_uid))
        assert not any(one.launch.config_maps for one in list(runtime._pods.values()))
        assert ended(platform, name)["status"]["phase"] == "Succeeded"
        assert lines_of(platform, name) == ["a" * 200] * TASKS
    finally:
        platform.close()


def test_a_pod_that_refers_to_too_much_fails_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(references, "MOST_TEXT", 1000)
    platform = LocalPlatform(tmp_path, advance=advance)
    try:
        words(platform, "a" * 1000)
        run = ended(platform, platform.submit("default", many("echo $WORD")).name)
        messages = {node.get("message") for node in run["status"]["nodes"].values() if node["type"] == "Pod"}
        assert run["status"]["phase"] == "Failed"
        (message,) = messages
        assert message.startswith("the config maps and secrets that the pod refers to have 1")
        assert message.endswith("mount a claim that has the files, or make them artifacts")
    finally:
        platform.close()
