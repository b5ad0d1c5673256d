"""A container's view of the system, and the outcome of its command."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from stage import Stage, uid

from hera_utils.error_lines import OVER_MEMORY
from hera_utils.image_policies import policy_for_all
from hera_utils.images.table import ImageTable
from hera_utils.local_platform.pods import log_lines
from hera_utils.local_platform.pods.pod.pod_folder import PodFolder
from hera_utils.local_platform.pods.runtime import Launch
from waiting import until


def test_the_home_of_a_task_is_not_made_in_a_volume(stage: Stage, tmp_path: Path) -> None:
    claim = tmp_path / "claim"
    claim.mkdir()
    pod = stage.shell(
        "ls -A /work",
        main={
            "env": [{"name": "HOME", "value": "/work/of/mine"}],
            "volumeMounts": [{"name": "v", "mountPath": "/work"}],
        },
        spec={"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
        claims={"c": str(claim)},
    )
    assert stage.run(pod).phase == "Succeeded"
    assert stage.log(pod) == []


def test_a_command_runs_and_its_end_is_reported(stage: Stage) -> None:
    pod = stage.shell("echo one; echo two >&2; exit 3")
    before = time.time()
    end = stage.run(pod)
    assert (end.phase, end.message, end.reason, end.error) == ("Failed", "", "", "")
    (main,) = end.containers
    assert (main.name, main.exit_code, main.reason, main.message, main.init) == ("main", 3, "Error", "", False)
    assert main.started_at is not None
    assert main.finished_at is not None
    assert before <= main.started_at <= main.finished_at <= time.time()
    assert end.outputs == {"exitCode": "3"}
    assert stage.log(pod) == ["one", "two"]
    assert stage.started(pod.node_id).ip.startswith("127.")


@pytest.mark.parametrize(
    ("main", "message"),
    [
        ({"command": ["nowhere"]}, 'failed to find name in PATH: exec: "nowhere": executable file not found in $PATH'),
        ({"command": ["/no/such"]}, 'failed to find name in PATH: exec: "/no/such": stat /no/such: no such file or directory'),
        ({"command": ["/etc"]}, 'failed to find name in PATH: exec: "/etc": is a directory'),
        ({"command": ["/etc/passwd"]}, 'failed to find name in PATH: exec: "/etc/passwd": permission denied'),
    ],
)  # fmt: skip
def test_a_command_that_cannot_start_exits_64_with_the_emissary_message(
    stage: Stage, main: dict[str, object], message: str
) -> None:
    end = stage.run(stage.pod(main))
    assert (end.containers[0].exit_code, end.containers[0].message) == (64, message)
    assert end.phase == "Failed"


def test_a_signal_ends_with_128_plus_its_number(stage: Stage) -> None:
    assert stage.run(stage.shell("kill -9 $$$$")).containers[0].exit_code == 137
    assert stage.run(stage.shell("kill -TERM $$$$")).containers[0].exit_code == 143
    assert stage.run(stage.shell("kill -ABRT $$$$")).containers[0].exit_code == 134


def test_two_tasks_never_see_each_others_files(stage: Stage) -> None:
    places = ["/tmp/out.txt", "/mnt/x/y/z", "/results/a", "/dev/shm/b", "/var/tmp/c", "/run/d", "/argo/e"]
    write = "; ".join(f"mkdir -p {os.path.dirname(p)}; test ! -e {p} && echo mine > {p}" for p in places)
    for _ in range(3):
        end = stage.run(stage.shell(f"set -e; {write}; cat {' '.join(places)}"))
        assert end.phase == "Succeeded"
    assert not [p for p in places if os.path.exists(p)]


def test_nothing_of_this_machine_changes(stage: Stage) -> None:
    marker = Path.home() / ".hera-utils-test-marker"
    host_bin = os.listdir("/usr/bin")
    end = stage.run(
        stage.shell(f"echo x > {marker}; cat {marker}; rm -f /usr/bin/env; echo 1 > /etc/hera-utils-test; true")
    )
    assert end.phase == "Succeeded"
    assert not marker.exists()
    assert os.listdir("/usr/bin") == host_bin
    assert not os.path.exists("/etc/hera-utils-test")


def test_tmp_begins_empty_whatever_this_machine_has_there(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "host").write_text("x")
    pod = stage.shell("ls -A /tmp /var/tmp /dev/shm; stat -c %a /tmp")
    stage.run(pod)
    # These packages may be installed below /tmp themselves: then their folder is visible, and nothing else.
    installed = {Path(path).parts[2] for path in (sys.prefix, __file__) if path.startswith("/tmp/")}
    seen = [line for line in stage.log(pod) if line and not line.endswith(":")]
    assert [line for line in seen if line not in installed] == ["1777"]


def test_the_state_folder_is_not_to_be_seen(stage: Stage) -> None:
    (stage.state / "server.json").write_text("the token")
    pod = stage.shell(
        f"cat {stage.state}/server.json; ls -A {stage.state} 2>/dev/null | wc -l; cat /proc/mounts | grep -c own/tmp"
    )
    stage.run(pod)
    assert "the token" not in "\n".join(stage.log(pod))
    assert stage.log(pod)[-2] == "0"


def test_proc_shows_only_the_pods_own_processes(stage: Stage) -> None:
    pod = stage.shell(
        "ls /proc | grep -c '^[0-9]'; test -d /proc/$$$$ && echo here; readlink /proc/self/exe >/dev/null && echo self"
    )
    stage.run(pod)
    count, *rest = stage.log(pod)
    assert int(count) <= 6
    assert rest == ["here", "self"]


def test_the_devices_that_programs_need_are_there(stage: Stage) -> None:
    script = "echo x > /dev/null; head -c 4 /dev/urandom | wc -c; echo y > /dev/stdout; test -c /dev/zero; ls /dev/fd/0 >/dev/null"
    pod = stage.shell(script)
    stage.run(pod)
    assert stage.log(pod)[:2] == ["4", "y"]


def test_the_working_directory_is_made_and_used(stage: Stage) -> None:
    pod = stage.shell("pwd; echo a > b; ls", main={"workingDir": "/work/deep/er"})
    assert stage.run(pod).phase == "Succeeded"
    assert stage.log(pod) == ["/work/deep/er", "b"]
    pod = stage.shell("pwd")
    stage.run(pod)
    assert stage.log(pod) == ["/"]


def test_background_processes_end_with_the_command(stage: Stage) -> None:
    pod = stage.shell("(setsid sh -c 'while :; do sleep 0.05; done' &) ; sleep 987654321 & echo gone")
    assert stage.run(pod, timeout=5).phase == "Succeeded"
    assert stage.log(pod) == ["gone"]
    until(lambda: not _running("987654321"))


def _running(word: str) -> bool:
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and word in Path(f"/proc/{name}/cmdline").read_bytes().decode(errors="replace"):
                return True
        except OSError:
            continue
    return False


def test_kill_sends_sigterm_first(stage: Stage) -> None:
    pod = stage.shell("trap 'echo told; exit 7' TERM; echo up; while :; do sleep 0.05; done")
    stage.launch(pod)
    until(lambda: stage.log(pod) == ["up"])
    stage.runtime.kill(uid(pod))
    end = stage.finished(pod.node_id)
    assert (end.phase, end.containers[0].exit_code) == ("Failed", 7)
    assert stage.log(pod)[-1] == "told"


def test_kill_ends_the_whole_tree_of_one_that_does_not_listen(stage: Stage) -> None:
    pod = stage.shell(
        "trap '' TERM; (trap '' TERM; sleep 876543219) & (setsid sleep 876543219 &); echo up; while :; do sleep 1; done"
    )
    stage.launch(pod)
    until(lambda: stage.log(pod) == ["up"])
    at = time.monotonic()
    stage.runtime.kill(uid(pod), grace=0.3)
    end = stage.finished(pod.node_id)
    assert time.monotonic() - at > 0.2
    assert end.containers[0].exit_code == 137
    until(lambda: not _running("876543219"))


def test_force_does_not_wait(stage: Stage) -> None:
    pod = stage.shell("trap '' TERM; echo up; while :; do sleep 1; done")
    stage.launch(pod)
    until(lambda: stage.log(pod) == ["up"])
    stage.runtime.kill(uid(pod), force=True)
    assert stage.finished(pod.node_id, 5).containers[0].exit_code == 137


def test_the_deadline_of_a_pod(stage: Stage) -> None:
    pod = stage.shell("sleep 30", spec={"containers": [], "activeDeadlineSeconds": 1})
    pod.pod["spec"]["containers"] = [pod.template["container"]]
    end = stage.run(pod)
    assert (end.phase, end.reason) == ("Failed", "DeadlineExceeded")
    assert end.message == "Pod was active on the node longer than the specified deadline"
    assert end.outputs["exitCode"] == "143"


def test_memory_limits_hold(stage: Stage) -> None:
    hungry = "print('step 3', flush=True)\nx = bytearray(300_000_000)\nimport time\ntime.sleep(20)"
    pod = stage.pod(
        {"image": "python:3", "command": ["python", "-c", hungry], "resources": {"limits": {"memory": "60Mi"}}}
    )
    end = stage.run(pod)
    assert (end.containers[0].reason, end.containers[0].exit_code) == ("OOMKilled", 137)
    assert end.containers[0].tail == f"{OVER_MEMORY} of 60 MiB"  # not what it wrote last


def test_the_termination_message(stage: Stage) -> None:
    end = stage.run(stage.shell("echo -n because > /dev/termination-log; exit 1"))
    assert end.containers[0].message == "because"


def test_progress_is_reported_while_the_pod_runs(stage: Stage) -> None:
    pod = stage.shell(
        "echo 1/4 > $ARGO_PROGRESS_FILE; sleep 1; echo nonsense >> $ARGO_PROGRESS_FILE; echo 3/4 >> $ARGO_PROGRESS_FILE; sleep 1"
    )
    stage.run(pod)
    assert stage.progress(pod.node_id) == ["1/4", "3/4"]


def test_whatever_else_is_written_to_the_progress_file_is_nothing(stage: Stage) -> None:
    junk = ["²/³", "9" * 5000 + "/1", "1/" + "9" * 5000, "-1/2", "3/2", "0/0", "1/2/3", "/", "\\xff/1"]
    lines = "; ".join(f"printf '{text}\\n' >> $ARGO_PROGRESS_FILE; sleep 0.3" for text in junk)
    pod = stage.shell(f"{lines}; echo 1/2 >> $ARGO_PROGRESS_FILE; sleep 1; echo done")
    assert stage.run(pod).containers[0].exit_code == 0
    assert stage.progress(pod.node_id) == ["1/2"]


def test_logs_can_be_followed(stage: Stage) -> None:
    pod = stage.shell("for i in 1 2 3; do echo $i; sleep 0.1; done; printf last")
    stage.launch(pod)
    found = []
    for entry in stage.runtime.logs(uid(pod), "main", follow=True):
        if log_lines.is_heartbeat(entry):
            time.sleep(0.02)
        else:
            found.append(entry)
    assert [line for _, line in found] == ["1", "2", "3", "last"]
    assert [t for t, _ in found] == sorted(t for t, _ in found)
    assert found[2][0] - found[0][0] > 0.15


def test_an_unknown_image_names_the_fix(own_stage: Stage) -> None:
    own_stage.images = ImageTable(policy_for_all("stand-in"))
    own_stage.restart()
    end = own_stage.run(own_stage.pod({"image": "ghcr.io/lab/solver:2", "command": ["true"]}))
    assert end.phase == "Failed"
    assert 'no substitute for the image "ghcr.io/lab/solver:2"' in end.message
    assert "--images FILE" in end.message


def test_one_that_never_started_is_forgotten(stage: Stage) -> None:
    pod: Launch = stage.shell("echo x")
    stage.run(pod)
    folder = stage.state / "pods" / uid(pod)
    assert PodFolder(str(folder)).is_over()
    stage.runtime.forget(uid(pod))
    until(lambda: not folder.exists())
    assert stage.log(pod) == []


def test_the_host_name_is_the_pods(stage: Stage) -> None:
    pod = stage.shell("cat /proc/sys/kernel/hostname; echo $HOSTNAME")
    stage.run(pod)
    assert stage.log(pod) == [pod.pod["metadata"]["name"]] * 2


def test_a_terminal_for_those_who_ask(stage: Stage) -> None:
    script = "for n in 0 1 2; do test -t $n && echo yes || echo no; done"
    for asked, said in ((True, "yes"), (False, "no")):
        pod = stage.shell(script, main={"tty": asked, "stdin": asked})
        assert stage.run(pod).phase == "Succeeded"
        assert [line.rstrip("\r") for line in stage.log(pod)] == [said] * 3
