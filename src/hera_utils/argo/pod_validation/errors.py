"""Kubernetes' messages about invalid values of fields (apimachinery's field errors). Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from hera_utils.argo.names import invalid_value

LARGEST_ID = 2147483647


def required(path: str, why: str = "") -> str:
    return f"{path}: Required value: {why}" if why else f"{path}: Required value"


def forbidden(path: str, why: str) -> str:
    return f"{path}: Forbidden: {why}"


def check_choice(path: str, value: Any, *choices: str) -> Iterator[str]:
    """A complaint if the value is none of the choices."""
    if value not in choices:
        listed_choices = ", ".join(f'"{choice}"' for choice in choices)
        yield f'{path}: Unsupported value: "{value}": supported values: {listed_choices}'


def check_optional_choice(path: str, value: Any, *choices: str) -> Iterator[str]:
    """As `check_choice`, without a complaint about an absent field."""
    if value:
        yield from check_choice(path, value, *choices)


def check_between(path: str, value: Any, least: int, largest: int) -> Iterator[str]:
    if value is not None and not least <= value <= largest:
        yield invalid_value(path, value, f"must be between {least} and {largest}, inclusive")


def check_address(path: str, value: str) -> Iterator[str]:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        yield invalid_value(path, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
