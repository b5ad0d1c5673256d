"""sprig's functions of paths and URLs."""

from __future__ import annotations

import posixpath
import re
from typing import Any
from urllib.parse import quote, unquote

from hera_utils.expressions.expr import functions as builtin
from hera_utils.expressions.gotext import quote as quoted
from hera_utils.expressions.sprig.texts import Table
from hera_utils.expressions.values import Failure


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


# RFC 3986, appendix B
_ADDRESS = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?\Z", re.DOTALL)


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
