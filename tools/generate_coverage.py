"""Write docs/coverage.md: what one machine means of each field of Argo's documents, from the table in argo/support_table.py.

.venv/bin/python tools/generate_coverage.py            # write the file
.venv/bin/python tools/generate_coverage.py --check    # exit status 1 when it is not up to date
"""

from __future__ import annotations

import sys
from pathlib import Path

from hera_utils.argo import support

TARGET = Path(__file__).resolve().parent.parent / "docs/coverage.md"

HEAD = """\
# What the local platform means of Argo's fields

Made by `tools/generate_coverage.py` from `src/hera_utils/argo/support_table.py`; edit the table, not this page.

- **executed**: as on a cluster; a note says where it differs.
- **warned about**: it can have no meaning on one machine, or has none yet. The workflow runs; an event on the run names the field.
- **refused**: running the workflow without it would give something else. It is not started; the message names the field.

Unknown fields are dropped and wrong types refused, as by Argo's server. {counts}
"""

FOOT = """\
## As in Argo, and easily missed

Where Argo does something that surprises, this machine does the same, because a cluster will.

- A loop of a DAG is over with its last item. Exit handlers of items that have not begun by then never run; an event on the run says so.
  Argo looks at the items in order, and at none behind one whose exit handler runs. In steps every item has its exit handler.
- An item of such a loop that cannot be opened is an Error, and the items behind it open only if something that Argo looks at first still
  runs: an item before it, or a task before the loop. Else the loop is over.
- A task of a DAG that cannot be opened is an Error, and has its exit handler only if something else of the DAG still runs.
- What depends on a task of a DAG that is skipped begins before the hooks of that task, and these never begin if all of it is over first.
- While the workflow's `parallelism` is reached nothing asks for a lock, not even a node that waits for one: others may get it meanwhile.
- `{{workflow.status}}` is empty in what opens at once when a workflow begins, and `Running` in what opens later.
- A label that `labelsFrom` computes is `{{workflow.labels.NAME}}` in what opens at once when a workflow begins; later the tag stays as it
  is written. `{{workflow.labels}}` and `{{workflow.annotations}}` have what the controller itself writes only in what opens later.
- `retries` of a container set counts all attempts: with 1 a container runs once; with 0, or a text that is no number, it does not run at
  all and has succeeded. A container whose dependency did not run because of another one tells the exit code of that.
- A pod that was stopped tells how it ended, and that counts: a program that is told to end (SIGTERM) and ends with 0 has
  succeeded, and so may the run. One that has to be killed has no exit code, and a pod of a DAG, which a stop ends at once,
  keeps the message of the stop (unless an exit handler runs meanwhile).
- `maxDuration` of a retry counts from the start of the first attempt, which may take as long as it likes. Later attempts are ended then.
- A stop ends a DAG at once. What depends on a task that it stops is never opened, nor is that task's exit handler, and steps within the DAG
  stay Running. In steps the exit handler of a stopped step runs. A daemon that was ready has succeeded.
- A pod that Kubernetes does not take makes its node an Error with the API server's words. They count what Argo itself puts into a pod: the
  template's container is `spec.containers[1]`, the first of its volumes `spec.volumes[2]`. Volumes that nothing mounts are not in the pod.
- A template that is called by nobody counts too when a workflow is submitted: an artifact has one location, a `memoize` its cache, a gauge
  its `realtime`, a histogram its buckets.
- What a step or task printed is its `outputs.result` only where the template refers to it, in an expression with single quotes:
  `steps['a'].outputs.result`. With double quotes Argo does not see the reference, and there is no result.
- kubectl takes a patch that begins with `{` for JSON as it stands: a resource template's `{data: {key: value}}` is refused.

Different from a cluster: a service account, a priority class or a runtime class may have any name, it need not exist. An output that a user
should have supplied and did not makes a workflow that refers to it fail; in Argo it waits for ever. A verb has the answer of the workflow
after its first step, in Argo before it; no label and no message tells who asked for it. Output parameters of more
than 1.5 MiB of a task are kept, and the end of the run says that a cluster would refuse them.

Different from Argo: an exit handler of a step of the entry template that cannot be opened (its template does not exist)
makes the workflow Failed with the reason, and all nodes are over. In Argo the workflow is Error, and its first node stays without an end.
A step that refers to itself fails; in Argo it waits for ever. A new workflow whose document has a status begins without it; Argo goes on
from there, or, where a label says that it is complete, does nothing. `progress` of a node that groups others counts its own leaves, of the
workflow all of them; in Argo a group's counts what follows it too, and a node that is left out has one. With `resubmit --memoized` a retry
whose last attempt succeeded does not run again; in Argo it runs once more, and attempts that failed, and the containers of a set that
succeeded, stay Pending for ever. There a step or task waits for its exit handler's lock for ever if its loop is over by then.
`{{workflow.duration}}` in steps or a DAG is that of their beginning, in Argo that of each look at them. A FIFO, a socket or a device among
the outputs is an error; Argo leaves them out. A daemon that is a container set ends with the steps around it, as any daemon; in Argo the
workflow goes on until its pod has ended by itself, or is an Error (`pod deleted`) where it is the entry.
What a stopped program writes after it was told to end is an output here; Argo's executor collects the outputs at that very moment, and a
parameter that is not written yet is its error. A hook (no exit handler) for which `parallelism` leaves no room waits for it; in Argo the
steps or the DAG around a group of nodes with such a hook fail: `Max parallelism reached`. There steps or a DAG of which as many pods run
as its own `parallelism` says are not looked at: a daemon in steps with `parallelism: 1` holds all up until it ends. At the deadline of a
workflow its pods say `Step exceeded its deadline`, as recorded; on a cluster the kubelet may come first: `Pod was active on the node
longer than the specified deadline`, with an exit code.
"""


