"""Reads and writes scalar values of a document as Go does: numbers, quantities, times, texts of parameters."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.argo.quantities import QuantityError, quantity

Decoder = Callable[[Any], Any]

_INT64 = 1 << 63
_EXPONENT = 1e21  # from here on Go writes a float as JSON with an exponent


class Mismatch(Exception):
    """A value has the wrong JSON type. While it propagates, each struct adds the field's name; the innermost struct adds its own name."""

    def __init__(self, value: str, go_type: str) -> None:
        super().__init__(value, go_type)
        self.value = value
        self.go_type = go_type
        self.struct = ""
        self.path: list[str] = []

    def inside(self, struct: str, path: tuple[str, ...]) -> None:
        self.struct = self.struct or struct
        self.path[:0] = path

    def message(self, at: str) -> str:
        """Go's message; `at`: the field of the request that holds the document."""
        path = ".".join([at, *self.path] if at else self.path)
        if not path:
            return f"json: cannot unmarshal {self.value} into Go value of type {self.go_type}"
        return f"json: cannot unmarshal {self.value} into Go struct field {self.struct}.{path} of type {self.go_type}"


class UnreadableValue(Exception):
    """A value that the reader of its type refuses; the message is that reader's."""


def json_type(value: Any) -> str:
    """Go's name of a JSON value's type."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list):
        return "array"
    return "null" if value is None else "object"


def _integer(go_type: str, bits: int, *, signed: bool = True) -> Decoder:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)

    def read(value: Any) -> int:
        if value is None:
            return 0
        if type(value) is int and low <= value <= high:
            return value
        kind = json_type(value)
        raise Mismatch(f"number {value!r}" if kind == "number" else kind, go_type)

    return read


_int32 = _integer("int32", 32)


def _boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    if value is None:
        return False
    raise Mismatch(json_type(value), "bool")


def _number(value: Any) -> Any:
    if json_type(value) == "number":
        return value
    raise Mismatch(json_type(value), "float64")


def _any_string(value: Any) -> str:
    """Argo's AnyString: any plain JSON value, kept as text; a list or an object leaves it empty."""
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return plain_number(float(value))
    return ""


def plain_number(number: float) -> str:
    """A float as Go's strconv writes it without an exponent: 1.0 is 1, and 1e21 has all its digits."""
    text = format(Decimal(repr(number)), "f")
    return text.removesuffix(".0")


def _item(value: Any) -> Any:
    """An item of a loop, whose numbers Kubernetes reads and writes again: an integer that needs more than 64 bits is a float then."""
    if isinstance(value, dict):
        return {key: _item(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_item(one) for one in value]
    if type(value) is int and not -_INT64 <= value < _INT64:
        number = float(value)
        return int(plain_number(number)) if abs(number) < _EXPONENT else number
    return 0 if type(value) is float and value == 0 else value  # -0.0


def _int_or_string(value: Any) -> int | str:
    return value if type(value) is str else int(_int32(value))


_SI = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def canonical_quantity(text: str) -> str:
    """A quantity as Kubernetes writes it: "0.5" → "500m", "1024Mi" → "1Gi". Raises QuantityError."""
    exact = quantity(text)
    nanos = int((Decimal(exact.numerator) * 10**9 / exact.denominator).to_integral_value(ROUND_CEILING))
    binary = text.endswith("i")
    if binary and abs(nanos) >= 1024 * 10**9:
        number = -(-nanos // 10**9)
        return _reduce(number, 1024, _BINARY)
    exponent = re.search(r"[eE][+-]?[0-9]+\Z", text)
    return _reduce(nanos, 1000, _SI, exponents=exponent is not None)


def _reduce(number: int, step: int, suffixes: tuple[str, ...], *, exponents: bool = False) -> str:
    index = 0
    while number and number % step == 0 and index < len(suffixes) - 1:
        number //= step
        index += 1
    if not number:
        return "0"
    if exponents:
        power = 3 * index - 9
        return f"{number}e{power}" if power else str(number)
    return f"{number}{suffixes[index]}"


def _quantity(value: Any) -> str:
    if value is None:
        return "0"
    text = str(value).strip() if json_type(value) in ("string", "number") else ""
    if not text:
        raise UnreadableValue(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    try:
        return canonical_quantity(text)
    except QuantityError as wrong:
        raise UnreadableValue(str(wrong)) from None


def _time(value: Any) -> str | None:
    if value is None:
        return None
    if type(value) is not str:
        raise Mismatch(json_type(value), "string")
    at = timestamps.read(value)
    if at is None:
        layout = "2006-01-02T15:04:05Z07:00"
        raise UnreadableValue(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"')
    return timestamps.text(at)


def _plugin(value: Any) -> Any:
    if type(value) is not dict:
        raise Mismatch(json_type(value), "map[string]interface {}")
    if len(value) != 1:
        raise UnreadableValue(f"expected exactly one key, got {len(value)}")
    return value


def _bytes(value: Any) -> str | None:
    if value is None:
        return None
    if type(value) is not str:
        raise Mismatch(json_type(value), "[]uint8")
    try:
        return base64.b64encode(base64.b64decode(value, validate=True)).decode()
    except binascii.Error:
        raise UnreadableValue("illegal base64 data at input byte 0") from None


def _unchanged(value: Any) -> Any:
    return value


LEAVES: dict[str, Decoder] = {
    "bool": _boolean,
    "int": _integer("int", 64),
    "int32": _int32,
    "int64": _integer("int64", 64),
    "uint64": _integer("uint64", 64, signed=False),
    "float64": _number,
    "[]uint8": _bytes,
    "any": _unchanged,
    "intstr.IntOrString": _int_or_string,
    "resource.Quantity": _quantity,
    "v1.Time": _time,
    "v1.MicroTime": _time,
    "v1.FieldsV1": _unchanged,
    "v1alpha1.AnyString": _any_string,
    "v1alpha1.Amount": _unchanged,
    "v1alpha1.Item": _item,
    "v1alpha1.Plugin": _plugin,
}

ZEROS: dict[str, Any] = {
    "bool": False, "int": 0, "int32": 0, "int64": 0, "uint64": 0, "float64": 0,
    "intstr.IntOrString": 0, "resource.Quantity": "0", "v1.Time": None, "v1.MicroTime": None,
}  # fmt: skip
