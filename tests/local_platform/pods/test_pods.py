"""Pods of several containers: init containers, sidecars, container sets; daemons and readiness."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
from typing import Any

import pytest
from stage import Stage, uid

from hera_utils.interpreter.events import ContainerState, PodFinished, PodWaiting
from hera_utils.local_platform.pods.runtime import Launch
from waiting import until

Json = dict[str, Any]


def shell(name: str, script: str, **more: Any) -> Json:
    return {"name": name, "image": "alpine:3.20", "command": ["sh", "-c", script], **more}


def together(
    stage: Stage, main: str, *, inits: list[Json] | None = None, sidecars: list[Json] | None = None, **spec: Any
) -> Launch:
    shared = {"volumeMounts": [{"name": "s", "mountPath": "/s"}]}
    pod = stage.shell(main, main=shared, spec={"volumes": [{"name": "s", "emptyDir": {}}], **spec})
    for container in [*(inits or []), *(sidecars or [])]:
        container.setdefault("volumeMounts", shared["volumeMounts"])
    pod.pod["spec"]["initContainers"] = inits or []
    pod.pod["spec"]["containers"] += sidecars or []
    pod.template["sidecars"] = sidecars or []
    return pod


def states(end: PodFinished) -> dict[str, ContainerState]:
    return {c.name: c for c in end.containers}


def test_init_containers_run_in_order_before_main(stage: Stage) -> None:
    pod = together(
        stage, "cat /s/log", inits=[shell("one", "echo 1 >> /s/log"), shell("two", "sleep 0.1; echo 2 >> /s/log")]
    )
    end = stage.run(pod)
    assert end.phase == "Succeeded"
    assert stage.log(pod) == ["1", "2"]
    assert [(c.name, c.init) for c in end.containers] == [("one", True), ("two", True), ("main", False)]


def test_an_init_container_that_fails_keeps_main_from_starting(stage: Stage) -> None:
    pod = together(stage, "echo never", inits=[shell("one", "exit 4"), shell("two", "true")])
    end = stage.run(pod)
    assert end.phase == "Failed"
    assert {name: c.exit_code for name, c in states(end).items()} == {"one": 4}


def test_a_sidecar_ends_after_main(stage: Stage) -> None:
    sidecar = shell("helper", "trap 'echo bye; exit 0' TERM; echo ready > /s/up; while :; do sleep 0.02; done")
    pod = together(stage, "while [ ! -e /s/up ]; do sleep 0.02; done; echo done", sidecars=[sidecar])
    end = stage.run(pod, 10)
    assert end.phase == "Succeeded"
    assert stage.log(pod) == ["done"]
    assert stage.log(pod, "helper")[-1] == "bye"
    assert states(end)["helper"].exit_code == 0


def test_a_sidecar_that_does_not_listen_is_killed_and_forgiven(stage: Stage) -> None:
    sidecar = shell("deaf", "trap '' TERM; touch /s/up; while :; do sleep 1; done")
    pod = together(
        stage, "while [ ! -e /s/up ]; do sleep 0.02; done", sidecars=[sidecar], terminationGracePeriodSeconds=1
    )
    end = stage.run(pod, 10)
    assert (end.phase, states(end)["deaf"].exit_code) == ("Succeeded", 137)


def test_a_sidecar_that_fails_fails_the_pod(stage: Stage) -> None:
    pod = together(stage, "sleep 0.3", sidecars=[shell("broken", "exit 9")])
    end = stage.run(pod)
    assert (end.phase, states(end)["broken"].exit_code, states(end)["main"].exit_code) == ("Failed", 9, 0)


def test_containers_of_a_pod_share_volumes_and_nothing_else(stage: Stage) -> None:
    sidecar = shell("other", "echo x > /tmp/mine; touch /s/written; trap 'exit 0' TERM; while :; do sleep 0.02; done")
    pod = together(
        stage, "while [ ! -e /s/written ]; do sleep 0.02; done; ls /tmp | grep mine || true", sidecars=[sidecar]
    )
    assert stage.run(pod, 10).phase == "Succeeded"
    assert stage.log(pod) == []


def container_set(stage: Stage, *members: Json, **more: Any) -> Launch:
    pod = stage.shell("", **more)
    known = ("dependencies",)
    pod.pod["spec"]["containers"] = [{k: v for k, v in m.items() if k not in known} for m in members]
    pod.template.pop("container")
    pod.template["containerSet"] = {"containers": list(members), **pod.template.pop("set", {})}
    return pod


def test_a_container_set_follows_its_dependencies(stage: Stage) -> None:
    at = {"volumeMounts": [{"name": "s", "mountPath": "/s"}]}
    pod = container_set(
        stage,
        shell("a", "echo a >> /s/log", **at),
        shell("b", "sleep 0.2; echo b >> /s/log", **at, dependencies=["a"]),
        shell("c", "echo c >> /s/log", **at, dependencies=["b"]),
        shell("main", "cat /s/log; echo out > /s/out", **at, dependencies=["c", "a"]),
        spec={"volumes": [{"name": "s", "emptyDir": {}}]},
        template={"set": at, "outputs": {"parameters": [{"name": "o", "valueFrom": {"path": "/s/out"}}]}},
        include_script_output=True,
    )
    end = stage.run(pod)
    assert end.phase == "Succeeded"
    assert end.outputs == {"exitCode": "0", "result": "a\nb\nc", "parameters": [{"name": "o", "value": "out"}]}


def test_a_dependency_that_fails_settles_the_ones_after_it(stage: Stage) -> None:
    pod = container_set(
        stage,
        shell("a", "exit 3"),
        shell("b", "echo never", dependencies=["a"]),
        shell("c", "echo never", dependencies=["b"]),
        shell("d", "true"),
    )
    end = stage.run(pod)
    found = states(end)
    assert end.phase == "Failed"
    assert found["a"].exit_code == 3
    assert (found["b"].exit_code, found["b"].message) == (64, 'dependency "a" exited with non-zero code: 3')
    assert (found["c"].exit_code, found["c"].message) == (64, 'dependency "b" exited with non-zero code: 3')
    assert found["d"].exit_code == 0


def test_a_container_that_fails_ends_the_others_of_its_set(stage: Stage) -> None:
    pod = container_set(
        stage,
        shell("long", "exec sleep 1000"),
        shell("broken", "exit 3"),
        shell("after", "echo never", dependencies=["long"]),
    )
    end = stage.run(pod)
    assert end.phase == "Failed"
    assert {name: one.exit_code for name, one in states(end).items()} == {"long": 143, "broken": 3, "after": 143}


def test_containers_of_a_set_are_retried_in_place(stage: Stage) -> None:
    at = {"volumeMounts": [{"name": "s", "mountPath": "/s"}]}
    pod = container_set(
        stage, shell("main", "echo x >> /s/n; test $(wc -l < /s/n) -ge 3", **at),
        spec={"volumes": [{"name": "s", "emptyDir": {}}]}, template={"set": {**at, "retryStrategy": {"retries": "5", "duration": "10ms"}}},
    )  # fmt: skip
    assert stage.run(pod).phase == "Succeeded"


@pytest.mark.parametrize(
    ("strategy", "code", "message"),
    [
        ({"retries": "2"}, 3, ""),
        ({"retries": "3"}, 0, ""),
        ({"retries": 0}, 0, ""),
        ({"retries": "many"}, 0, ""),
        ({"duration": "soon"}, 3, ""),
        ({"retries": 9, "duration": "soon"}, 64, 'failed to get retry strategy: time: invalid duration "soon"'),
        ({"retries": 9, "duration": "2"}, 64, 'failed to get retry strategy: time: missing unit in duration "2"'),
        ({"retries": 9, "duration": "-1s"}, 64, "failed to get retry strategy: duration has to be positive, current duration: -1s "),
    ],
)  # fmt: skip
def test_the_retries_of_a_set_count_all_attempts(stage: Stage, strategy: Json, code: int, message: str) -> None:
    at = {"volumeMounts": [{"name": "s", "mountPath": "/s"}]}
    pod = container_set(
        stage, shell("main", "echo x >> /s/n; test $(wc -l < /s/n) -ge 3 || exit 3", **at),
        spec={"volumes": [{"name": "s", "emptyDir": {}}]}, template={"set": {**at, "retryStrategy": strategy}},
    )  # fmt: skip
    main = states(stage.run(pod))["main"]
    assert (main.exit_code, main.message) == (code, message)


def test_outputs_of_a_set_without_main_come_from_its_volumes(stage: Stage) -> None:
    at = {"volumeMounts": [{"name": "s", "mountPath": "/s"}]}
    pod = container_set(
        stage, shell("worker", "echo v > /s/out", **at), spec={"volumes": [{"name": "s", "emptyDir": {}}]},
        template={"set": at, "outputs": {"parameters": [{"name": "o", "valueFrom": {"path": "/s/out"}}]}},
    )  # fmt: skip
    end = stage.run(pod)
    assert (end.phase, end.outputs) == ("Succeeded", {"parameters": [{"name": "o", "value": "v"}]})


def test_outputs_of_a_set_wait_for_all_of_it(stage: Stage) -> None:
    at = {"volumeMounts": [{"name": "s", "mountPath": "/s"}]}
    parameters = [{"name": name, "valueFrom": {"path": path}} for name, path in (("o", "/s/out"), ("own", "/tmp/own"))]
    pod = container_set(
        stage, shell("slow", "sleep 0.3; echo late > /s/out", **at), shell("main", "echo mine > /tmp/own", **at),
        spec={"volumes": [{"name": "s", "emptyDir": {}}]}, template={"set": at, "outputs": {"parameters": parameters}},
    )  # fmt: skip
    end = stage.run(pod)
    assert end.error == ""
    assert end.outputs["parameters"] == [{"name": "o", "value": "late"}, {"name": "own", "value": "mine"}]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_daemon_is_started_when_it_is_ready(stage: Stage) -> None:
    port = free_port()
    server = f"sleep 0.4; exec python -m http.server {port} --bind 127.0.0.1 --directory /argo"
    for probe in ({"httpGet": {"path": "/", "port": port}}, {"tcpSocket": {"port": port}}):
        pod = stage.shell(server, main={"image": "python:3", "readinessProbe": probe}, template={"daemon": True})
        at = time.time()
        stage.launch(pod)
        start = stage.started(pod.node_id)
        assert start.at - at > 0.35
        socket.create_connection((start.ip, port), 1).close()
        stage.runtime.kill(uid(pod))
        end = stage.finished(pod.node_id)
        assert (end.phase, end.containers[0].exit_code) == ("Failed", 143)


def test_an_exec_probe_looks_inside_the_container(stage: Stage) -> None:
    pod = stage.shell(
        "sleep 0.4; touch /tmp/ready; sleep 30", template={"daemon": True},
        main={"readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/ready"]}}},
    )  # fmt: skip
    at = time.time()
    stage.launch(pod)
    assert stage.started(pod.node_id).at - at > 0.35
    stage.runtime.kill(uid(pod))
    stage.finished(pod.node_id)


def test_a_ready_daemon_holds_no_core(own_stage: Stage) -> None:
    own_stage.cores = 1
    own_stage.restart()
    daemon = own_stage.shell("sleep 60", template={"daemon": True})
    own_stage.launch(daemon)
    own_stage.started(daemon.node_id)
    assert own_stage.run(own_stage.shell("true"), 5).phase == "Succeeded"
    own_stage.runtime.kill(uid(daemon))
    own_stage.finished(daemon.node_id)


def test_pods_that_wait_for_each_other_both_run(own_stage: Stage, tmp_path: Any) -> None:
    """There is one core, and each pod waits for the other's file: a sleeping pod releases its core."""
    own_stage.cores = 1
    own_stage.restart()
    claim = tmp_path / "claim"
    pods = []
    for mine, other in (("a", "b"), ("b", "a")):
        pods.append(
            own_stage.shell(
                f"touch /c/{mine}; while [ ! -e /c/{other} ]; do sleep 0.1; done",
                main={"volumeMounts": [{"name": "c", "mountPath": "/c"}]},
                spec={"volumes": [{"name": "c", "persistentVolumeClaim": {"claimName": "c"}}]}, claims={"c": str(claim)},
            )
        )  # fmt: skip
    for pod in pods:
        own_stage.launch(pod)
    assert [own_stage.finished(pod.node_id, 15).phase for pod in pods] == ["Succeeded"] * 2


