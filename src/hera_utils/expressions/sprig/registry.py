"""sprig 3.3's functions as Argo exposes them: `sprig.replace("a", "b", text)`.

sprig hides many errors: `int` of an invalid text is 0, `b64dec` of one is an error text, `dateInZone` of an unknown zone uses UTC.
The local platform differs on purpose in these:

    env, expandenv                          missing, as in Argo
    now, ago, date without a value          the time of the current event
    uuidv4, randAlpha…, randInt, shuffle    computed from the seed of that event
    getHostByName                           an error: expressions do not use the network
    genCA…, genPrivateKey, bcrypt, htpasswd,
    derivePassword, encryptAES, decryptAES  an error: expressions do not create secrets
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from hera_utils.expressions.entropy import Entropy
from hera_utils.expressions.sprig.dates import dates
from hera_utils.expressions.sprig.defaults import DEFAULTS
from hera_utils.expressions.sprig.lists import LISTS
from hera_utils.expressions.sprig.numbers import NUMBERS
from hera_utils.expressions.sprig.paths import PATHS
from hera_utils.expressions.sprig.semver import compare, version
from hera_utils.expressions.sprig.texts import TEXTS, Table
from hera_utils.expressions.values import Failure, Function

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_ASCII = "".join(map(chr, range(32, 127)))
_MOST = 1_000_000

_REFUSED = (
    "bcrypt", "htpasswd", "genPrivateKey", "derivePassword", "buildCustomCert", "genCA", "genCAWithKey", "genSelfSignedCert",
    "genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey", "encryptAES", "decryptAES", "getHostByName",
)  # fmt: skip


def _refusing_function(name: str) -> Callable[..., Any]:
    def refuse(*_: Any) -> Any:
        raise Failure(f"sprig.{name} is not supported in expressions on this platform")

    return refuse


def _drawing_function(entropy: Entropy, alphabet: str) -> Callable[[int], str]:
    def draw(count: int) -> str:
        if not 0 <= count <= _MOST:
            raise Failure("memory budget exceeded" if count > 0 else "")
        return entropy.text(count, alphabet)

    return draw


def _randomness(entropy: Entropy) -> Table:
    def integer(least: int, bound: int) -> int:
        if bound <= least:
            raise Failure("invalid argument to Intn")
        return least + entropy.below(bound - least)

    def shuffled(value: str) -> str:
        characters = list(value)
        for index in range(len(characters) - 1, 0, -1):
            other = entropy.below(index + 1)
            characters[index], characters[other] = characters[other], characters[index]
        return "".join(characters)

    def random_bytes(count: int) -> str:
        if not 0 <= count <= _MOST:
            raise Failure("runtime error: makeslice: len out of range")
        return base64.b64encode(entropy.data(count)).decode()

    return {
        "randAlphaNum": ("i", _drawing_function(entropy, _LETTERS + _DIGITS)),
        "randAlpha": ("i", _drawing_function(entropy, _LETTERS)),
        "randAscii": ("i", _drawing_function(entropy, _ASCII)),
        "randNumeric": ("i", _drawing_function(entropy, _DIGITS)),
        "randInt": ("ii", integer),
        "randBytes": ("i", random_bytes),
        "shuffle": ("s", shuffled),
        "uuidv4": ("", lambda: str(uuid.UUID(bytes=entropy.data(16), version=4))),
    }


_PURE: Table = {
    **TEXTS,
    **LISTS,
    **DEFAULTS,
    **NUMBERS,
    **PATHS,
    "semver": ("s", version),
    "semverCompare": ("ss", compare),
    **{name: ("a*", _refusing_function(name)) for name in _REFUSED},
}
_FUNCTIONS = {name: Function(name, call, signature) for name, (signature, call) in _PURE.items()}
_DRAWING = frozenset({**dates(Entropy()), **_randomness(Entropy())})
DRAWING = frozenset(f"sprig.{name}" for name in _DRAWING)
NAMES = frozenset(_FUNCTIONS) | _DRAWING


class _Sprig(dict[str, Function]):
    """The functions by name, as a map for expressions. Those that use entropy are created when one of them is first used."""

    go_type = "map[string]interface {}"

    def __init__(self, entropy: Entropy) -> None:
        super().__init__(_FUNCTIONS)
        self.entropy = entropy

    def __contains__(self, name: object) -> bool:
        return name in NAMES

    def __missing__(self, name: str) -> Function:
        for function_name, (signature, call) in {**dates(self.entropy), **_randomness(self.entropy)}.items():
            self[function_name] = Function(function_name, call, signature)
        return super().__getitem__(name)


def functions(entropy: Entropy) -> Mapping[str, Function]:
    """Name → function, with this entropy."""
    return _Sprig(entropy)
