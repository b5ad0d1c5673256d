"""Which Hera, which Argo, which Kubernetes: what is there, what a script demands, and what was made for one another.

The seed's names for Hera (`print_version`, `check_version`, `assert_version`, also with `hera_` before them) are here; an Argo server and
a cluster have the same three as methods. Sources of the tables: the Argo version that each release of Hera generates its models from
(its Makefile) and its page on upgrading; the Kubernetes versions that each release of Argo is tested with (its hack/k8s-versions.sh).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from hera_utils.errors import SettingsError

# Hera from this version on → the Argo whose models it has; newest first
HERA_KNOWS: tuple[tuple[str, str], ...] = (
    ("7.0", "4.0"),
    ("5.26", "3.7"),
    ("5.19", "3.6"),
    ("5.15", "3.5"),
    ("5.0", "3.4"),
)
# Argo → the Kubernetes versions, first and last, that it is tested with; newest first
ARGO_TESTED: tuple[tuple[str, tuple[str, str]], ...] = (
    ("4.1", ("1.34", "1.36")),
    ("4.0", ("1.31", "1.33")),
    ("3.7", ("1.31", "1.33")),
    ("3.6", ("1.28", "1.31")),
)
OLDEST_ARGO = "3.4"
"""The oldest Argo that hera_utils speaks with."""

_CLAUSE = re.compile(r"\s*(?P<operator>==|!=|>=|<=|>|<|~=)?\s*v?(?P<version>\d[\w.+-]*?)(?P<star>\.\*)?\s*$")


@dataclass(frozen=True)
class Fit:
    """Whether two of them fit. pair: `Hera and Argo`. verdict: as a Finding's. fix: None when there is nothing to do."""

    pair: str
    verdict: Literal["good", "warning", "problem"]
    message: str
    fix: str | None = None


# --- what a script demands ----------------------------------------------------------------------------------------------


def satisfies(version: str, requirement: str) -> bool:
    """Whether a version is what is demanded: `7.1.0`, `7.1` (every 7.1), or clauses such as `>=6,<8`, `!=7.0.1`, `~=7.1`.

    SettingsError when the requirement is none.
    """
    return all(_holds(version, clause, requirement) for clause in requirement.split(","))


def _holds(version: str, clause: str, requirement: str) -> bool:
    match = _CLAUSE.match(clause)
    if match is None:
        raise SettingsError(f"`{requirement}` demands no version", fix="write 7.1.0, 7.1, or >=6,<8")
    wanted, found = numbers(match["version"]), numbers(version)
    operator = match["operator"] or "=="
    if operator in ("==", "!="):
        return (found[: len(wanted)] == wanted) == (operator == "==")
    if operator == "~=":
        return found[: len(wanted) - 1] == wanted[:-1] and found >= wanted
    length = max(len(found), len(wanted))
    here, there = _padded(found, length), _padded(wanted, length)
    return {">=": here >= there, "<=": here <= there, ">": here > there, "<": here < there}[operator]


