"""The functions of scripts about versions, and the one that deletes a template before a new one is created; each also as `hera_…`."""

from __future__ import annotations

import re
import warnings

from hera_utils.platforms.versions import check_requirement, hera_version, satisfies


def print_version() -> None:
    """Print the version of the installed Hera."""
    print("Installed Hera version: ", hera_version())  # noqa: T201 - a script asks for it by this function's name


def check_version(version_to_check: str) -> bool:
    """Whether the installed Hera has that version (or satisfies `>=6,<8`)."""
    return satisfies(hera_version(), version_to_check)


def assert_version(version_to_check: str) -> bool:
    """Return True, with a warning if the named version (`5.6.0`) is not the installed one, as Hera 7 runs most scripts for Hera 5 and its
    errors say how to write the rest. Bounds (`>=6,<8`) are strict: raises SettingsError if the installed Hera is outside.
    """
    installed = hera_version()
    if satisfies(installed, version_to_check):
        return True
    if re.fullmatch(r"\s*v?\d[\w.+-]*\s*", version_to_check):
        warnings.warn(
            f"the script was written for Hera {version_to_check.strip()}, and runs with Hera {installed}", stacklevel=2
        )
        return True
    return check_requirement("Hera", installed, version_to_check, fix=f"pip install 'hera{version_to_check}'")


def clear_workflow_template(cluster: object, workflow_template_name: str) -> bool:
    """Delete the WorkflowTemplate of that name, so that a newer one can be created. Returns whether it existed.

    cluster: the object of `k8s_cluster(args)` or `argo_server(…)`. For any other object (scripts pass their own) the server that Hera
    is bound to is used. Raises AccessError or Refused if the server does not allow it.
    """
    # Imported here, because most scripts only ask for a version, which needs no client.
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
