"""The Federalist papers: the verdicts against the published ones and against the same odds computed otherwise; one paper changed."""

import csv
import math
import re

import pytest

AUTHORS_OF_THE_DISPUTED = "Madison"  # all twelve: Mosteller and Wallace 1963, 1964
DISPUTED = [49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 62, 63]
# Mosteller and Wallace's final list, read from no file of the example
WORDS = [
    ["upon"], ["also"], ["an"], ["by"], ["of"], ["on"], ["there"], ["this"], ["to"], ["although"], ["both"], ["enough"],
    ["while"], ["whilst"], ["always"], ["though"], ["commonly"], ["consequently"], ["considerable", "considerably"],
    ["according"], ["apt"], ["direction"], ["innovation", "innovations"], ["language"], ["vigor", "vigorous"], ["kind"],
    ["matter", "matters"], ["particularly"], ["probability"], ["work", "works"],
]  # fmt: skip


def expected(folder):
    """The log odds from the texts at once: a quotient of Poisson likelihoods for each paper and word."""
    with (folder / "papers.csv").open(newline="") as file:
        authors = {int(row["number"]): row["author"] for row in csv.DictReader(file)}
    texts = {
        n: re.sub(r"[^a-z]+", " ", (folder / "papers" / f"{n:02d}.txt").read_text().lower()).split() for n in authors
    }

    def occurrences(forms, numbers):
        return sum(texts[number].count(form) for number in numbers for form in forms)

    def log_likelihood(count, mean):
        return count * math.log(mean) - mean - math.lgamma(count + 1)

    found = dict.fromkeys(DISPUTED, 0.0)
    for sign, author in ((1, "Hamilton"), (-1, "Madison")):
        known = [number for number in authors if authors[number] == author]
        length = sum(len(texts[number]) for number in known)
        for forms in WORDS:
            rate = (occurrences(forms, known) + 0.5) / length
            for number in DISPUTED:
                found[number] += sign * log_likelihood(occurrences(forms, [number]), rate * len(texts[number]))
    return found


@pytest.mark.slow
def test_the_verdicts(copied, local_platform):
    folder, typed = copied("federalist")
    said = typed("experiment.py")
    table = (local_platform.claim("federalist") / "verdicts.csv").read_text()
    assert said.endswith(table)
    rows = {int(row["number"]): row for row in csv.DictReader(table.splitlines())}
    assert sorted(rows) == DISPUTED
    assert {row["author"] for row in rows.values()} == {AUTHORS_OF_THE_DISPUTED}
    for number, odds in expected(folder).items():
        assert math.isclose(float(rows[number]["log odds"]), odds, abs_tol=1e-3), number
    assert max(rows, key=lambda number: float(rows[number]["log odds"])) == 55, "the least certain one, as they found"

    with (folder / "papers" / "10.txt").open("a") as file:
        file.write("upon\n")
    plan = typed("experiment.py", "--plan", "--resume", "--explain")
    assert "76 points are done already, 1 will run" in plan
    assert "papers/10.txt changed" in plan
    typed("experiment.py", "--resume")
    again = (local_platform.claim("federalist") / "verdicts.csv").read_text()
    assert again != table
    assert set(csv.DictReader(again.splitlines()).fieldnames or ()) == {"number", "log odds", "author"}
