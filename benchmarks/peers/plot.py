"""The picture of a table: a panel a workload, a row a tool, a dot at its median and a line from its least to its most time a task.

The scale is logarithmic and the same in all panels. Colours are for light and dark pages alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from table import OURS, Line
from workloads import Workload

_COLUMNS, _WIDTH, _ROW, _NAME, _GAP, _HEAD, _FOOT = 3, 320, 20, 82, 16, 30, 26
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.head { font-weight: 600 } .what, .tick { fill: #59636e; font-size: 11px }
.grid { stroke: #d1d9e0 } .span, .dot { stroke: #6e7781; fill: #6e7781 }
.ours .span, .ours .dot { stroke: #0969da; fill: #0969da } .ours text { font-weight: 600; fill: #0969da }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .what, .tick { fill: #9198a1 } .grid { stroke: #3d444d }
.span, .dot { stroke: #9198a1; fill: #9198a1 }
.ours .span, .ours .dot { stroke: #4493f8; fill: #4493f8 } .ours text { fill: #4493f8 } }
"""


def picture(lines: Sequence[Line], workloads: Mapping[str, Workload]) -> str:
    panels: dict[tuple[str, int], list[Line]] = {}
    for line in lines:
        panels.setdefault((line.workload, line.size), []).append(line)
    low = math.floor(math.log10(min((line.each.least for line in lines), default=1)))
    high = math.ceil(math.log10(max((line.each.most for line in lines), default=10)))
    height = _HEAD + _FOOT + _ROW * max(map(len, panels.values()), default=0)
    parts = []
    for number, ((name, size), found) in enumerate(panels.items()):
        x, y = number % _COLUMNS * (_WIDTH + _GAP), number // _COLUMNS * (height + _GAP)
        head = f"{name}  {workloads[name].what}" + (f" × {size:,}" if size > 1 else "")
        parts += [f'<g transform="translate({x} {y})">', *_panel(head, found, low, high), "</g>"]
    rows = -(-len(panels) // _COLUMNS)
    wide, tall = _COLUMNS * (_WIDTH + _GAP) - _GAP, rows * (height + _GAP) + 14
    title = "Milliseconds a task, start included: median, and from least to most; logarithmic scale"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {tall}" width="{wide}" role="img">'
        f"<title>{title}</title><style>{_STYLE}</style>\n"
        + "\n".join(parts)
        + f'\n<text class="what" x="0" y="{tall - 6}">{title}</text>\n</svg>\n'
    )


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _panel(head: str, lines: Sequence[Line], low: int, high: int) -> list[str]:
    def x(number: float) -> float:
        return round(_NAME + (math.log10(number) - low) / max(1, high - low) * (_WIDTH - _NAME - 48), 1)

    bottom = _HEAD + _ROW * len(lines)
    parts = [f'<text class="head" x="0" y="14">{escape(head)}</text>']
    for power in range(low, high + 1):
        at = x(10.0**power)
        parts.append(f'<path class="grid" d="M{at} {_HEAD - 6}V{bottom}"/>')
        parts.append(f'<text class="tick" x="{at}" y="{bottom + 14}" text-anchor="middle">{_short(10.0**power)}</text>')
    for row, line in enumerate(lines):
        y = _HEAD + _ROW * row + _ROW / 2
        least, middle, most = x(line.each.least), x(line.each.middle), x(line.each.most)
        parts.append(
            f'<g class="{"ours" if line.tool == OURS else "peer"}">'
            f'<text x="0" y="{y + 4}">{"hera_utils" if line.tool == OURS else escape(line.tool)}</text>'
            f'<path class="span" stroke-width="2" d="M{least} {y}H{most}"/><circle class="dot" cx="{middle}" cy="{y}" r="4"/>'
            f'<text x="{most + 9}" y="{y + 4}">{_short(line.each.middle)}</text></g>'
        )
    return parts
