"""A comparison of runs as one self-contained HTML page: a table, light or dark as the reader's system is, without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from hera_utils.runs.comparison_table import ComparisonTable
from hera_utils.runs.conditions import number

_STYLE = """
:root { color-scheme: light dark; font: 14px/1.5 system-ui, sans-serif; }
body { margin: 2rem; }
h1 { font-size: 1.3rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem; text-align: left; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
th { position: sticky; top: 0; background: Canvas; white-space: nowrap; }
td.number { text-align: right; }
tbody tr:hover { background: color-mix(in srgb, currentColor 6%, transparent); }
p { opacity: .75; }
"""


def comparison_page(table: ComparisonTable, runs: Sequence[str]) -> str:
    """The HTML page with the table. runs: the names of the compared runs, counted in the title."""
    title = f"{len(runs)} runs side by side"
    head = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    body = "\n".join(f"<tr>{''.join(map(_cell, line))}</tr>" for line in table.lines)
    code = f"<p>Files of the script that differ: {escape(', '.join(table.code))}</p>" if table.code else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body><h1>{title}</h1>"
        "<p>Only the inputs, code, images, packages and platform in which they differ are shown, then the results.</p>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>{code}</body></html>\n'
    )


def _cell(value: str) -> str:
    kind = ' class="number"' if value and number(value) is not None else ""
    return f"<td{kind}>{escape(value)}</td>"
