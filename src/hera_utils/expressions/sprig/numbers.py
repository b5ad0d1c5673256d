"""sprig's functions of numbers, dates, paths, addresses and versions."""

from __future__ import annotations

import decimal
import math
import posixpath
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

from hera_utils.argo.durations import HOUR, MINUTE, SECOND, DurationError, format_nanoseconds, nanoseconds
from hera_utils.expressions.entropy import Entropy
from hera_utils.expressions.expr import functions as builtin
from hera_utils.expressions.gotext import quote as quoted
from hera_utils.expressions.gotext import text_of
from hera_utils.expressions.gotime import Moment, format_moment, moment_at, parse_moment, zone
from hera_utils.expressions.sprig.texts import Table
from hera_utils.expressions.values import Duration, Failure, Ints, Long, go_type, truncated, wrapped

_MOST = 1_000_000
_INTEGER = re.compile(r"([+-]?)(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|[1-9][0-9_]*|0)\Z")


def whole(value: Any) -> int:
    """cast.ToInt: what is no number is 0, texts may be written in another base (010 is 8)."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return truncated(value)
    if isinstance(value, int) and not isinstance(value, Duration):
        return int(value)
    if not isinstance(value, str):
        return 0
    decimal_text = re.match(r"([-+]?[0-9]*)(?:\.[0-9]*)\Z", value)
    if decimal_text:  # cast: what stands before the point counts
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
    number = int(match.group(1) + re.sub("^0[xbo]", "", digits), base)
    return number if -(1 << 63) <= number < 1 << 63 else 0


def real(value: Any) -> float:
    """cast.ToFloat64: what is no number is 0."""
    if isinstance(value, str):
        found = builtin.parse_float(value)
        return 0.0 if found is None else found
    if isinstance(value, bool | int | float) and not isinstance(value, Duration):
        return float(value)
    return 0.0


def _long(value: int) -> Long:
    return Long(wrapped(value))


def _sum(*values: Any) -> Long:
    return _long(sum(map(whole, values)))


def _product(first: Any, *values: Any) -> Long:
    number = whole(first)
    for value in values:
        number = wrapped(number * whole(value))
    return Long(number)


def _divided(left: Any, right: Any) -> Long:
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
    "atoi": ("s", lambda value: builtin.parse_integer(value) or 0),
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
    "div": ("aa", _divided),
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

# -- paths and addresses ------------------------------------------------------------------------------------------------


def _clean(path: str) -> str:
    if not path:
        return "."
    cleaned = posixpath.normpath(path)
    return "/" + cleaned.lstrip("/") if cleaned.startswith("//") else cleaned


def _base(path: str) -> str:
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


def _extension(path: str) -> str:
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name else ""


def _directory(path: str) -> str:
    return _clean(path[: path.rfind("/") + 1])


_ADDRESS = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?\Z", re.DOTALL
)  # RFC 3986, appendix B


def _parse_address(address: str) -> dict[str, Any]:
    match = _ADDRESS.match(address)
    assert match is not None  # every part may be missing
    scheme, authority, path, query, fragment = (part or "" for part in match.groups())
    if not scheme and address.startswith(":"):
        raise Failure(f"unable to parse url: parse {quoted(address)}: missing protocol scheme")
    if not scheme and not authority and ":" in path.partition("/")[0]:
        raise Failure(f"unable to parse url: parse {quoted(address)}: first path segment in URL cannot contain colon")
    user, _, host = authority.rpartition("@")
    opaque = scheme != "" and match.group(2) is None and path != "" and not path.startswith("/")
    return {
        "scheme": scheme.lower(),
        "host": unquote(host),
        "hostname": _hostname(host),
        "path": "" if opaque else unquote(path),
        "query": query,
        "opaque": path if opaque else "",
        "fragment": unquote(fragment),
        "userinfo": user,
    }


def _hostname(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _join_address(parts: dict[str, Any]) -> str:
    for name, value in parts.items():
        if not isinstance(value, str):
            raise Failure(f"unable to parse {name} key, must be of type string, but {builtin.kind(value)} found")
    scheme, host, path = parts.get("scheme", ""), parts.get("host", ""), parts.get("path", "")
    url = f"{scheme}:" if scheme else ""
    if parts.get("opaque"):
        url += parts["opaque"]
    else:
        user = parts.get("userinfo", "")
        if scheme or host or user:
            url += ("//" if host or path or user else "") + (f"{user}@" if user else "") + host
        if path and not path.startswith("/") and host:
            url += "/"
        url += quote(path, safe="/:@!$&'()*+,;=~")
    if parts.get("query"):
        url += "?" + parts["query"]
    if parts.get("fragment"):
        url += "#" + quote(parts["fragment"], safe="/?:@!$&'()*+,;=~")
    return url


PATHS: Table = {
    "base": ("s", _base),
    "dir": ("s", _directory),
    "clean": ("s", _clean),
    "ext": ("s", _extension),
    "isAbs": ("s", lambda path: path.startswith("/")),
    "osBase": ("s", _base),
    "osDir": ("s", _directory),
    "osClean": ("s", _clean),
    "osExt": ("s", _extension),
    "osIsAbs": ("s", lambda path: path.startswith("/")),
    "urlParse": ("s", _parse_address),
    "urlJoin": ("m", _join_address),
}

# -- dates --------------------------------------------------------------------------------------------------------------


def _moment_of(value: Any, entropy: Entropy) -> Moment:
    if isinstance(value, Moment):
        return value
    if go_type(value) in ("int", "int64", "int32"):
        return Moment(int(value) * SECOND)
    return moment_at(entropy.at)


def _in_zone(layout: str, value: Any, name: str, entropy: Entropy) -> str:
    try:
        where = zone(name)
    except Failure:
        where = zone("UTC")
    return format_moment(Moment(_moment_of(value, entropy).nanoseconds, where), layout)


def _modified(change: str, at: Moment) -> Moment:
    try:
        return at.add(nanoseconds(change))
    except DurationError:
        return at


def _must_modify(change: str, at: Moment) -> Moment:
    try:
        return at.add(nanoseconds(change))
    except DurationError as error:
        raise Failure(error.message) from None


def _duration(value: Any) -> str:
    number = int(value) if go_type(value) == "int64" else 0
    if isinstance(value, str) and re.fullmatch("[+-]?[0-9]+", value):
        number = max(-(1 << 63), min((1 << 63) - 1, int(value)))
    return format_nanoseconds(wrapped(number * SECOND))


def _rounded(value: Any, entropy: Entropy) -> str:
    length = 0
    if isinstance(value, str):
        try:
            length = nanoseconds(value)
        except DurationError:
            length = 0
    elif go_type(value) == "int64":
        length = int(value)
    elif isinstance(value, Moment):
        length = moment_at(entropy.at).nanoseconds - value.nanoseconds
    length = abs(length)
    day = 24 * HOUR
    for unit, size in (("y", 365 * day), ("mo", 30 * day), ("d", day), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        if length > size:
            return f"{length // size}{unit}"
    return "0s"


def _ago(value: Any, entropy: Entropy) -> str:
    length = moment_at(entropy.at).nanoseconds - _moment_of(value, entropy).nanoseconds
    return format_nanoseconds((length + SECOND // 2) // SECOND * SECOND)


ZERO = Moment(-62135596800 * SECOND)


def _to_date(layout: str, value: str) -> Moment:
    try:
        return parse_moment(layout, value)
    except Failure:
        return ZERO


def dates(entropy: Entropy) -> Table:
    """The functions of dates; `now` is the entropy's."""
    return {
        "now": ("", lambda: moment_at(entropy.at)),
        "ago": ("a", lambda value: _ago(value, entropy)),
        "date": ("sa", lambda layout, value: _in_zone(layout, value, "Local", entropy)),
        "date_in_zone": ("sas", lambda layout, value, name: _in_zone(layout, value, name, entropy)),
        "dateInZone": ("sas", lambda layout, value, name: _in_zone(layout, value, name, entropy)),
        "htmlDate": ("a", lambda value: _in_zone("2006-01-02", value, "Local", entropy)),
        "htmlDateInZone": ("as", lambda value, name: _in_zone("2006-01-02", value, name, entropy)),
        "date_modify": ("st", _modified),
        "dateModify": ("st", _modified),
        "must_date_modify": ("st", _must_modify),
        "mustDateModify": ("st", _must_modify),
        "duration": ("a", _duration),
        "durationRound": ("a", lambda value: _rounded(value, entropy)),
        "toDate": ("ss", _to_date),
        "mustToDate": ("ss", parse_moment),
        "unixEpoch": ("t", lambda at: str(at.nanoseconds // SECOND)),
    }
