"""sprig's functions of texts. Lengths and positions count bytes, as in Go."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable
from typing import Any

from hera_utils.expressions import regexp
from hera_utils.expressions.expr import functions as builtin
from hera_utils.expressions.gotext import quote, text_of
from hera_utils.expressions.sprig.string_cases import camelcase, lower_case
from hera_utils.expressions.values import Failure, NilSlice, Strings, Texts

Table = dict[str, tuple[str, Callable[..., Any]]]
LONGEST = builtin.LONGEST_TEXT


def text(value: Any) -> str:
    """A value as text (sprig: strval)."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else text_of(value)


def texts(value: Any) -> list[str]:
    """The items of a list as texts without nils; one text for any other value (sprig: toStrings)."""
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return [text(item) for item in value if item is not None]
    return [text(value)]


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _cut(value: str, start: int, end: int) -> str:
    data = _bytes(value)
    if not 0 <= start <= end <= len(data):
        if start == 0:
            raise Failure(
                f"runtime error: slice bounds out of range [:{end}]" + (f" with length {len(data)}" if end > 0 else "")
            )
        raise Failure(f"runtime error: slice bounds out of range [{start}:{end}]")
    return data[start:end].decode("utf-8", "replace")


def _trunc(length: int, value: str) -> str:
    size = len(_bytes(value))
    if length < 0 and size + length > 0:
        return _cut(value, size + length, size)
    return _cut(value, 0, length) if 0 <= length < size else value


def _substring(start: int, end: int, value: str) -> str:
    size = len(_bytes(value))
    if start < 0:
        return _cut(value, 0, end)
    return _cut(value, start, size if end < 0 or end > size else end)


def _abbreviate(value: str, offset: int, width: int) -> str:
    size = len(_bytes(value))
    if width < 4:
        return ""
    if size <= width:
        return value
    offset = min(offset, size)
    if size - offset < width - 3:
        offset = size - (width - 3)
    if offset <= 4:
        return _cut(value, 0, width - 3) + "..."
    if width < 7:
        return ""
    if offset + width - 3 < size:
        return "..." + _abbreviate(_cut(value, offset, size), 0, width - 3)
    return "..." + _cut(value, size - (width - 3), size)


def _abbrev(width: int, value: str) -> str:
    return value if width < 4 else _abbreviate(value, 0, width)


def _abbrev_both(left: int, right: int, value: str) -> str:
    return value if right < 4 or (left > 0 and right < 7) else _abbreviate(value, left, right)


_SPACES = frozenset(builtin.SPACE)


def _initials(value: str) -> str:
    initials, gap = [], True
    for byte in _bytes(value):  # byte by byte, as goutils does
        character = chr(byte)
        if character in _SPACES:
            gap = True
        elif gap:
            initials.append(character)
            gap = False
    return "".join(initials)


def _nospace(value: str) -> str:
    data = _bytes(value)
    characters = [chr(byte) for byte in data if chr(byte) not in _SPACES]
    return value if len(characters) == len(data) else "".join(characters)


def _title(value: str) -> str:
    letters, previous = [], " "
    for character in value:
        separates = not (previous.isalnum() or previous == "_") and (ord(previous) < 0x80 or previous in _SPACES)
        letters.append(character.title() if separates and len(character.title()) == 1 else character)
        previous = character
    return "".join(letters)


def _untitle(value: str) -> str:
    letters, start = [], True
    for character in value:
        if character in _SPACES:
            start = True
        elif start:
            character, start = character.lower(), False
        letters.append(character)
    return "".join(letters)


def _swapcase(value: str) -> str:
    letters, space = [], True
    for character in value:
        if character.isupper() or character.istitle():
            character, space = character.lower(), False
        elif character.islower():
            character = character.title() if space else character.upper()
            space = False
        else:
            space = character in _SPACES
        letters.append(character)
    return "".join(letters)


def _repeat(count: int, value: str) -> str:
    if count < 0:
        raise Failure("strings: negative Repeat count")
    if len(value) * count > LONGEST:
        raise Failure("memory budget exceeded")
    return value * count


def _indent(spaces: int, value: str) -> str:
    padding = _repeat(spaces, " ")
    if spaces * (value.count("\n") + 1) > LONGEST:
        raise Failure("memory budget exceeded")
    return padding + value.replace("\n", "\n" + padding)