def test_at_most_as_many_pods_work_as_there_are_cores(own_stage: Stage) -> None:
    own_stage.cores = 2
    own_stage.restart()
    busy = "end=$(($(date +%s%N) + 300000000)); while [ $(date +%s%N) -lt $end ]; do :; done"
    pods = [own_stage.shell(busy) for _ in range(6)]
    for pod in pods:
        own_stage.launch(pod)
    for pod in pods:
        own_stage.finished(pod.node_id, 30)
    running = most = 0
    for _, kind in own_stage.order:
        running += {"PodStarted": 1, "PodFinished": -1}.get(kind, 0)
        most = max(most, running)
    assert most <= 2


def test_a_queued_pod_can_be_killed(own_stage: Stage) -> None:
    own_stage.cores = 1
    own_stage.restart()
    first = own_stage.shell("while :; do :; done")
    second = own_stage.shell("echo never")
    own_stage.launch(first)
    own_stage.launch(second)
    own_stage.runtime.kill(uid(second))
    assert own_stage.finished(second.node_id, 5).phase == "Failed"
    own_stage.runtime.kill(uid(first), force=True)
    own_stage.finished(first.node_id)
    assert own_stage.log(second) == []


def test_launching_twice_runs_once(stage: Stage) -> None:
    pod = stage.shell("echo once; sleep 0.2")
    for _ in range(3):
        stage.launch(pod)
    assert stage.finished(pod.node_id).phase == "Succeeded"
    stage.launch(pod)
    until(lambda: len([e for e in stage.events[pod.node_id] if isinstance(e, PodFinished)]) == 2)
    assert stage.log(pod) == ["once"]


