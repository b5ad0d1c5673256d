"""What does a sweep cost, planned and run?

    python benchmarks/sweep.py [POINTS ...]        # default: 500 2000

Plans a grid of 100,000 points (seconds and memory, the import of Hera apart), then runs sweeps of POINTS trivial tasks on a local
platform of its own: seconds a point, next to `xargs -P` with the same commands in the same run; then resumes each with nothing to do,
and with one point more.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXPERIMENT = """
import os, resource, sys, time
from hera.workflows import DAG, Container, Parameter, Task, Workflow
from hera_utils import ExecutionEngine, Experiment, Inputs, grid, parse_arguments


def loop(environment, inputs, layout):
    with Workflow(generate_name="sweep-", entrypoint="dag") as w:
        echo = Container(name="echo", image="busybox", command=["sh", "-c"], args=["echo {{inputs.parameters.n}}"],
                         inputs=[Parameter(name="n")])
        with DAG(name="dag"):
            Task(name="echo", template=echo, arguments={"n": "{{item}}"}, with_items=inputs.parameters.n)
    return w


def a_task_a_point(environment, inputs, layout):
    with Workflow(generate_name="sweep-", entrypoint="dag") as w:
        echo = Container(name="echo", image="busybox", command=["true"], inputs=[Parameter(name="n"), Parameter(name="m")])
        with DAG(name="dag"):
            for point in inputs.points:
                Task(name=f"echo-{point.name}", template=echo, arguments=point.arguments)
    return w


engine, start = ExecutionEngine(parse_arguments([])), time.perf_counter()
if sys.argv[1] == "plan":
    lines = engine.plan(Experiment(workflow=a_task_a_point, inputs=Inputs(parameters=grid(n=range(1000), m=range(100))))).lines()
    print(lines[0])
else:
    run = engine.run(Experiment(workflow=loop, inputs=Inputs(parameters=grid(n=range(int(sys.argv[2]))))), resume=sys.argv[1] == "resume")
    assert run.succeeded
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def measured(folder, environment, *words):
    """(seconds, MB) that the experiment says of itself."""
    said = subprocess.check_output(
        [sys.executable, "sweep.py", *map(str, words)], cwd=folder, env=environment, text=True
    )
    *told, numbers = said.splitlines()
    print("\n".join(told), end="\n" if told else "")
    return tuple(map(float, numbers.split()))


def xargs(size):
    start = time.monotonic()
    subprocess.run(
        ["xargs", "-P", str(os.cpu_count()), "-I{}", "sh", "-c", "echo {}"],
        input="\n".join(map(str, range(size))),
        text=True,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.monotonic() - start


def main():
    sizes = [int(word) for word in sys.argv[1:]] or [500, 2000]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "sweep.py").write_text(EXPERIMENT)
        environment = os.environ | {"HERA_UTILS_STATE": str(Path(folder, "state")), "HOME": folder}
        bare = import_of_hera()
        seconds, memory = measured(folder, environment, "plan")
        print(f"planned in {seconds:.2f} s with {memory:.0f} MB, {bare:.0f} MB of them Hera's")
        try:
            measured(folder, environment, "run", 20)  # warm
            server = json.loads(Path(folder, "state", "server.json").read_text())["pid"]
            print(
                f"{'points':>7} {'seconds':>8} {'ms/point':>9} {'to xargs':>9} {'resumed':>8} {'one more':>9} {'MB':>5} {'server MB':>10}"
            )
            for size in sizes:
                taken, memory = measured(folder, environment, "run", size)
                again = measured(folder, environment, "resume", size)[0]
                more = measured(folder, environment, "resume", size + 1)[0]
                status = Path(f"/proc/{server}/status").read_text().splitlines()
                peak = int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024
                row = (size, taken, taken / size * 1000, taken / xargs(size), again, more, memory, peak)
                print("{:7} {:8.2f} {:9.2f} {:9.1f} {:8.2f} {:9.2f} {:5.0f} {:10.0f}".format(*row), flush=True)
        finally:
            subprocess.run([sys.executable, "-m", "hera_utils", "serve", "--stop"], env=environment, check=False)


def import_of_hera():
    """MB of a process that does nothing else."""
    subprocess.run([sys.executable, "-c", "import hera.workflows"], check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


if __name__ == "__main__":
    main()
