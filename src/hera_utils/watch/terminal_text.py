"""Text of others on a terminal: what the terminal would obey (its title, the cursor, the clipboard) is shown instead. Pure."""

from __future__ import annotations

import re

_colour_or_control = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def visible(text: str) -> str:
    """Line ends, tabs and colours stay. An image's variables, a pod's message, a name in an archive may hold anything."""
    return _colour_or_control.sub(lambda found: found[0] if len(found[0]) > 1 else f"\\x{ord(found[0]):02x}", text)
