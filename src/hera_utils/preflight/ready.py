"""The checks before a submission, so that no workflow is submitted that cannot succeed: all on a cluster, the quick ones locally."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hera_utils.errors import ResourceError
from hera_utils.experiment.environment import Environment
from hera_utils.images.choice import split_table_line
from hera_utils.platforms.connection import Connection
from hera_utils.preflight.finding import Finding
from hera_utils.preflight.local_images import STAND_INS, Say, ignore_line
from hera_utils.preflight.local_workflow import findings_on_workflows
from hera_utils.settings.resolve import CLIContext
from hera_utils.wording import counted

Json = dict[str, Any]


def assert_ready(
    context: CLIContext,
    environment: Environment | None,
    documents: Json | Sequence[Json] | None,
    say: Say = ignore_line,
) -> list[Finding]:
    """Check before a run. Returns the findings to print: warnings, and the stand-ins of images.

    say: called with a sentence before each slow operation. On this machine only the needs of the workflows are checked; a broken
    platform reports that itself. Raises ResourceError, with every problem and its fix, if the run would not work.
    """
    workflows = [documents] if isinstance(documents, dict) else list(documents or ())
    if context.platform == "local":
        findings = findings_on_workflows(context, environment, workflows, thorough=False, say=say)
    else:
        # Imported here because it imports the Kubernetes client.
        from hera_utils.preflight.run import examine

        findings = list(examine(context, environment, workflows, advice=False).findings)
    problems = list(dict.fromkeys(finding for finding in findings if not finding.ok))
    if problems:
        several = counted(len(problems), "problem")
        lines = _lines_with_fixes(problems)
        raise ResourceError(
            f"nothing was submitted, the run would not work ({several}):\n" + "\n".join(lines),
            fix="fix what is listed above; check everything with hera-utils doctor, or submit anyway with "
            "--no-preflight",
        )
    return [
        finding for finding in dict.fromkeys(findings) if finding.verdict == "warning" or _is_news(context, finding)
    ]


def not_taken_up_on(connection: Connection) -> Callable[[Json], str] | None:
    """What to say of a workflow that no controller takes up; None for this machine's server, which takes up all."""
    if connection.local:
        return None
    from hera_utils.preflight.controller import not_taken_up  # imported here because it imports the cluster's client

    return partial(not_taken_up, connection)


def _lines_with_fixes(problems: Sequence[Finding]) -> list[str]:
    """A line for each problem, then its fix; a common fix of several problems appears once, and lines for an image table are joined."""
    apart = {finding: split_table_line(finding.fix or "") for finding in problems}
    alike: dict[str, list[Finding]] = {}
    for finding, (fix, line) in apart.items():
        alike.setdefault(fix if line else finding.fix or finding.message, []).append(finding)
    lines = []
    for fix, findings in alike.items():
        lines += [f"  ✘ {finding.message}" for finding in findings]
        if findings[0].fix:
            lines.append(f"    → {fix if len(findings) > 1 else findings[0].fix}")
        if len(findings) > 1:
            lines += [f"        {apart[finding][1]}" for finding in findings if apart[finding][1]]
    return lines


def _is_news(context: CLIContext, finding: Finding) -> bool:
    """Whether the finding lists stand-ins and was not printed before, as a script may submit many workflows."""
    if finding.check != STAND_INS:
        return False
    before: set[str] = context.remembered().setdefault(STAND_INS, set())
    is_news = finding.message not in before
    before.add(finding.message)
    return is_news