def numbers(version: str) -> tuple[int, ...]:
    """`v4.1.2+k3s1` → (4, 1, 2); () for what holds no number."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", version.strip())
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def _padded(parts: tuple[int, ...], length: int) -> tuple[int, ...]:
    return parts + (0,) * (length - len(parts))


def hera_version() -> str:
    """The version of the Hera that is installed."""
    from importlib.metadata import version

    return version("hera")


def print_version() -> None:
    print("Installed Hera version: ", hera_version())  # noqa: T201 - a script asks for it by this function's name


def check_version(version_to_check: str) -> bool:
    """Whether the installed Hera is that version (or satisfies `>=6,<8`)."""
    return satisfies(hera_version(), version_to_check)


def assert_version(version_to_check: str) -> bool:
    """True when the installed Hera is that version (or satisfies `>=6,<8`), else SettingsError."""
    return demanded("Hera", hera_version(), version_to_check, fix=f"pip install '{_as_requirement(version_to_check)}'")


def demanded(what: str, version: str, requirement: str, *, fix: str | None = None) -> bool:
    """True when a version is what is demanded, else SettingsError that names both."""
    if satisfies(version, requirement):
        return True
    raise SettingsError(
        f"{what} is version {version.lstrip('v') or 'unknown'}, and the script demands {requirement}",
        fix=fix or "use another, or change what the script demands",
    )


def _as_requirement(text: str) -> str:
    return "hera" + (text if text.strip()[:1] in "<>=!~" else f"=={text.strip()}")


hera_print_version = print_version
hera_check_version = check_version
hera_assert_version = assert_version


# --- what was made for one another ---------------------------------------------------------------------------------------


def fits(hera: str, argo: str, kubernetes: str = "") -> tuple[Fit, ...]:
    """Whether the three versions fit; an empty one is not spoken of. Pure."""
    found = []
    if argo and numbers(argo) < numbers(OLDEST_ARGO):
        found.append(
            Fit(
                "Argo and hera_utils",
                "warning",
                f"Argo {short(argo)} is older than what hera_utils knows ({OLDEST_ARGO} and later)",
                "ask the cluster's owner to upgrade it",
            )
        )
    if hera and argo:
        found.append(_hera_and_argo(hera, argo))
    if argo and any(numbers(kubernetes)):  # one that was built by hand calls itself 0.0.0
        found.append(_argo_and_kubernetes(argo, kubernetes))
    return tuple(found)


def _hera_and_argo(hera: str, argo: str) -> Fit:
    pair, told = "Hera and Argo", f"Hera {short(hera)} and Argo {short(argo)}"
    made_for = next((known for since, known in HERA_KNOWS if numbers(hera) >= numbers(since)), "")
    if not made_for:
        return Fit(pair, "warning", f"{told}: not known whether they fit", "pip install --upgrade hera")
    server, models = numbers(argo)[:2], numbers(made_for)
    if server[:1] == models[:1] and server >= models:
        return Fit(pair, "good", f"{told} fit (its models are of Argo {made_for})")
    fix = f"pip install '{_hera_for(server)}'"
    if server[:1] != models[:1]:
        return Fit(
            pair, "warning", f"{told}: Hera's models are of Argo {made_for}, fields that differ are refused", fix
        )
    return Fit(
        pair, "warning", f"{told}: the server is older than Hera's models ({made_for}), it ignores newer fields", fix
    )


def _hera_for(server: tuple[int, ...]) -> str:
    """What to install for an Argo: the newest Hera whose models are no newer, among those that hera_utils takes (6 and 7)."""
    return "hera>=7,<8" if server >= (4,) else "hera>=6,<7"


def _argo_and_kubernetes(argo: str, kubernetes: str) -> Fit:
    pair, told = "Argo and Kubernetes", f"Argo {short(argo)} on Kubernetes {short(kubernetes)}"
    tested = next((between for known, between in ARGO_TESTED if numbers(argo)[:2] == numbers(known)), None)
    if tested is None:
        return Fit(pair, "good", f"{told} (which Kubernetes it was tested with is not known)")
    first, last = tested
    if numbers(kubernetes)[:2] < numbers(first):
        return Fit(
            pair,
            "warning",
            f"{told}: it is tested with Kubernetes {first} to {last}",
            "mostly it works; ask the cluster's owner to upgrade when it does not",
        )
    newer = numbers(kubernetes)[:2] > numbers(last)
    return Fit(pair, "good", f"{told} fit (tested with {first} to {last}{', newer ones mostly do' if newer else ''})")


def short(version: str) -> str:
    """`v1.36.2+k3s1` → `1.36.2`."""
    return ".".join(map(str, numbers(version))) or version


# --- templates -----------------------------------------------------------------------------------------------------------


def clear_workflow_template(cluster: object, workflow_template_name: str) -> bool:
    """Delete the WorkflowTemplate of that name, so that a newer one can be created; whether there was one.

    cluster: what `k8s_cluster(args)` or `argo_server(…)` gave. Anything else (the seed's scripts give their own objects) stands for
    the server that Hera is bound to. AccessError or Refused when the server does not allow it.
    """
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.connection import Connection
    from hera_utils.platforms.hera_binding import bound_connection

    connection = getattr(cluster, "connection", None)
    if not isinstance(connection, Connection):
        connection = bound_connection()
    with ArgoClient(connection) as client:
        return client.clear_template(workflow_template_name)


hera_clear_workflow_template = clear_workflow_template
