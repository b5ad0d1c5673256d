"""sprig 3.3's functions as Argo exposes them."""

from __future__ import annotations

from hera_utils.expressions.entropy import Entropy
from hera_utils.expressions.values import Function


def functions(entropy: Entropy) -> dict[str, Function]:
    """Name → function."""
    return {}
