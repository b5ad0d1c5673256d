"""A workload as a Hera script."""

import os
import sys

from hera.workflows import DAG, Container, Parameter, Task, Workflow, script

workload, size = os.environ["WORKLOAD"], int(os.environ["SIZE"])
PYTHON = f"python:{sys.version_info.major}.{sys.version_info.minor}"
ADD = "echo '{{inputs.parameters.all}}' | tr -dc '0-9,' | tr ',' '\\n' | awk '{s += $1} END {print s}'"


@script(image=PYTHON)
def say(n: int):
    print(n)


@script(image=PYTHON)
def add_up(n: int):
    import numpy

    print(int(numpy.arange(n + 1).sum()))


with Workflow(generate_name=f"{workload.lower()}-", entrypoint="tasks") as w:
    hello = Container(name="hello", image="busybox", command=["/bin/echo", "hello"])
    with DAG(name="tasks"):
        if workload in ("W1", "W6", "W7"):
            Task(name="task", template=hello, with_sequence={"count": str(size)})
        elif workload == "W3":
            tasks = [Task(name=f"task-{n}", template=hello) for n in range(size)]
            for one, next_one in zip(tasks, tasks[1:], strict=False):
                one >> next_one
        elif workload == "W4":
            numbers = Task(name="task", template="echo", arguments={"n": "{{item}}"}, with_items=list(range(size)))
            numbers >> Task(name="sum", template="sum", arguments={"all": "{{tasks.task.outputs.result}}"})
        else:
            of_task = {"arguments": {"n": "{{item}}"}, "with_items": list(range(size))}
            (say if workload == "W2" else add_up)(name="task", **of_task)
    if workload == "W4":
        n, every = "{{inputs.parameters.n}}", Parameter(name="all")
        Container(name="echo", image="busybox", command=["/bin/echo"], args=[n], inputs=[Parameter(name="n")])
        Container(name="sum", image="busybox", command=["sh", "-c"], args=[ADD], inputs=[every])
