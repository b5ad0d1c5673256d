"""A minimal interpreter and runtime, for tests of the layers between the real ones."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path

from hera_utils.argo import timestamps
from hera_utils.interpreter.commands import Finish, LaunchPod
from hera_utils.interpreter.events import PodFinished, PodStarted, Submitted
from waiting import until


def advance(run, event):
    """Runs one container template, `count` times; nothing else."""
    status = run.document.setdefault("status", {})
    if isinstance(event, Submitted):
        status |= {"phase": "Running", "startedAt": timestamps.text(event.at)}
        template = run.document["spec"]["templates"][0]
        count = run.document["spec"].get("priority", 1)  # the count is in a field that the schema accepts
        commands = []
        for index in range(count):
            node = f"{run.name}-{index}"
            run.nodes[node] = {"id": node, "name": node, "type": "Pod", "phase": "Pending"}
            run.changed.add(node)
            container = {**template["container"], "name": "main"}
            pod = {"metadata": {"name": node, "labels": {"index": str(index)}}, "spec": {"containers": [container]}}
            pod["spec"]["volumes"] = run.document["spec"].get("volumes") or []
            commands.append(LaunchPod(node, pod, template))
        run.memory["open"] = count
        return commands
    if isinstance(event, PodStarted):
        run.nodes[event.node_id]["phase"] = "Running"
    elif isinstance(event, PodFinished):
        run.nodes[event.node_id] |= {"phase": event.phase, "message": event.message}
        run.memory["open"] -= 1
    else:
        return []
    run.changed.add(event.node_id)
    if run.memory["open"]:
        return []
    failed = any(node["phase"] == "Failed" for node in run.nodes.values())
    status |= {"phase": "Failed" if failed else "Succeeded", "finishedAt": timestamps.text(event.at)}
    return [Finish()]


class ToyRuntime:
    """Runs `command` + `args` of the main container. Pods survive in `pods/<uid>/` as far as the tests need."""

    def __init__(self, state: Path, report) -> None:
        self.state, self.report = state, report
        self.running: dict[str, subprocess.Popen] = {}

    def refusal(self):
        return None

    def waiting(self):
        return {}

    def folder(self, uid: str) -> Path:
        return self.state / "pods" / uid

    def launch(self, launch) -> None:
        folder = self.folder(launch.pod["metadata"]["uid"])
        if folder.exists():
            return
        folder.mkdir(parents=True)
        threading.Thread(target=self._run, args=(launch, folder), daemon=True).start()

    def _run(self, launch, folder: Path) -> None:
        container = launch.pod["spec"]["containers"][0]
        command = [*(container.get("command") or ()), *(container.get("args") or ())]
        self.report(launch.run_uid, PodStarted(time.time(), "", launch.node_id))
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
            self.running[launch.pod["metadata"]["uid"]] = process
            code = process.wait()
        (folder / "code").write_text(str(code))
        self._tell(launch, code)

    def _tell(self, launch, code: int) -> None:
        phase = "Succeeded" if code == 0 else "Failed"
        message = "" if code == 0 else f"Error (exit code {code})"
        self.report(launch.run_uid, PodFinished(time.time(), "", launch.node_id, phase, "", message))

    def prepare(self) -> None:
        pass

    def kill(self, pod_uid, *, grace=30.0, force=False) -> None:
        process = self.running.get(pod_uid)
        if process is not None:
            process.kill()

    def reattach(self, launch) -> None:
        folder = self.folder(launch.pod["metadata"]["uid"])
        if not folder.exists():
            self.launch(launch)
        else:
            threading.Thread(target=self._wait, args=(launch, folder), daemon=True).start()

    def _wait(self, launch, folder: Path) -> None:
        while not (folder / "code").exists() or not (folder / "code").read_text():
            time.sleep(0.02)
        self._tell(launch, int((folder / "code").read_text()))

    def logs(self, pod_uid, container, *, follow=False, tail=None):
        for line in (self.folder(pod_uid) / "log").read_text().splitlines():
            yield 0.0, line

    def forget(self, pod_uid) -> None:
        for path in self.folder(pod_uid).glob("*"):
            path.unlink()
        if self.folder(pod_uid).exists():
            self.folder(pod_uid).rmdir()

    def close(self) -> None:
        pass


def workflow(*command: str, count: int = 1, **spec) -> dict:
    """A workflow that runs one command `count` times."""
    template = {"name": "main", "container": {"image": "busybox", "command": list(command)}}
    return {
        "metadata": {"generateName": "toy-"},
        "spec": {"entrypoint": "main", "templates": [template], "priority": count, **spec},
    }


def wait(platform, namespace: str, name: str, seconds: float = 60.0) -> dict:
    """Wait until the workflow has ended. Returns it."""

    def ended() -> dict | None:
        document = json.loads(platform.get("Workflow", namespace, name).text)
        return document if document["status"].get("phase") in ("Succeeded", "Failed", "Error") else None

    return until(ended, seconds)
