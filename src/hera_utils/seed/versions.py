"""The version functions of scripts, and what clears a template before it is made anew; each also with `hera_` before its name."""

from __future__ import annotations

import re
import warnings

from hera_utils.platforms.versions import demanded, hera_version, satisfies


def print_version() -> None:
    print("Installed Hera version: ", hera_version())  # noqa: T201 - a script asks for it by this function's name


def check_version(version_to_check: str) -> bool:
    """Whether the installed Hera is that version (or satisfies `>=6,<8`)."""
    return satisfies(hera_version(), version_to_check)


def assert_version(version_to_check: str) -> bool:
    """True. A version (`5.6.0`) that is not the installed one is warned about: Hera 7 runs most of what was written for Hera 5, and says
    of the rest what to write. Bounds (`>=6,<8`) are meant: SettingsError when they do not hold.
    """
    installed = hera_version()
    if satisfies(installed, version_to_check):
        return True
    if re.fullmatch(r"\s*v?\d[\w.+-]*\s*", version_to_check):
        warnings.warn(
            f"the script was written for Hera {version_to_check.strip()}, and runs with Hera {installed}", stacklevel=2
        )
        return True
    return demanded("Hera", installed, version_to_check, fix=f"pip install 'hera{version_to_check}'")


def clear_workflow_template(cluster: object, workflow_template_name: str) -> bool:
    """Delete the WorkflowTemplate of that name, so that a newer one can be created; whether there was one.

    cluster: what `k8s_cluster(args)` or `argo_server(…)` gave. Anything else (scripts give objects of their own) stands for the
    server that Hera is bound to. AccessError or Refused when the server does not allow it.
    """
    # late: most scripts ask for a version alone, which needs none of the client
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.connection import Connection
    from hera_utils.platforms.hera_binding import bound_connection

    connection = getattr(cluster, "connection", None)
    if not isinstance(connection, Connection):
        connection = bound_connection()
    with ArgoClient(connection) as client:
        return client.clear_template(workflow_template_name)


hera_print_version = print_version
hera_check_version = check_version
hera_assert_version = assert_version
hera_clear_workflow_template = clear_workflow_template
