"""The image policies, for all images or a single one. Pure, and cheap to import, as every command reads the settings.

    auto       an equivalent stand-in, else a pull; if no registry can be reached, another minor version of Python stands in
    stand-in   nothing is pulled; this machine's programs stand in for the images if they can
    pull       each image is pulled
    never      as `auto` if no registry can be reached: of other images only those in the store are used
    here       a Python script runs in today's Python, whatever its image; all else as `auto`

The user's table has precedence for the images that it names.
"""

from __future__ import annotations

from typing import Any

POLICIES = ("auto", "stand-in", "pull", "never", "here")
ALL = "*"


def policy_for_all(policy: str) -> dict[str, dict[str, Any]]:
    """An image table with this policy for all images."""
    return {ALL: {"policy": policy}}
