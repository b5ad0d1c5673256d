"""Does the cost per task grow with the number of tasks?

    python benchmarks/fan_out.py [SIZE ...]        # default: 200 2000

Starts a local platform of its own, runs one workflow of SIZE `withItems` shell tasks for each size, and prints seconds,
milliseconds per task, the ratio to the first size, the server's peak memory, and what `xargs -P` needs for the same commands; and
processor milliseconds per task of the server alone, with the ratio to the first size: on a machine that others use too these count.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

COMMAND = [sys.executable, "-m", "hera_utils"]
WARM = 20  # tasks of the first workflow, which is not measured


def workflow(size):
    items = [str(n) for n in range(size)]
    return {
        "metadata": {"generateName": f"fan-out-{size}-"},
        "spec": {
            "entrypoint": "main",
            "templates": [
                {
                    "name": "main",
                    "dag": {
                        "tasks": [
                            {
                                "name": "task",
                                "template": "echo",
                                "arguments": {"parameters": [{"name": "n", "value": "{{item}}"}]},
                                "withItems": items,
                            }
                        ]
                    },
                },
                {
                    "name": "echo",
                    "inputs": {"parameters": [{"name": "n"}]},
                    "container": {
                        "image": "busybox",
                        "command": ["sh", "-c"],
                        "args": ["echo {{inputs.parameters.n}}"],
                    },
                },
            ],
        },
    }


def call(connection, method, path, body=None):
    request = urllib.request.Request(
        connection["argo_server"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {connection['token']}"},
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.loads(answer.read())


def seconds(connection, size):
    start = time.monotonic()
    name = call(connection, "POST", "/api/v1/workflows/default", {"workflow": workflow(size)})["metadata"]["name"]
    while True:
        status = call(connection, "GET", f"/api/v1/workflows/default/{name}?fields=status.phase,status.progress")[
            "status"
        ]
        if status.get("phase") not in ("", None, "Pending", "Running"):
            break
        time.sleep(0.2)
    assert status["phase"] == "Succeeded", status
    assert status["progress"] == f"{size}/{size}", status
    return time.monotonic() - start


def spent(pid):
    """Seconds of processor time of the server, without its workers."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def xargs(size):
    start = time.monotonic()
    numbers = "\n".join(map(str, range(size)))
    subprocess.run(
        ["xargs", "-P", str(os.cpu_count()), "-I{}", "sh", "-c", "echo {}"],
        input=numbers,
        text=True,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.monotonic() - start


def main():
    sizes = [int(size) for size in sys.argv[1:]] or [200, 2000]
    with tempfile.TemporaryDirectory() as state:
        environment = os.environ | {"HERA_UTILS_STATE": state, "HERA_UTILS_MOST_NODES": str(10 + max(WARM, *sizes))}
        subprocess.run([*COMMAND, "serve", "--detach"], env=environment, check=True)
        try:
            connection = json.loads(
                subprocess.check_output([*COMMAND, "connection", "--output", "json"], env=environment)
            )
            pid = json.loads((Path(state) / "server.json").read_text())["pid"]
            seconds(connection, WARM)
            first = first_spent = None
            head = ("tasks", "seconds", "ms/task", "to first", "to xargs", "server MB", "server ms", "to first")
            print("{:>7} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>8}".format(*head))
            for size in sizes:
                before = spent(pid)
                taken = seconds(connection, size)
                each, own = taken / size, (spent(pid) - before) / size
                first_spent = first_spent or own
                first = first or each
                memory = next(
                    line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")
                )
                row = (size, taken, each * 1000, each / first, taken / xargs(size), int(memory.split()[1]) / 1024)
                row += (own * 1000, own / first_spent)
                print("{:7} {:8.2f} {:8.2f} {:8.2f} {:8.1f} {:9.0f} {:9.2f} {:8.2f}".format(*row), flush=True)
        finally:
            subprocess.run([*COMMAND, "serve", "--stop"], env=environment, check=False)


if __name__ == "__main__":
    main()
