"""The computation, in plain Hera."""

import json
from pathlib import Path

from hera.workflows import (
    DAG,
    Artifact,
    ExistingVolume,
    NoneArchiveStrategy,
    Parameter,
    RawArtifact,
    Script,
    Task,
    Workflow,
)
from hera.workflows.models import ValueFrom

HERE = Path(__file__).parent
IMAGE = "python:3.11"


def count(number: int, author: str, words: str, counts_file: str):
    """How often each word stands in the paper."""
    import collections
    import json
    import os
    import re

    with open("/tmp/paper.txt", encoding="utf-8") as file:
        found = collections.Counter(re.findall(r"[a-z]+", file.read().lower()))
    counts = {one: sum(found[form] for form in one.split(",")) for one in words.split()}
    os.makedirs(os.path.dirname(counts_file), exist_ok=True)
    with open(counts_file, "w") as file:
        json.dump({"number": number, "author": author, "length": sum(found.values()), "counts": counts}, file)
    with open("/tmp/length", "w") as file:
        file.write(str(sum(found.values())))


def judge(counts_files: list, words: str, verdicts_file: str):
    """The log odds that Hamilton, not Madison, wrote each disputed paper: each word as a Poisson count at each author's own rate."""
    import csv
    import json
    import math
    import shutil

    papers = []
    for path in counts_files:
        with open(path) as file:
            papers.append(json.load(file))
    rates = {}
    for author in ("Hamilton", "Madison"):
        known = [paper for paper in papers if paper["author"] == author]
        length = sum(paper["length"] for paper in known)
        # half a word more, so that one that an author never used rules nobody out
        rates[author] = {one: (sum(paper["counts"][one] for paper in known) + 0.5) / length for one in words.split()}
    with open(verdicts_file, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["number", "log odds", "author"])
        for paper in sorted(papers, key=lambda paper: paper["number"]):
            if paper["author"] == "disputed":
                odds = sum(
                    paper["counts"][one] * math.log(rates["Hamilton"][one] / rates["Madison"][one])
                    - paper["length"] * (rates["Hamilton"][one] - rates["Madison"][one])
                    for one in words.split()
                )
                writer.writerow([paper["number"], f"{odds:.3f}", "Hamilton" if odds > 0 else "Madison"])
    shutil.copy(verdicts_file, "/tmp/verdicts.csv")


def volume(environment):
    persisted = environment.persisted_volume
    return ExistingVolume(name="results", claim_name=persisted.claim_name, mount_path=persisted.mount_path)


def image(environment):
    return f"{environment.registry}/{IMAGE}" if environment.registry else IMAGE


def define(environment, inputs, layout):
    """A task for each paper, which is given the text as an artifact."""
    at = layout.mounted(environment)
    with Workflow(generate_name="federalist-", entrypoint="papers") as w:
        count_c = Script(
            name="count",
            image=image(environment),
            source=count,
            inputs=[Artifact(name="paper", path="/tmp/paper.txt")],
            outputs=[Parameter(name="length", value_from=ValueFrom(path="/tmp/length"))],
            volumes=[volume(environment)],
        )
        with DAG(name="papers"):
            for point in inputs.points:
                text = (HERE / layout.paper(point)).read_text(encoding="utf-8")
                Task(
                    name=layout.task(point),
                    template=count_c,
                    arguments=[
                        point.arguments | {"words": inputs.constants.words, "counts_file": at.counts(point)},
                        RawArtifact(name="paper", data=text),
                    ],
                )
    return w


def gather(environment, inputs, layout):
    """The verdicts, once all papers are counted."""
    at = layout.mounted(environment)
    with Workflow(generate_name="federalist-verdicts-", entrypoint="verdicts") as w:
        judge_c = Script(
            name="judge",
            image=image(environment),
            source=judge,
            outputs=[
                Parameter(name="verdicts", value_from=ValueFrom(path="/tmp/verdicts.csv")),
                Artifact(name="verdicts", path="/tmp/verdicts.csv", archive=NoneArchiveStrategy()),
            ],
            volumes=[volume(environment)],
        )
        with DAG(name="verdicts"):
            files = json.dumps([at.counts(point) for point in inputs.points])
            Task(
                name="verdicts",
                template=judge_c,
                arguments={"counts_files": files, "words": inputs.constants.words, "verdicts_file": at.verdicts()},
            )
    return w