def rows(word: str, structs: list[str], *, noted: bool) -> list[tuple[str, str, str]]:
    """(types, fields, reason) of a verdict: fields of one reason together, and types that say the same."""
    found: dict[tuple[str, str], list[str]] = {}
    for struct in structs:
        together: dict[str, list[str]] = {}
        for field, verdict in sorted(support.verdicts(struct).items()):
            if verdict.word == word and bool(verdict.reason) is noted:
                together.setdefault(verdict.reason, []).append(field)
        for reason, fields in together.items():
            key = (", ".join(f"`{field}`" for field in fields), reason)
            found.setdefault(key, []).append(struct.partition(".")[2])
    return [(", ".join(names), fields, reason) for (fields, reason), names in found.items()]


def table(title: str, word: str, structs: list[str], *, noted: bool = True) -> list[str]:
    lines = [f"## {title}", "", "| type | fields | why |" if noted else "| type | fields |"]
    lines.append("| --- | --- | --- |" if noted else "| --- | --- |")
    for name, fields, reason in rows(word, structs, noted=noted):
        lines.append(f"| {name} | {fields} | {reason} |" if noted else f"| {name} | {fields} |")
    return [*lines, ""]


def text() -> str:
    structs = list(
        dict.fromkeys(one for root in dict.fromkeys(support.ROOTS.values()) for one in support.reached(root))
    )
    words = [verdict.word for struct in structs for verdict in support.verdicts(struct).values()]
    counts = ", ".join(f"{words.count(word)} {word}" for word in (support.EXECUTES, support.WARNS, support.REFUSES))
    lines = [HEAD.format(counts=f"Fields: {counts}.")]
    lines += table("Refused", support.REFUSES, structs)
    lines += table("Warned about", support.WARNS, structs)
    lines += table("Executed, with a difference", support.EXECUTES, structs)
    lines += table("Executed", support.EXECUTES, structs, noted=False)
    return "\n".join([*lines, FOOT])


def main() -> int:
    new = text()
    if "--check" in sys.argv:
        return 0 if TARGET.exists() and TARGET.read_text() == new else 1
    TARGET.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
