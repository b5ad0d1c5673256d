"""Writes a table of results for a paper in LaTeX: a `tabular` with the rules of the package booktabs. Pure."""

from __future__ import annotations

import re

from hera_utils.results.terminal_table import Sheet

_MARKS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "−": "$-$",
}  # fmt: skip
_REMARK = re.compile(r" \([a-z0-9= ]+\)$")  # the number of values or pairs, which follows a mean
_POWER = re.compile(r"e([+-]\d+)\b")


def latex_table(sheet: Sheet) -> str:
    """The sheet as a LaTeX table. Its title is a comment above the table."""
    columns = "".join("r" if right else "l" for right in sheet.numeric)
    lines = [_line([_text(name) for name in sheet.header])]
    lines += [
        _line([_number(cell) if right else _text(cell) for cell, right in zip(line, sheet.numeric, strict=True)])
        for line in sheet.lines
    ]
    head, *rest = lines
    body = "\n".join(rest)
    return f"% {sheet.title}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n{head}\n\\midrule\n{body}\n\\bottomrule\n\\end{{tabular}}\n"


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _text(words: str) -> str:
    return "".join(_MARKS.get(sign, sign) for sign in words)


def _number(cell: str) -> str:
    """`-0.020 ± 0.047` in LaTeX's math mode, followed by its remark as text."""
    if not cell:
        return ""
    remark = _REMARK.search(cell)
    figures = cell[: remark.start()] if remark else cell
    if not re.search(r"\d", figures):  # nan, inf
        return _text(cell)
    figures = _POWER.sub(
        lambda power: rf" \times 10^{{{int(power[1])}}}", figures.replace("±", r"\pm").replace(" [", r"\ [")
    )
    return f"${figures}${_text(remark[0]) if remark else ''}"
