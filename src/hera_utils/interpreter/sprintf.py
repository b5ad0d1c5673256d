"""Go's fmt.Sprintf with one whole number: withSequence's `format`."""

from __future__ import annotations

import re

from hera_utils.expressions.gotext import quote_inside
from hera_utils.interpreter.faults import Fault

_INDEX = r"(\[[^]]*\]|\[)?"
_VERB = re.compile(rf"%([-+ 0#]*){_INDEX}(\*|\d*)(?:(\.){_INDEX}(\*|\d*))?{_INDEX}(.?)", re.DOTALL)
_MOST = 6  # digits of a width
_WIDEST = 1_000_000
_BASES = {"d": "d", "v": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
_PREFIXES = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}


def sprintf(form: str, number: int) -> str:
    """The format with the number in it. An invalid format gives Go's text about it."""
    argument = _Argument(form, number)
    text = _VERB.sub(argument.format_match, form)
    return text if argument.used or argument.indexed else f"{text}%!(EXTRA int={number})"


class _Argument:
    """The number; only one verb or `*` may use it, unless an index selects it again."""

    def __init__(self, form: str, number: int) -> None:
        self.form = form
        self.number = number
        self.used = False
        self.indexed = False

    def format_match(self, match: re.Match[str]) -> str:
        flags, before, width, dot, within, precision, after, verb = match.groups()
        good = self._apply_index(before) and not (before and (width[:1].isdecimal() or dot))
        prefix, wide = self._size(width, "%!(BADWIDTH)")
        if wide is not None and wide < 0:
            flags, wide = flags.replace("0", "") + "-", -wide
        exact = None
        if dot:
            good = self._apply_index(within) and good
            complaint, exact = self._size(precision, "%!(BADPREC)", negative=False)
            prefix += complaint
            exact = exact if precision else 0
        good = self._apply_index(after) and good
        return prefix + self._value(flags, wide or 0, exact, verb, good)

    def _value(self, flags: str, width: int, precision: int | None, verb: str, good: bool) -> str:
        if not verb:
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        if not good:
            return f"%!{verb}(BADINDEX)"
        if self.used:
            return f"%!{verb}(MISSING)"
        self.used = True
        return _verb(verb, flags, width, precision, self.number)

    def _apply_index(self, index: str | None) -> bool:
        """Process an index: `[1]` selects the number again, as there is no other argument."""
        if index is None:
            return True
        self.indexed = True
        if index == "[1]":
            self.used = False
        return index == "[1]"

    def _size(self, text: str, complaint: str, *, negative: bool = True) -> tuple[str, int | None]:
        """A width or precision: digits, or the number itself for `*`."""
        if text != "*":
            if len(text) > _MOST:
                raise Fault(f"withSequence: the format {self.form!r} is too wide")
            return "", int(text) if text else None
        taken, self.used = self.used, True
        if taken or abs(self.number) > _WIDEST or (self.number < 0 and not negative):
            return complaint, None
        return "", self.number


def _verb(verb: str, flags: str, width: int, precision: int | None, number: int) -> str:
    if verb in _BASES:
        return _integer(verb, flags, width, precision, number)
    if verb in "cq":
        valid = 0 <= number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF
        return _pad(_letter(verb, chr(number) if valid else "\ufffd"), flags, width)
    if verb == "U":
        return _pad(f"U+{number % (1 << 64):04X}", flags, width)
    if verb == "T":
        return _pad("int", flags, width)
    return f"%!{verb}(int={_integer('d', flags, width, precision, number)})"


def _letter(verb: str, letter: str) -> str:
    if verb == "c":
        return letter
    return "'" + {"'": "\\'", '"': '"'}.get(letter, quote_inside(letter)) + "'"


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


def _pad(text: str, flags: str, width: int) -> str:
    return text.ljust(width) if "-" in flags else text.rjust(width, "0" if "0" in flags else " ")
