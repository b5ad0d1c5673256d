"""The `hera.config` format of the first hera_utils: `key = value` lines as in configargparse or the shell. Pure.

# a comment                      argo_server = 'argo.lab.example:443'     # quotes and a comment after a blank
[a section: ignored]             --argo_namespace: argo                   # dashes, `:` or a blank instead of `=`
                                 verify_tls                               # a key alone is true
"""

from __future__ import annotations

import re

from hera_utils.errors import SettingsError
from hera_utils.settings.fields import BY_NAME

_KEY = re.compile(r"(?:--?)?(?P<key>[A-Za-z_][\w.-]*)\s*(?P<separator>[=:]|\s|$)\s*(?P<rest>.*)$")


def parse_hera_config(text: str, origin: str) -> dict[str, str]:
    """Key (with `_` for `-`) → value; the last line of a key wins. Raises SettingsError, which names the line, for an invalid line."""
    values: dict[str, str] = {}
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#;" or stripped in ("---", "...") or re.fullmatch(r"\[[^\]]*\]", stripped):
            continue
        match = _KEY.match(stripped.removeprefix("export "))
        if match is None:
            # The message does not repeat the line because it may contain a token.
            raise SettingsError(
                f"{origin}, line {number}: no `key = value`", fix="write `key = value`, or # before a comment"
            )
        key = match["key"].replace("-", "_")
        if not match["separator"] and key in BY_NAME and BY_NAME[key].kind != "boolean":
            raise SettingsError(f"{origin}, line {number}: `{key}` has no value", fix=f"write `{key} = value`")
        values[key] = _value(match["rest"], f"{origin}, line {number}", bool(match["separator"]))
    return values


def _value(rest: str, where: str, separated: bool) -> str:
    if rest[:1] in ("'", '"'):
        end = rest.find(rest[0], 1)
        if end < 0:
            raise SettingsError(f"{where}: the quote is not closed", fix="close it, or write the value without quotes")
        after = rest[end + 1 :].strip()
        if after and after[0] not in "#;":
            raise SettingsError(f"{where}: text follows the closing quote", fix="put the whole value inside the quotes")
        return rest[1:end]
    value = re.split(r"(?:^|\s)[#;]", rest, maxsplit=1)[0].strip()
    return value if value or separated else "true"
