"""The decisions about images in this process: the preflight makes them, submissions and records contain them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hera_utils.images.decision_texts import ImageDecision
    from hera_utils.settings.resolve import CLIContext

_KEY = "images"


def decisions_of(context: CLIContext) -> dict[str, ImageDecision]:
    """image → the decision, as far as it was made with these settings; always the same mapping object."""
    decisions: dict[str, ImageDecision] = context.remembered().setdefault(_KEY, {})
    return decisions
