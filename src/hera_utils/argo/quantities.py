"""Kubernetes quantities: "500m", "1.5Gi", "1e3". Values are exact fractions."""

from __future__ import annotations

import re
from fractions import Fraction

from hera_utils.argo.whole_numbers import whole_number
from hera_utils.errors import InvalidWorkflow
from hera_utils.memoised import memoised

_FORM = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)\Z")
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
_NANO = 10**9
_LEAST_POWER = -9
_MOST_DIGITS = 4000  # a limit of hera_utils; Kubernetes has none
_LARGEST_BINARY = (1 << 63) - 1
_LARGEST_EXPONENT = 1000  # larger ones are legal and mean nothing


class QuantityError(InvalidWorkflow):
    """A text that is no quantity; the message is Kubernetes'."""


@memoised(1024)
def quantity(text: str) -> Fraction:
    """The value of a quantity, in its own unit (cores, bytes). Raises QuantityError with Kubernetes' message."""
    match = _FORM.match(text) if text else None
    if match is None:
        raise QuantityError(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    sign, whole, fraction, suffix = match.groups()  # without digits the number is 0, as in Kubernetes
    scale = _SUFFIXES.get(suffix)
    power = 0
    if scale is None:
        power = _power(suffix)
        scale = Fraction(10) ** power
    fraction = fraction or ""
    if len(whole) + len(fraction) > _MOST_DIGITS:
        raise QuantityError("unable to parse numeric part of quantity")
    if not whole and not fraction and (suffix in ("Pi", "Ei") or power < _LEAST_POWER):
        raise QuantityError("unable to parse numeric part of quantity")
    exact = Fraction(int((whole + fraction) or "0"), 10 ** len(fraction)) * scale
    exact = Fraction(-(-exact * _NANO // 1), _NANO)  # rounded up, so that a small request does not become 0
    if suffix.endswith("i") and exact > _LARGEST_BINARY:
        exact = Fraction(_LARGEST_BINARY)
    return -exact if sign == "-" else exact


def _power(suffix: str) -> int:
    exponent = _EXPONENT.match(suffix)
    number = whole_number(exponent.group(1)) if exponent is not None else None
    if number is None:
        raise QuantityError("unable to parse quantity's suffix")
    power = (number + (1 << 31)) % (1 << 32) - (1 << 31)  # wraps to 32 bits
    return max(-_LARGEST_EXPONENT, min(_LARGEST_EXPONENT, power))


@memoised(1024)
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
