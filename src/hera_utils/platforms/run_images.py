"""What was decided of the images of this process's runs: the preflight decides, whoever submits takes it along, the record keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hera_utils.images.decision_texts import ImageDecision
    from hera_utils.settings.resolve import CLIContext

_KEY = "images"


def decisions_of(context: CLIContext) -> dict[str, ImageDecision]:
    """image → what happens to it, as far as it was decided with these settings; always the same mapping."""
    decisions: dict[str, ImageDecision] = context.remembered().setdefault(_KEY, {})
    return decisions
