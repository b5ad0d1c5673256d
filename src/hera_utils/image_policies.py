"""What may be said of images as a whole, or of one of them. Pure, and cheap to import: every command reads the settings.

    auto       a stand-in where it means the same, else a pull; where no registry can be reached, another minor of Python stands in
    stand-in   nothing is pulled: this machine's programs stand in for the images that they can stand in for
    pull       each image is pulled
    never      as `auto` where no registry can be reached: of other images only those in the store are used
    here       a Python script runs in today's Python, whatever its image; all else as `auto`

What the user's table says of an image always comes first.
"""

from __future__ import annotations

from typing import Any

POLICIES = ("auto", "stand-in", "pull", "never", "here")
ALL = "*"


def policy_for_all(policy: str) -> dict[str, dict[str, Any]]:
    """The image table that says no more than a policy."""
    return {ALL: {"policy": policy}}