def test_many_pods_from_many_threads(own_stage: Stage) -> None:
    own_stage.cores = 4
    own_stage.restart()
    pods = [own_stage.shell(f"echo {n}") for n in range(60)]
    threads = [
        threading.Thread(target=lambda part=part: [own_stage.launch(p) for p in part])
        for part in (pods[::3], pods[1::3], pods[2::3])
    ]
    for thread in threads:
        thread.start()
    for n, pod in enumerate(pods):
        assert own_stage.finished(pod.node_id, 60).phase == "Succeeded"
        assert own_stage.log(pod) == [str(n)]
    for thread in threads:
        thread.join()


def other_run(pod: Launch, run: str) -> Launch:
    return dataclasses.replace(pod, run_uid=run)


def test_runs_that_want_one_port_of_the_machine_take_turns(own_stage: Stage) -> None:
    port = {"ports": [{"containerPort": 80, "hostPort": 18080}]}
    first = own_stage.shell("sleep 30", main=port)
    same_run, second = (
        own_stage.shell("echo same", main=port),
        other_run(own_stage.shell("echo next", main=port), "run2"),
    )
    own_stage.launch(first)
    own_stage.started(first.node_id)
    own_stage.launch(second)
    own_stage.wait(lambda: own_stage.events.get(second.node_id))
    (waiting,) = own_stage.events[second.node_id]
    assert isinstance(waiting, PodWaiting)
    assert "didn't have free ports" in waiting.message
    assert own_stage.run(same_run).phase == "Succeeded"
    assert len(own_stage.events[second.node_id]) == 1
    own_stage.runtime.kill(uid(first), force=True)
    assert own_stage.finished(second.node_id).phase == "Succeeded"


