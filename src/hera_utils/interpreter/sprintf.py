"""Go's fmt.Sprintf with one whole number: withSequence's `format`."""

from __future__ import annotations

import re

from hera_utils.expressions.gotext import quoted_inside
from hera_utils.interpreter.faults import Fault

_VERB = re.compile(r"%([-+ 0#]*)(\d*)(\.\d*)?(?:\[(\d+)\])?(.?)", re.DOTALL)
_MOST = 6  # digits of a width
_BASES = {"d": "d", "v": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
_PREFIXES = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}


def sprintf(form: str, number: int) -> str:
    """The format with the number in it. An invalid format gives Go's text about it."""
    used = indexed = False

    def formatted(match: re.Match[str]) -> str:
        nonlocal used, indexed
        flags, width, precision, index, verb = match.groups()
        indexed = indexed or index is not None
        if not verb:
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        if index not in (None, "1"):
            return f"%!{verb}(BADINDEX)"
        if used and index is None:
            return f"%!{verb}(MISSING)"
        if len(width) > _MOST or len(precision or "") > _MOST:
            raise Fault(f"withSequence: the format {form!r} is too wide")
        used = True
        return _verb(verb, flags, int(width or 0), None if precision is None else int(precision[1:] or 0), number)

    text = _VERB.sub(formatted, form)
    return text if used or indexed else f"{text}%!(EXTRA int={number})"


def _verb(verb: str, flags: str, width: int, precision: int | None, number: int) -> str:
    if verb in _BASES:
        return _integer(verb, flags, width, precision, number)
    if verb in "cq":
        valid = 0 <= number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF
        return _padded(_letter(verb, chr(number) if valid else "\ufffd"), flags, width)
    if verb == "U":
        return _padded(f"U+{number % (1 << 64):04X}", flags, width)
    if verb == "T":
        return _padded("int", flags, width)
    return f"%!{verb}(int={_integer('d', flags, width, precision, number)})"


def _letter(verb: str, letter: str) -> str:
    if verb == "c":
        return letter
    return "'" + {"'": "\\'", '"': '"'}.get(letter, quoted_inside(letter)) + "'"


def _integer(verb: str, flags: str, width: int, precision: int | None, number: int) -> str:
    if precision == 0 and number == 0:
        return " " * width
    signs = flags if verb != "v" else flags.replace("+", "")
    sign = "-" if number < 0 else "+" if "+" in signs else " " if " " in signs else ""
    digits = format(abs(number), _BASES[verb])
    if precision is not None:
        digits = digits.zfill(precision)
    elif "0" in flags and "-" not in flags:
        digits = digits.zfill(width - len(sign))
    prefix = "0o" if verb == "O" else _PREFIXES.get(verb, "") if "#" in flags else ""
    if prefix == "0" and digits.startswith("0"):
        prefix = ""
    body = sign + prefix + digits
    return body.ljust(width) if "-" in flags else body.rjust(width)


def _padded(text: str, flags: str, width: int) -> str:
    return text.ljust(width) if "-" in flags else text.rjust(width, "0" if "0" in flags else " ")
