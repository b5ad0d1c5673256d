"""Versions of Hera, Argo and Kubernetes: whether they satisfy what a script requires, and whether they fit together.

Sources of the tables: the Argo version that each release of Hera generates its models from
(its Makefile) and its page on upgrading; the Kubernetes versions that each release of Argo is tested with (its hack/k8s-versions.sh).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from hera_utils.errors import SettingsError

# (first version of Hera, the Argo whose models it has since then), the newest first
HERA_KNOWS: tuple[tuple[str, str], ...] = (
    ("7.0", "4.0"),
    ("5.26", "3.7"),
    ("5.19", "3.6"),
    ("5.15", "3.5"),
    ("5.0", "3.4"),
)
# (Argo, (first, last Kubernetes that it is tested with)), the newest first
ARGO_TESTED: tuple[tuple[str, tuple[str, str]], ...] = (
    ("4.1", ("1.34", "1.36")),
    ("4.0", ("1.31", "1.33")),
    ("3.7", ("1.31", "1.33")),
    ("3.6", ("1.28", "1.31")),
)
OLDEST_ARGO = "3.4"
"""The oldest Argo that hera_utils supports."""

_CLAUSE = re.compile(r"\s*(?P<operator>==|!=|>=|<=|>|<|~=)?\s*v?(?P<version>\d[\w.+-]*?)(?P<star>\.\*)?\s*$")


@dataclass(frozen=True)
class VersionFit:
    """Whether two of them fit together. pair: e.g. `Hera and Argo`. verdict: as in Finding. fix: None if there is nothing to do."""

    pair: str
    verdict: Literal["good", "warning", "problem"]
    message: str
    fix: str | None = None


# --- what a script requires ---------------------------------------------------------------------------------------------


def satisfies(version: str, requirement: str) -> bool:
    """Whether a version satisfies a requirement: `7.1.0`, `7.1` (every 7.1), or clauses such as `>=6,<8`, `!=7.0.1`, `~=7.1`.

    Raises SettingsError for what is no requirement.
    """
    return all(_holds(version, clause, requirement) for clause in requirement.split(","))


def _holds(version: str, clause: str, requirement: str) -> bool:
    match = _CLAUSE.match(clause)
    if match is None:
        raise SettingsError(f"`{requirement}` does not name a version", fix="write 7.1.0, 7.1, or >=6,<8")
    required, actual = numbers(match["version"]), numbers(version)
    operator = match["operator"] or "=="
    if operator in ("==", "!="):
        return (actual[: len(required)] == required) == (operator == "==")
    if operator == "~=":
        return actual[: len(required) - 1] == required[:-1] and actual >= required
    length = max(len(actual), len(required))
    here, there = _pad_parts(actual, length), _pad_parts(required, length)
    return {">=": here >= there, "<=": here <= there, ">": here > there, "<": here < there}[operator]


def numbers(version: str) -> tuple[int, ...]:
    """`v4.1.2+k3s1` → (4, 1, 2); () if there is no number."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", version.strip())
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def _pad_parts(parts: tuple[int, ...], length: int) -> tuple[int, ...]:
    return parts + (0,) * (length - len(parts))


def hera_version() -> str:
    """The installed version of Hera."""
    from hera_utils.installed import version_of

    return version_of("hera")


def check_requirement(what: str, version: str, requirement: str, *, fix: str | None = None) -> bool:
    """True if a version satisfies the requirement; otherwise raises SettingsError with both."""
    if satisfies(version, requirement):
        return True
    raise SettingsError(
        f"{what} is version {version.lstrip('v') or 'unknown'}, and the script requires {requirement}",
        fix=fix or "use another version, or change what the script requires",
    )


# --- which versions fit together -----------------------------------------------------------------------------------------


def check_versions(hera: str, argo: str, kubernetes: str = "") -> tuple[VersionFit, ...]:
    """Whether the three versions fit together; an empty one is left out. Pure."""
    verdicts = []
    if argo and numbers(argo) < numbers(OLDEST_ARGO):
        verdicts.append(
            VersionFit(
                "Argo and hera_utils",
                "warning",
                f"Argo {short_version(argo)} is too old: hera_utils needs {OLDEST_ARGO} or later",
                "ask the cluster's owner to upgrade it",
            )
        )
    if hera and argo:
        verdicts.append(_hera_and_argo(hera, argo))
    if argo and any(numbers(kubernetes)):  # a self-built server reports the version 0.0.0
        verdicts.append(_argo_and_kubernetes(argo, kubernetes))
    return tuple(verdicts)


def _hera_and_argo(hera: str, argo: str) -> VersionFit:
    pair, versions = "Hera and Argo", f"Hera {short_version(hera)} and Argo {short_version(argo)}"
    made_for = next((argo for since, argo in HERA_KNOWS if numbers(hera) >= numbers(since)), "")
    if not made_for:
        return VersionFit(pair, "warning", f"{versions}: it is unknown whether they fit", "pip install --upgrade hera")
    server, models = numbers(argo)[:2], numbers(made_for)
    if server[:1] == models[:1] and server >= models:
        return VersionFit(pair, "good", f"{versions} fit (its models are of Argo {made_for})")
    fix = f"pip install '{_hera_for(server)}'"
    if server[:1] != models[:1]:
        return VersionFit(
            pair, "warning", f"{versions}: Hera's models are of Argo {made_for}, fields that differ are refused", fix
        )
    return VersionFit(
        pair,
        "warning",
        f"{versions}: the server is older than Hera's models ({made_for}), it ignores newer fields",
        fix,
    )


def _hera_for(server: tuple[int, ...]) -> str:
    """The Hera to install for an Argo: the newest one that hera_utils supports (6 and 7) whose models are not newer."""
    return "hera>=7,<8" if server >= (4,) else "hera>=6,<7"


def _argo_and_kubernetes(argo: str, kubernetes: str) -> VersionFit:
    pair, versions = "Argo and Kubernetes", f"Argo {short_version(argo)} on Kubernetes {short_version(kubernetes)}"
    tested = next((between for known, between in ARGO_TESTED if numbers(argo)[:2] == numbers(known)), None)
    if tested is None:
        return VersionFit(pair, "good", f"{versions} (it is unknown with which Kubernetes it was tested)")
    first, last = tested
    if numbers(kubernetes)[:2] < numbers(first):
        return VersionFit(
            pair,
            "warning",
            f"{versions}: it is tested with Kubernetes {first} to {last}",
            "it usually works; if it does not, ask the cluster's owner to upgrade",
        )
    newer = numbers(kubernetes)[:2] > numbers(last)
    return VersionFit(
        pair, "good", f"{versions} fit (tested with {first} to {last}{', newer ones mostly do' if newer else ''})"
    )


def short_version(version: str) -> str:
    """`v1.36.2+k3s1` → `1.36.2`."""
    return ".".join(map(str, numbers(version))) or version