def test_a_pod_for_another_processor_waits_until_it_is_killed(own_stage: Stage) -> None:
    elsewhere = own_stage.shell("echo never", spec={"nodeSelector": {"beta.kubernetes.io/arch": "no-such-arch"}})
    own_stage.launch(elsewhere)
    own_stage.wait(lambda: own_stage.events.get(elsewhere.node_id))
    assert "node affinity/selector" in own_stage.events[elsewhere.node_id][0].message  # type: ignore[attr-defined]
    here = own_stage.shell("echo here", spec={"nodeSelector": {"kubernetes.io/os": "linux", "pool": "large"}})
    assert own_stage.run(here).phase == "Succeeded"
    own_stage.runtime.kill(uid(elsewhere))
    assert own_stage.finished(elsewhere.node_id, 5).phase == "Failed"


def test_host_aliases_are_names_in_all_containers_of_the_pod(stage: Stage) -> None:
    aliases = [{"ip": "127.0.0.9", "hostnames": ["one.example", "two.example"]}]
    pod = together(
        stage,
        "getent hosts two.example; cat /s/said",
        inits=[shell("early", "getent hosts one.example > /s/said")],
        hostAliases=aliases,
    )
    assert stage.run(pod).phase == "Succeeded"
    assert [line.split()[0] for line in stage.log(pod)] == ["127.0.0.9"] * 2
    plain = stage.shell("getent hosts one.example || echo unknown")
    stage.run(plain)
    assert stage.log(plain) == ["unknown"]


def test_the_last_line_needs_no_newline(stage: Stage) -> None:
    pod = stage.shell("printf 'a\\nb'; printf c >&2")
    stage.run(pod)
    assert sorted(stage.log(pod)) in (["a", "bc"], ["a", "b", "c"])


def test_the_start_of_a_pod_is_told_also_while_others_wait_for_room(own_stage: Stage) -> None:
    """The start of a short pod is reported together with its end, that of a long pod soon."""
    own_stage.cores = 1
    own_stage.restart()
    short, long, last = own_stage.shell("true"), own_stage.shell("echo begun; sleep 1000"), own_stage.shell("true")
    for pod in (own_stage.shell("sleep 0.2"), short, long, last):  # all wait for the first
        own_stage.launch(pod)
    own_stage.started(long.node_id)
    assert [kind for node, kind in own_stage.order if node == short.node_id] == ["PodStarted", "PodFinished"]
    own_stage.runtime.kill(uid(long), force=True)
    assert own_stage.finished(last.node_id).phase == "Succeeded"
