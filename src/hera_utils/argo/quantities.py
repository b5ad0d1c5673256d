"""Kubernetes quantities: "500m", "1.5Gi", "1e3". Values are exact fractions."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from hera_utils.errors import InvalidWorkflow

_FORM = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(.*)\Z", re.DOTALL)
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)\Z")
_SUFFIXES = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 10**3),
    "": Fraction(1),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
}
_LARGEST_EXPONENT = 64


class QuantityError(InvalidWorkflow):
    """A text that is no quantity; the message is Kubernetes'."""


@lru_cache(maxsize=1024)
def quantity(text: str) -> Fraction:
    """The value of a quantity, in its own unit (cores, bytes). Raises QuantityError with Kubernetes' message."""
    found = _FORM.match(text)
    if found is None:
        raise QuantityError(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    number, suffix = found.group(1), found.group(2)
    scale = _SUFFIXES.get(suffix)
    if scale is None:
        exponent = _EXPONENT.match(suffix)
        if exponent is None:
            if re.fullmatch(r"[eEinumkKMGTP]*[-+]?[0-9]*", suffix):
                raise QuantityError("unable to parse quantity's suffix")
            raise QuantityError(
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            )
        power = int(exponent.group(1))
        if abs(power) > _LARGEST_EXPONENT:
            raise QuantityError("unable to parse quantity's suffix")
        scale = Fraction(10) ** power
    return Fraction(Decimal(number)) * scale


def cores(value: str | int | float) -> float:
    """A CPU quantity in cores ("500m" → 0.5)."""
    return float(quantity(str(value)))


def whole_bytes(value: str | int | float) -> int:
    """A memory or storage quantity in bytes, rounded up as Kubernetes does."""
    exact = quantity(str(value))
    return -(-exact.numerator // exact.denominator)


def milli(text: str) -> int:
    """A quantity in thousandths, rounded up: Kubernetes' MilliValue."""
    exact = quantity(text) * 1000
    return -(-exact.numerator // exact.denominator)


def resource_seconds(resource: str, value: str | int | float, seconds: float) -> int:
    """Argo's resourcesDuration of one container: whole seconds times the request in the resource's base unit, rounded down.

    The base units are Argo's: one core, 100Mi of memory, 10Gi of storage, one of anything else.
    """
    return milli(str(value)) * int(seconds) // milli(_BASES.get(resource, "1"))


_BASES = {"memory": "100Mi", "storage": "10Gi", "ephemeral-storage": "10Gi"}
