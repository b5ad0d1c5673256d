"""A credential belongs to the server that the same source names; if another server wins, the credential is not used. Pure.

A source is the command line, the environment, one hera.config file, one of the user's profiles (its settings and its token are in two
files), or the part of those two files outside of profiles. A token in a source without a server is for whichever server is named.
If a project's file names the server, trust.py decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hera_utils.errors import SettingsError
from hera_utils.settings.address import host_and_port, server_url
from hera_utils.settings.fields import TOKEN_FIELDS
from hera_utils.settings.resolve import GivenValue, Layer

_CREDENTIALS = (*TOKEN_FIELDS, "client_certificate", "client_key")


def drop_credentials_of_other_servers(
    layers: Sequence[Layer], user_folder: str, profiles: Sequence[str]
) -> list[Layer]:
    """The layers (strongest first) without the credentials for servers other than the winner.

    user_folder: the folder of the user's two files. profiles: the selected ones, weakest first. The last layer says why a token was
    not used.
    """
    sources = [_source(layer, number, user_folder) for number, layer in enumerate(layers)]
    servers = {
        source: layer["argo_server"] for source, layer in zip(sources, layers, strict=True) if "argo_server" in layer
    }
    winner = next((servers[source] for source in sources if source in servers), None)
    if winner is None or winner.project is not None:
        return list(layers)
    remaining: list[Layer] = []
    left_out: Layer = {}
    for source, layer in zip(sources, layers, strict=True):
        server = _server_of(source, servers, profiles)
        stronger = source in profiles and any(
            servers.get(name) is winner for name in profiles[profiles.index(source) :]
        )
        if (server is None and not stronger) or (server is not None and _is_same_server(server, winner, layers)):
            remaining.append(layer)
            continue
        remaining.append({name: value for name, value in layer.items() if name not in _CREDENTIALS})
        token = next((layer[name] for name in TOKEN_FIELDS if name in layer), None)
        if token is not None and not left_out:
            reason = f"it is for {server.value}" if server is not None else f"{winner.origin} names the server"
            left_out = {"argo_token": replace(token, value=None, origin=f"{token.origin}, but {reason}")}
    return [*remaining, left_out]


def _source(layer: Mapping[str, GivenValue], number: int, user_folder: str) -> str:
    """The source of a layer: in the user's files the name of the profile, or "" outside of profiles; else the layer's number."""
    origin = next(iter(layer.values())).origin if layer else ""
    if f" {user_folder}/" not in origin:
        return str(number)
    return origin.split(" ")[1] if origin.startswith("profile ") else ""


def _server_of(source: str, servers: Mapping[str, GivenValue], profiles: Sequence[str]) -> GivenValue | None:
    """The server of a source's credentials, None for any. A profile without a server uses that of the weaker profiles."""
    if source in servers or source not in profiles:
        return servers.get(source)
    weaker = [*reversed(profiles[: profiles.index(source)]), ""]
    return next((servers[name] for name in weaker if name in servers), None)


def _is_same_server(this: GivenValue, other: GivenValue, layers: Sequence[Layer]) -> bool:
    """Whether two addresses belong to the same server."""
    secure = next((layer["argo_secure"].value for layer in layers if "argo_secure" in layer), None)
    try:
        here, there = (server_url(str(given.value), secure=secure) for given in (this, other))
    except SettingsError:  # an invalid address is reported when it is used
        return str(this.value) == str(other.value)
    return here.partition(":")[0] == there.partition(":")[0] and host_and_port(here) == host_and_port(there)
