"""All checks of a platform, one after the other; every finding is told, whatever the others found."""

from __future__ import annotations

from hera_utils.experiment.environment import Environment
from hera_utils.preflight import checks
from hera_utils.preflight.check import Check, Finding, Subject, good, guarded
from hera_utils.settings.resolve import CLIContext

LOCAL: tuple[tuple[str, Check], ...] = (
    ("state folder", checks.state_folder),
    ("private mounts", checks.private_mounts),
    ("python", checks.python),
    ("images", checks.images),
    ("claim", checks.volumes),
    ("local platform", checks.local_server),
)
REMOTE: tuple[tuple[str, Check], ...] = (("argo server", checks.argo_server), ("cluster", checks.cluster))


def run(context: CLIContext, environment: Environment | None = None) -> list[Finding]:
    """What is good and what is wrong with the platform of the settings, for an experiment's environment when one is given.

    Nothing is started, created or changed.
    """
    subject = Subject(context, environment)
    found = [good("platform", f"platform {context.platform} ({context.origin('platform')})")]
    for name, check in LOCAL if context.platform == "local" else REMOTE:
        found += guarded(name, check, subject)
    return list(dict.fromkeys(found))  # two checks that meet one closed port say it once