def _wrap(width: int, separator: str, value: str, *, breaking: bool) -> str:
    """Lines of at most `width` bytes; a longer word is broken or stands alone."""
    separator = separator or "\n"
    width = max(width, 1)
    data, wrapped, at = _bytes(value), bytearray(), 0
    if len(data) // width * len(separator) > 16 * LONGEST:
        raise Failure("memory budget exceeded")
    while len(data) - at > width:
        if data[at : at + 1] == b" ":
            at += 1
            continue
        end = data.rfind(b" ", at, at + width + 1)
        blank = 1
        if end < 0 and breaking:
            end, blank = at + width, 0
        elif end < 0:
            end = data.find(b" ", at + width)
            if end < 0:
                break
        wrapped += data[at:end] + _bytes(separator)
        at = end + blank
    return (bytes(wrapped) + data[at:]).decode("utf-8", "replace")


def _decoder(how: Callable[[bytes], bytes], name: str) -> Callable[[str], str]:
    def decode(value: str) -> str:
        clean = _bytes(value).replace(b"\n", b"").replace(b"\r", b"")
        try:
            return how(clean).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            alphabet = rb"[^A-Za-z0-9+/]" if name == "base64" else rb"[^A-Z2-7]"
            bad = re.search(alphabet, clean)
            quantum = 4 if name == "base64" else 8
            return f"illegal {name} data at input byte {bad.start() if bad else len(clean) - len(clean) % quantum}"

    return decode


def _split(parts: list[str]) -> Texts:
    return Texts((f"_{index}", part) for index, part in enumerate(parts))


def _plural(singular: str, many: str, count: int) -> str:
    return singular if count == 1 else many


# -- regular expressions ------------------------------------------------------------------------------------------------


def _template(replacement: str) -> Callable[[regexp.Match], str]:
    """Expands the references $1, ${name} and $$ of Go's replacement texts."""

    def expand(match: regexp.Match) -> str:
        def written(part: re.Match[str]) -> str:
            name = part.group(2) or part.group(3)
            return "$" if part.group(1) else match.group(int(name) if name.isdecimal() else name)

        return re.sub(r"\$(?:(\$)|(\w+)|\{(\w+)\})", written, replacement, flags=re.ASCII)

    return expand


def _replace_all(pattern: str, value: str, replacement: str) -> str:
    return _substitute(regexp.compile_pattern(pattern), _template(replacement), value)


def _replace_literal(pattern: str, value: str, replacement: str) -> str:
    return _substitute(regexp.compile_pattern(pattern), lambda _: replacement, value)


def _substitute(compiled: regexp.Pattern, write: Callable[[regexp.Match], str], value: str) -> str:
    pieces: list[str] = []
    at = size = 0
    for match in compiled.all(value):
        pieces.append(value[at : match.start])
        pieces.append(write(match))
        size += len(pieces[-1])
        if size > 16 * LONGEST:
            raise Failure("memory budget exceeded")
        at = match.end
    return "".join(pieces) + value[at:]


def _find_all(pattern: str, value: str, count: int) -> list[str]:
    matches = [match.group() for match in regexp.compile_pattern(pattern).all(value)]
    first_matches = matches if count < 0 else matches[:count]
    return Strings(first_matches) if first_matches else NilSlice("[]string")


def _find(pattern: str, value: str) -> str:
    match = regexp.compile_pattern(pattern).search(value)
    return match.group() if match else ""


def _match(pattern: str, value: str) -> bool:
    try:
        return regexp.compile_pattern(pattern).search(value) is not None
    except Failure:
        return False


def _must_match(pattern: str, value: str) -> bool:
    return regexp.compile_pattern(pattern).search(value) is not None


def _with_panic_message(call: Callable[..., Any]) -> Callable[..., Any]:
    """The function with the longer error message of Go's MustCompile for an invalid pattern."""

    def checked(pattern: str, *others: Any) -> Any:
        try:
            regexp.compile_pattern(pattern)
        except Failure as failure:
            plain = all(letter == "\t" or (" " <= letter != "\x7f" and letter not in "`\ufeff") for letter in pattern)
            raise Failure(f"regexp: Compile({f'`{pattern}`' if plain else quote(pattern)}): {failure}") from None
        return call(pattern, *others)

    return checked


def _split_by(pattern: str, value: str, count: int) -> list[str]:
    compiled = regexp.compile_pattern(pattern)
    if count == 0:
        return NilSlice("[]string")
    if pattern and value == "":
        return Strings([""])
    pieces: list[str] = []
    start, end = 0, 0
    for match in compiled.all(value):
        if count > 0 and len(pieces) == count - 1:
            break
        end = match.start
        if match.end != 0:
            pieces.append(value[start:end])
        start = match.end
    if end != len(value):
        pieces.append(value[start:])
    return Strings(pieces)


