"""The preflight of a run: a workflow that cannot succeed is not submitted. On a cluster all checks run; on this machine the quick ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hera_utils.errors import ResourceError
from hera_utils.experiment.environment import Environment
from hera_utils.images.choice import line_apart
from hera_utils.preflight.finding import Finding
from hera_utils.preflight.local_images import STAND_INS, Say, silent
from hera_utils.preflight.local_workflow import of_workflows
from hera_utils.settings.resolve import CLIContext
from hera_utils.wording import counted

Json = dict[str, Any]


def assert_ready(
    context: CLIContext, environment: Environment | None, documents: Json | Sequence[Json] | None, say: Say = silent
) -> list[Finding]:
    """Check before a run. ResourceError, with every problem and its fix, when the run would not work. Returns what is to be said: the
    warnings, and what stands in for images. say: is told what takes long, before it begins.

    On this machine only what the workflows need is checked: a platform that does not work reports that itself.
    """
    workflows = [documents] if isinstance(documents, dict) else list(documents or ())
    if context.platform == "local":
        findings = of_workflows(context, environment, workflows, thorough=False, say=say)
    else:
        # not at the top: it imports the client of Kubernetes
        from hera_utils.preflight.run import examine

        findings = list(examine(context, environment, workflows, advice=False).findings)
    problems = list(dict.fromkeys(finding for finding in findings if not finding.ok))
    if problems:
        several = counted(len(problems), "problem")
        lines = _with_fixes(problems)
        raise ResourceError(
            f"nothing was submitted, the run would not work ({several}):\n" + "\n".join(lines),
            fix="fix what is listed above; check everything with hera-utils doctor, or submit anyway with "
            "--no-preflight",
        )
    return [one for one in dict.fromkeys(findings) if one.verdict == "warning" or _is_news(context, one)]


def _with_fixes(problems: Sequence[Finding]) -> list[str]:
    """A line for each problem, then its fix; a fix that helps with several once, with the lines of an image table together."""
    apart = {finding: line_apart(finding.fix or "") for finding in problems}
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
    """Whether it says what stands in for images and was not said before: a script may submit many workflows."""
    if finding.check != STAND_INS:
        return False
    before: set[str] = context.remembered().setdefault(STAND_INS, set())
    is_news = finding.message not in before
    before.add(finding.message)
    return is_news
