"""Print the folders of recorded cases, one a line, so that no two cases of one fixed name run side by side.

    suites.py FOLDER RECORDINGS...

A case with metadata.name deletes what is left of that name before it starts, so two of them at once undo each other (on any server).
Where a suite holds two such cases, the second gets a folder of its own below FOLDER: FOLDER/N/suite, with links to its files.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_NAME = re.compile(r"^  name: (\S+)$", re.MULTILINE)


def main(folder: Path, recordings: list[Path]) -> None:
    for suite in (path for root in recordings for path in sorted(root.iterdir()) if any(path.glob("*.json"))):
        rounds: list[list[Path]] = [[]]
        seen: dict[str, int] = {}
        for case in sorted(suite.glob("*.yaml")):
            head = case.read_text().partition("\nspec:")[0]
            found = _NAME.search(head)
            turn = seen.get(found[1], -1) + 1 if found else 0
            if found:
                seen[found[1]] = turn
            rounds += [[] for _ in range(turn + 1 - len(rounds))]
            rounds[turn].append(case)
        for turn, cases in enumerate(rounds):
            shown = suite if len(rounds) == 1 else _linked(folder / str(turn) / suite.name, cases)
            sys.stdout.write(f"{shown}\n")


def _linked(folder: Path, cases: list[Path]) -> Path:
    folder.mkdir(parents=True)
    for case in cases:
        for file in (case, case.with_suffix(".json")):
            (folder / file.name).symlink_to(file)
    return folder


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