def _join(separator: str, value: Any) -> str:
    pieces = texts(value)
    builtin.check_joined(separator, pieces)
    return separator.join(pieces)


def _sort_alpha(value: Any) -> Strings:
    if isinstance(value, list | tuple):
        return Strings(sorted(texts(value), key=_bytes))
    return Strings([text(value)])


def _fail(message: str) -> str:
    raise Failure(message)


TEXTS: Table = {
    "hello": ("", lambda: "Hello!"),
    "abbrev": ("is", _abbrev),
    "abbrevboth": ("iis", _abbrev_both),
    "trunc": ("is", _trunc),
    "trim": ("s", lambda value: value.strip(builtin.SPACE)),
    "upper": ("s", str.upper),
    "lower": ("s", str.lower),
    "title": ("s", _title),
    "untitle": ("s", _untitle),
    "substr": ("iis", _substring),
    "repeat": ("is", _repeat),
    "trimall": ("ss", lambda cut, value: value.strip(cut) if cut else value),
    "trimAll": ("ss", lambda cut, value: value.strip(cut) if cut else value),
    "trimSuffix": ("ss", lambda cut, value: value.removesuffix(cut)),
    "trimPrefix": ("ss", lambda cut, value: value.removeprefix(cut)),
    "nospace": ("s", _nospace),
    "initials": ("s", _initials),
    "swapcase": ("s", _swapcase),
    "snakecase": ("s", lower_case("_")),
    "camelcase": ("s", camelcase),
    "kebabcase": ("s", lower_case("-")),
    "wrap": ("is", lambda width, value: _wrap(width, "", value, breaking=False)),
    "wrapWith": ("iss", lambda width, separator, value: _wrap(width, separator, value, breaking=True)),
    "contains": ("ss", lambda part, value: part in value),
    "hasPrefix": ("ss", lambda part, value: value.startswith(part)),
    "hasSuffix": ("ss", lambda part, value: value.endswith(part)),
    "quote": ("a*", lambda *values: " ".join(quote(text(value)) for value in values if value is not None)),
    "squote": ("a*", lambda *values: " ".join(f"'{text_of(value)}'" for value in values if value is not None)),
    "cat": ("a*", lambda *values: " ".join(text_of(value) for value in values if value is not None)),
    "indent": ("is", _indent),
    "nindent": ("is", lambda spaces, value: "\n" + _indent(spaces, value)),
    "replace": ("sss", lambda old, new, value: builtin.replace(value, old, new)),
    "plural": ("ssi", _plural),
    "sha1sum": ("s", lambda value: hashlib.sha1(_bytes(value), usedforsecurity=False).hexdigest()),
    "sha256sum": ("s", lambda value: hashlib.sha256(_bytes(value)).hexdigest()),
    "sha512sum": ("s", lambda value: hashlib.sha512(_bytes(value)).hexdigest()),
    "adler32sum": ("s", lambda value: str(zlib.adler32(_bytes(value)))),
    "toString": ("a", text),
    "split": ("ss", lambda separator, value: _split(builtin.split(value, separator))),
    "splitList": ("ss", lambda separator, value: builtin.split(value, separator)),
    "splitn": ("sis", lambda separator, count, value: _split(builtin.split(value, separator, count))),
    "toStrings": ("a", lambda value: Strings(texts(value))),
    "join": ("sa", _join),
    "sortAlpha": ("a", _sort_alpha),
    "b64enc": ("s", lambda value: base64.b64encode(_bytes(value)).decode()),
    "b64dec": ("s", _decoder(lambda data: base64.b64decode(data, validate=True), "base64")),
    "b32enc": ("s", lambda value: base64.b32encode(_bytes(value)).decode()),
    "b32dec": ("s", _decoder(base64.b32decode, "base32")),
    "fail": ("s", _fail),
    "regexMatch": ("ss", _match),
    "mustRegexMatch": ("ss", _must_match),
    "regexFindAll": ("ssi", _with_panic_message(_find_all)),
    "mustRegexFindAll": ("ssi", _find_all),
    "regexFind": ("ss", _with_panic_message(_find)),
    "mustRegexFind": ("ss", _find),
    "regexReplaceAll": ("sss", _with_panic_message(_replace_all)),
    "mustRegexReplaceAll": ("sss", _replace_all),
    "regexReplaceAllLiteral": ("sss", _with_panic_message(_replace_literal)),
    "mustRegexReplaceAllLiteral": ("sss", _replace_literal),
    "regexSplit": ("ssi", _with_panic_message(_split_by)),
    "mustRegexSplit": ("ssi", _split_by),
    "regexQuoteMeta": ("s", lambda value: re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", value)),
}
