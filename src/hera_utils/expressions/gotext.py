"""Texts in Go's forms: strconv.Quote, encoding/json, fmt's %v. The results of expressions are written into workflows in these forms."""

from __future__ import annotations

import base64
import json
import math
import re
from typing import Any, NoReturn

from hera_utils.argo.gojson import NAMED_ESCAPES
from hera_utils.errors import ExpressionError
from hera_utils.expressions.values import count_parts

_plain = re.compile(r"[ !#-\[\]-~]*\Z").match
_ESCAPES = {**NAMED_ESCAPES, '"': '\\"'}


def quote_inside(text: str) -> str:
    """A text quoted by strconv.Quote, without the quotes. It is not always legal JSON: \\a, \\v, \\x.. and \\U........ are not."""
    if _plain(text):
        return text
    return "".join(_ESCAPES.get(character) or _escape(character) for character in text)


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if 0xD800 <= code <= 0xDFFF:
        return "\\ufffd"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quote(text: str) -> str:
    """strconv.Quote, %q."""
    return f'"{quote_inside(text)}"'


def float_json(value: float) -> str:
    """A float as encoding/json writes it: shortest digits, exponents only outside 1e-6 … 1e21."""
    if math.isnan(value) or math.isinf(value):
        raise ExpressionError(f"json: unsupported value: {float_text(value)}")
    magnitude = abs(value)
    if magnitude != 0 and (magnitude < 1e-6 or magnitude >= 1e21):
        mantissa, exponent = _scientific(value)
        sign = "-" if exponent < 0 else "+"
        # encoding/json shortens e-09 to e-9
        return f"{mantissa}e{sign}{abs(exponent):02d}" if sign == "+" else f"{mantissa}e-{abs(exponent)}"
    return _decimal(value)


def float_text(value: float) -> str:
    """A float as %v writes it: the shortest digits, with an exponent below 1e-4 and from 1e6 on."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    mantissa, exponent = _scientific(value)
    if exponent < -4 or exponent >= 6:
        return f"{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    return _decimal(value)


def _scientific(value: float) -> tuple[str, int]:
    digits, exponent = _digits(abs(value))
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return ("-" if value < 0 else "") + mantissa, exponent


def _digits(value: float) -> tuple[str, int]:
    """The shortest decimal digits of a positive float and the exponent of the first."""
    mantissa, _, power = f"{value!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    exponent = int(power or 0) + len(whole) - 1
    digits = whole + fraction
    stripped = digits.lstrip("0")
    exponent -= len(digits) - len(stripped)
    return stripped.rstrip("0") or "0", exponent


def _decimal(value: float) -> str:
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    digits, exponent = _digits(abs(value))
    if exponent < 0:
        text = "0." + "0" * (-exponent - 1) + digits
    elif exponent >= len(digits) - 1:
        text = digits + "0" * (exponent - len(digits) + 1)
    else:
        text = digits[: exponent + 1] + "." + digits[exponent + 1 :]
    return ("-" if value < 0 else "") + text


def to_json(value: Any, *, indent: str = "", level: int = 0, html: bool = True) -> str:
    """encoding/json's Marshal (or MarshalIndent): sorted keys, no blanks, < > & escaped when `html`.

    Raises ExpressionError with Go's message for what JSON cannot hold.
    """
    count_parts(value)
    try:
        return _marshal(value, indent, level, html)
    except RecursionError:
        type_name = getattr(
            value, "go_type", "map[string]interface {}" if isinstance(value, dict) else "[]interface {}"
        )
        raise ExpressionError(f"json: unsupported value: encountered a cycle via {type_name}") from None


def _marshal(value: Any, indent: str, level: int, html: bool) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return json_string(value, html=html)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return float_json(value)
    if isinstance(value, bytes):
        return '"' + base64.b64encode(value).decode() + '"'
    if isinstance(value, dict):
        if getattr(value, "go_type", "").startswith("map[interface"):
            _refuse_type(value)
        return _object(value, indent, level, html)
    written = getattr(value, "json", None)
    if written is not None:
        return _marshal(written(), indent, level, html)
    if isinstance(value, list | tuple):
        return _array(value, indent, level, html)
    _refuse_type(value)


def _refuse_type(value: Any) -> NoReturn:
    raise ExpressionError(f"json: unsupported type: {getattr(value, 'go_type', type(value).__name__)}")


def _object(value: dict[Any, Any], indent: str, level: int, html: bool) -> str:
    if not value:
        return "{}"
    keyed = {str(key): item for key, item in value.items()}
    colon = ": " if indent else ":"
    parts = [
        json_string(key, html=html) + colon + _marshal(keyed[key], indent, level + 1, html)
        for key in sorted(keyed, key=lambda text: text.encode("utf-8", "surrogatepass"))
    ]
    return _join("{", parts, "}", indent, level)


def _array(value: list[Any] | tuple[Any, ...], indent: str, level: int, html: bool) -> str:
    if not value:
        return "[]"
    return _join("[", [_marshal(item, indent, level + 1, html) for item in value], "]", indent, level)


_MOST_BLANKS = 20_000_000


def _join(opening: str, parts: list[str], closing: str, indent: str, level: int) -> str:
    if not indent:
        return opening + ",".join(parts) + closing
    if len(parts) * len(indent) * level > _MOST_BLANKS:
        raise ExpressionError("memory budget exceeded")
    inner = "\n" + indent * (level + 1)
    return opening + inner + ("," + inner).join(parts) + "\n" + indent * level + closing


_html_escapes = re.compile("[<>&\u2028\u2029]")


def json_string(text: str, *, html: bool = True) -> str:
    """A JSON string as encoding/json writes it."""
    written = json.dumps(text, ensure_ascii=False)
    if "\x7f" in written or not written.isascii():
        written = written.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
        written = re.sub("[\ud800-\udfff]", "\ufffd", written)
    if html:
        written = _html_escapes.sub(lambda match: f"\\u{ord(match.group()):04x}", written)
    return written


def text_of(value: Any) -> str:
    """fmt's %v of a value. Raises ExpressionError for one that is too large."""
    count_parts(value)
    return _text(value)


def _text(value: Any) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, int):
        return str(int(value)) if type(value) is int else str(value)
    if isinstance(value, bytes):
        return "[" + " ".join(str(byte) for byte in value) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=_rank)
        return "map[" + " ".join(f"{_text(key)}:{_text(value[key])}" for key in keys) + "]"
    if isinstance(value, list | tuple):
        return "[" + " ".join(_text(item) for item in value) + "]"
    return str(value)


def _rank(key: Any) -> tuple[int, Any]:
    """The rank by which fmt sorts the keys of a map: nil first, texts, then numbers; the others unsorted."""
    if key is None:
        return 0, 0
    if isinstance(key, str):
        return 1, key
    return (2, key) if isinstance(key, int | float) else (3, 0)
