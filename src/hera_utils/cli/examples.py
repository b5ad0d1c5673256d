"""Examples for the help of each command whose own text has none: (what to type, what it does)."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "init": (("init my-study", "a folder with an experiment that runs"),),
    "run": (
        ("run hello.py", "a script, here and now"),
        ("run hello.yaml -p word=hello", "a workflow file, with a parameter"),
        ("run study.py --resume --set n=1,2,3", "flags of the script follow its name"),
        ("run --from cronwf/nightly", "what is stored on the platform"),
        ("run hello.py --profile lab --detach", "on a cluster, without waiting"),
        ("run hello.py -o json", "for a program: the run as one object"),
        ("run study.py -- --help", "the flags of the script itself"),
    ),
    "rerun": (("rerun runs/squares-d6v44", "the same script, the same arguments"),),
    "lint": (("lint hello.py workflows/*.yaml", "all of them, each with its problems"),),
    "doctor": (
        ("doctor", "this machine, or the platform of the settings"),
        ("doctor study.py --profile lab", "what this script needs there"),
    ),
    "provision": (
        ("provision study.py --dry-run", "what would be created or changed"),
        ("provision study.py --profile lab", "create it"),
    ),
    "release": (("release study.py --dry-run", "what would be removed"),),
    "ls": (
        ("ls", "the runs, the newest first, and cron workflows"),
        ("ls --running", "those that are still going"),
        ("ls --status Failed,Error --since 2d", "what went wrong since the day before yesterday"),
        ("ls -l experiment=lyon -o name", "names alone, for a shell"),
        ("ls --stored", "templates and cron workflows"),
    ),
    "runs": (
        ("runs --where vintage=2009", "by an input"),
        ("runs --where 'error<0.1' --columns 'vintage,min(error)'", "by an output"),
    ),
    "get": (
        ("get @latest", "the newest run; @latest~1 is the one before"),
        ("get squares-d6", "the beginning of a name is enough"),
        ("get cronwf/nightly", "when it runs next"),
    ),
    "watch": (("watch @latest", "until it ends; the exit status says how"),),
    "logs": (
        ("logs @latest", "every task"),
        ("logs @latest collect --follow", "one task, as it writes"),
        ("logs @latest --grep Error --tail 20", "of the last lines those that match"),
    ),
    "results": (
        ("results @latest", "one row per point"),
        ("results @latest --mean-over seed", "means over the seeds, with their errors"),
        ("results @latest --compare method", "how much the methods differ, with intervals"),
        ("results @latest --to points.csv", "everything, numbers as numbers"),
        ("results diff @latest~1 @latest", "what two runs gave differently"),
    ),
    "compare": (
        ("compare @latest @latest~1", "two runs, only what differs"),
        ("compare --where tag=paper --to runs.html", "all with a tag, as a page"),
    ),
    "which": (("which figure.png", "the run and the point that wrote it"),),
    "report": (
        ("report @latest --open", "the page of a run, in a browser"),
        ("report @latest --to run.md", "for the appendix of a paper"),
    ),
    "stop": (("stop @latest", "its tasks end, its exit handlers still run"),),
    "terminate": (("terminate @latest", "at once, without exit handlers"),),
    "suspend": (
        ("suspend @latest", "no more tasks start"),
        ("suspend cronwf/nightly", "no more runs start"),
    ),
    "resume": (("resume @latest", "after suspend, or at a suspended task"),),
    "retry": (("retry @latest --watch", "the failed tasks alone"),),
    "tag": (
        ("tag @latest paper --note 'figure 3'", "hera-utils runs --where tag=paper finds it"),
        ("tag @latest --name base", "then NAME may be base"),
    ),
    "delete": (
        ("delete squares-d6v44 squares-nvqhz", "runs, by their whole names"),
        ("delete cronwf/nightly", "a cron workflow with its runs"),
    ),
    "gc": (
        ("gc --older-than 30d --dry-run", "how much it would free"),
        ("gc --older-than 30d --yes", "free it, without a question"),
    ),
    "serve": (
        ("serve --status", "whether this machine's server runs, and where"),
        ("serve --stop", "end it; runs continue with the next one"),
    ),
    "connection": (("connection --output json", "address, namespace and token, for a program"),),
    "trust": (("trust", "in the folder of the project"),),
    "settings": (("settings --profile lab", "each value, and which flag, variable or file gave it"),),
    "version": (("version --profile lab", "of the client and of that platform"),),
}


def example_of(command: str) -> str:
    """The first example with an argument; "" if the command has none."""
    typed = (typed for typed, _ in EXAMPLES.get(command, ()) if " " in typed)
    return next((f"hera-utils {words}" for words in typed), "")


def examples_text(command: str) -> str:
    """The examples at the end of a command's help; "" if it has none."""
    examples = EXAMPLES.get(command, ())
    if not examples:
        return ""
    widest = max(len(typed) for typed, _ in examples)
    lines = [f"  hera-utils {typed.ljust(min(widest, 44))}  {does}" for typed, does in examples]
    return "\n".join(["\b", "Examples:", *lines])
