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

Unknown fields are dropped and wrong types refused, as by Argo's server. What surprises in Argo, and what the local platform does otherwise:
[differences](differences.md). {counts}
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
        dict.fromkeys(one for root in dict.fromkeys(support.ROOTS.values()) for one in support.reachable_structs(root))
    )
    words = [verdict.word for struct in structs for verdict in support.verdicts(struct).values()]
    counts = ", ".join(f"{words.count(word)} {word}" for word in (support.EXECUTES, support.WARNS, support.REFUSES))
    lines = [HEAD.format(counts=f"Fields: {counts}.")]
    lines += table("Refused", support.REFUSES, structs)
    lines += table("Warned about", support.WARNS, structs)
    lines += table("Executed, with a difference", support.EXECUTES, structs)
    lines += table("Executed", support.EXECUTES, structs, noted=False)
    return "\n".join(lines)


def main() -> int:
    new = text()
    if "--check" in sys.argv:
        return 0 if TARGET.exists() and TARGET.read_text() == new else 1
    TARGET.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
