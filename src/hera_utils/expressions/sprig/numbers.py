"""sprig's functions of numbers."""

from __future__ import annotations

import decimal
import math
import re
from collections.abc import Callable
from typing import Any

from hera_utils.argo.whole_numbers import whole_number
from hera_utils.expressions.expr import functions as builtin
from hera_utils.expressions.gotext import text_of
from hera_utils.expressions.sprig.texts import Table
from hera_utils.expressions.values import Duration, Failure, Ints, Long, truncate_to_int64, wrap_int64

_MOST = 1_000_000
_INTEGER = re.compile(r"([+-]?)(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|[1-9][0-9_]*|0)\Z")


def whole(value: Any) -> int:
    """A value as integer (Go: cast.ToInt). What is not a number is 0; a text may be in another base (010 is 8)."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return truncate_to_int64(value)
    if isinstance(value, int) and not isinstance(value, Duration):
        return int(value)
    if not isinstance(value, str):
        return 0
    decimal_text = re.match(r"([-+]?[0-9]*)(?:\.[0-9]*)\Z", value)
    if decimal_text:  # cast: only the part before the point counts
        value = decimal_text.group(1)
    match = _INTEGER.match(value)
    if not match:
        return 0
    digits = match.group(2).lower().replace("_", "")
    base = (
        16
        if digits.startswith("0x")
        else 2
        if digits.startswith("0b")
        else 8
        if len(digits) > 1 and digits[0] == "0"
        else 10
    )
    if base == 10 and len(digits) > 19:  # more than 64 bits, and Python reads at most 4,300 digits
        return 0
    number = int(match.group(1) + re.sub("^0[xbo]", "", digits), base)
    return number if -(1 << 63) <= number < 1 << 63 else 0


def real(value: Any) -> float:
    """A value as float (Go: cast.ToFloat64). What is not a number is 0."""
    if isinstance(value, str):
        number = builtin.parse_float(value)
        return 0.0 if number is None else number
    if isinstance(value, bool | int | float) and not isinstance(value, Duration):
        return float(value)
    return 0.0


def _long(value: int) -> Long:
    return Long(wrap_int64(value))


def _sum(*values: Any) -> Long:
    return _long(sum(map(whole, values)))


def _product(first: Any, *values: Any) -> Long:
    number = whole(first)
    for value in values:
        number = wrap_int64(number * whole(value))
    return Long(number)


def _divide(left: Any, right: Any) -> Long:
    dividend, divisor = whole(left), whole(right)
    if divisor == 0:
        raise Failure("runtime error: integer divide by zero")
    quotient = abs(dividend) // abs(divisor)
    return _long(quotient if (dividend < 0) == (divisor < 0) else -quotient)


def _remainder(left: Any, right: Any) -> Long:
    dividend, divisor = whole(left), whole(right)
    if divisor == 0:
        raise Failure("runtime error: integer divide by zero")
    return _long(int(math.copysign(1, dividend)) * (abs(dividend) % abs(divisor)))


def _until(start: int, stop: int, step: int) -> Ints:
    if (step <= 0 and stop >= start) or (stop < start and step >= 0):
        return Ints()
    count = range(start, stop, step)
    if len(count) > _MOST:
        raise Failure("memory budget exceeded")
    return Ints(count)


def _sequence(*limits: int) -> str:
    if len(limits) == 1:
        start, step, end = 1, -1 if limits[0] < 1 else 1, limits[0]
    elif len(limits) == 2:
        start, end = limits
        step = -1 if end < start else 1
    elif len(limits) == 3:
        start, step, end = limits
        if end < start and step > 0:
            return ""
    else:
        return ""
    return " ".join(map(str, _until(start, end + (-1 if end < start else 1), step)))


_CONTEXT = decimal.Context(prec=400, rounding=decimal.ROUND_HALF_UP)


def _decimals(how: Callable[[decimal.Decimal, decimal.Decimal], decimal.Decimal]) -> Callable[..., float]:
    def apply(first: Any, *values: Any) -> float:
        number = _decimal(real(first))
        for value in values:
            number = how(number, _decimal(real(value)))
        return float(number)

    return apply


def _decimal(value: float) -> decimal.Decimal:
    if not math.isfinite(value):
        raise Failure(f"Cannot create a Decimal from {text_of(value)}")
    return decimal.Decimal(repr(value))


def _quotient(left: decimal.Decimal, right: decimal.Decimal) -> decimal.Decimal:
    if right == 0:
        raise Failure("decimal division by 0")
    return _CONTEXT.divide(left, right).quantize(decimal.Decimal("1e-16"), context=_CONTEXT)


def _round(value: Any, places: int, *threshold: float) -> float:
    power = math.pow(10, places)
    digit = power * real(value)
    fraction = math.modf(digit)[0]
    rounded = math.ceil(digit) if fraction >= (threshold[0] if threshold else 0.5) else math.floor(digit)
    return float(rounded) / power


def _to_decimal(value: Any) -> Long:
    value_text = text_of(value)
    return Long(int(value_text, 8)) if re.fullmatch("[+-]?[0-7]{1,20}", value_text) else Long(0)


_plus = _decimals(_CONTEXT.add)

NUMBERS: Table = {
    "atoi": ("s", lambda value: whole_number(value) or 0),
    "int64": ("a", lambda value: Long(whole(value))),
    "int": ("a", whole),
    "float64": ("a", real),
    "seq": ("i*", _sequence),
    "toDecimal": ("a", _to_decimal),
    "until": ("i", lambda count: _until(0, count, -1 if count < 0 else 1)),
    "untilStep": ("iii", _until),
    "add1": ("a", lambda value: _sum(value, 1)),
    "add": ("a*", _sum),
    "sub": ("aa", lambda left, right: _long(whole(left) - whole(right))),
    "div": ("aa", _divide),
    "mod": ("aa", _remainder),
    "mul": ("aa*", _product),
    "add1f": ("a", lambda value: _plus(value, 1)),
    "addf": ("a*", lambda *values: _plus(0.0, *values)),
    "subf": ("aa*", _decimals(_CONTEXT.subtract)),
    "divf": ("aa*", _decimals(_quotient)),
    "mulf": ("aa*", _decimals(_CONTEXT.multiply)),
    "biggest": ("aa*", lambda *values: Long(max(map(whole, values)))),
    "max": ("aa*", lambda *values: Long(max(map(whole, values)))),
    "min": ("aa*", lambda *values: Long(min(map(whole, values)))),
    "maxf": ("aa*", lambda *values: max(map(real, values))),
    "minf": ("aa*", lambda *values: min(map(real, values))),
    "ceil": ("a", lambda value: builtin.BUILTINS["ceil"](real(value))),
    "floor": ("a", lambda value: builtin.BUILTINS["floor"](real(value))),
    "round": ("aif*", _round),
}
