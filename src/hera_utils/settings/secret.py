"""A value that is never shown, and the masking of texts that might contain one."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = "********"
_SHORTEST = 5  # masking a shorter value would mask ordinary words and protect nothing
_ANYWHERE = 8  # a shorter one is masked only as a whole word: `admin`, but not the beginning of `administrator`


class Secret(str):
    """A token or a password. Printing, formatting or dumping it (also as JSON) shows `********`; `reveal()` gives the value.

    It is a str whose text is the mask, so code that uses it as a str reveals nothing.
    It is callable like Hera's token generators, so `global_config.token = args.argo_token` works.
    """

    __slots__ = ("_value",)

    _value: str

    def __new__(cls, value: str) -> Secret:
        secret = super().__new__(cls, MASK)
        secret._value = value
        return secret

    def reveal(self) -> str:
        return self._value

    def __call__(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, specification: str) -> str:
        return format(MASK, specification)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled: it would leave its value in a file")


def looks_like_a_key(text: str) -> bool:
    """Whether a text contains a part that looks like a random key: at least 12 letters and digits that change kind at least 4 times."""
    return any(
        len(part) >= 12 and len(re.findall(r"[a-z]+|[A-Z]+|[0-9]+", part)) >= 5
        for part in re.split(r"[^A-Za-z0-9]+", text)
    )


def mask(text: str, secrets: Iterable[str | Secret | None]) -> str:
    """The text with the secrets masked, also in base64 or percent-encoding."""
    for secret in secrets:
        value = secret.reveal() if isinstance(secret, Secret) else secret
        for word in (value or "").split():  # in `Bearer x` only `x` is secret
            if len(word) < _SHORTEST or word in ("Bearer", "Basic"):
                continue
            encoded = base64.b64encode(word.encode()).decode()
            for form in {word, quote(word, safe=""), encoded, encoded.rstrip("=")}:
                if form in text:
                    text = text.replace(form, MASK) if len(form) >= _ANYWHERE else _word_pattern(form).sub(MASK, text)
    return text


def _word_pattern(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(text)}(?!\w)")
