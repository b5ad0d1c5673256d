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

- **executed**: the field means what it means on a cluster; a note says where it differs.
- **warned about**: the field has no effect on one machine, or none yet. The workflow runs; an event on the run names the field.
- **refused**: without the field the workflow would give other results. It is not started; the message names the field.

Unknown fields are dropped and wrong types refused, as by Argo's server. {counts}
"""

FOOT = """\
## As in Argo, and easily missed

Where Argo does something that surprises, this machine does the same, because a cluster will.

- A loop of a DAG is over with its last item. Exit handlers of items that have not begun by then never run; an event on the run says so.
  Argo looks at the items in order, and stops at an item whose exit handler runs. In steps every item has its exit handler.
- An item of such a loop that cannot be opened is an Error. The items behind it open only if an item before it, or a task before the loop,
  still runs, because Argo looks at these first. Else the loop is over.
- A task of a DAG that cannot be opened is an Error, and has its exit handler only if something else of the DAG still runs.
- What depends on a task of a DAG that is skipped begins before the hooks of that task, and these never begin if all of it is over first.
- While the workflow's `parallelism` is reached no node asks for a lock, not even one that waits for it: others may get the lock meanwhile.
- `{{workflow.status}}` is empty in nodes that open at once when a workflow begins, and `Running` in those that open later.
- A label that `labelsFrom` computes is `{{workflow.labels.NAME}}` in nodes that open at once when a workflow begins; later the tag stays as
  it is written. `{{workflow.labels}}` and `{{workflow.annotations}}` have what the controller itself writes only in nodes that open later.
- `retries` of a container set counts all attempts: with 1 a container runs once; with 0, or a text that is no number, it does not run at
  all and has succeeded. If a container does not run because another one failed, a container that depends on it has that one's exit code.
- How a stopped pod ended counts: a program that is told to end (SIGTERM) and ends with 0 has succeeded, and so may the run. A program that
  has to be killed has no exit code. A stop ends the pods of a DAG at once, and they keep the message of the stop (unless an exit handler
  runs meanwhile).
- `maxDuration` of a retry counts from the start of the first attempt, and does not end it. Later attempts are ended then.
- A stop ends a DAG at once. What depends on a task that it stops is never opened, nor is that task's exit handler, and steps within the DAG
  stay Running. In steps the exit handler of a stopped step runs. A daemon that was ready has succeeded.
- A pod that Kubernetes refuses makes its node an Error with the API server's words. Their numbers count what Argo itself puts into a pod:
  the template's container is `spec.containers[1]`, the first of its volumes `spec.volumes[2]`. Volumes that nothing mounts are not in the
  pod.
- A template that nothing calls is validated too when a workflow is submitted: an artifact has one location, a `memoize` its cache, a gauge
  its `realtime`, a histogram its buckets.
- What a step or task printed is its `outputs.result` only where the template refers to it, in an expression with single quotes:
  `steps['a'].outputs.result`. With double quotes Argo does not see the reference, and there is no result.
- kubectl reads a patch that begins with `{` as JSON: a resource template's `{data: {key: value}}` is refused.

## Different from a cluster

- A service account, a priority class or a runtime class may have any name; it need not exist.
- If a user should supply an output and does not, a workflow that refers to it fails. On a cluster it waits forever.
- The answer to a request (stop, retry, suspend…) has the workflow after its first step, on a cluster before it. No label and no message says
  who made the request.
- Output parameters of more than 1.5 MiB of a task are kept, and the end of the run says that a cluster would refuse them.
- The end of a workflow's time gives its pods the message `Step exceeded its deadline`. On a cluster the kubelet may come first, with an exit
  code: `Pod was active on the node longer than the specified deadline`.

## Different from Argo

| what | here | in Argo |
| --- | --- | --- |
| an exit handler of a step of the entry template cannot be opened (its template does not exist) | the workflow is Failed with the reason, and all nodes are over | the workflow is Error, and its first node has no end |
| a step that refers to itself | fails | waits forever |
| a new workflow whose document has a status | begins without it | goes on from there; does nothing if a label says that it is complete |
| `progress` of a node that groups others | counts its own leaves (of the workflow: all) | counts also what follows the group, and nodes that are left out |
| `resubmit --memoized`: a retry whose last attempt succeeded | does not run again | runs once more; attempts that failed, and the containers of a set that succeeded, stay Pending forever |
| a step or task waits for its exit handler's lock, and its loop is over by then | the run does not wait for it | waits forever |
| `{{workflow.duration}}` in steps or a DAG | the duration at their beginning | the duration at each look at them |
| a FIFO, a socket or a device among the outputs | an error | is left out |
| a daemon that is a container set | ends with the steps around it, as any daemon | the workflow goes on until its pod ends by itself; where it is the entry, it is an Error (`pod deleted`) |
| what a program writes after it was told to end | is an output | the outputs are collected at that moment; a parameter that is not written yet is an error |
| `parallelism` leaves no room for a hook (other than an exit handler) | the hook waits | around a group of nodes, its steps or DAG fail: `Max parallelism reached` |
| as many pods of steps or a DAG run as their own `parallelism` says | the steps or the DAG go on | nothing in them is looked at: a daemon in steps with `parallelism: 1` stops all until it ends |
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
