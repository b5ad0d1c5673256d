"""Runs all checks of a platform, each regardless of what the others found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hera_utils.errors import HeraUtilsError, SettingsError
from hera_utils.experiment.environment import Environment
from hera_utils.preflight import connectivity, controller, dry_run, machine, machine_images, objects, quotas, rights
from hera_utils.preflight.finding import Check, Finding, Subject, findings_or_error, from_error, good
from hera_utils.preflight.inquiry import Target, call_in_parallel, closing_asker
from hera_utils.preflight.local_workflow import OBJECTS, add_claims_of_settings, findings_on_workflows
from hera_utils.preflight.needs import needs_of
from hera_utils.settings.resolve import CLIContext
from hera_utils.wording import system_reason

Json = dict[str, Any]
Look = Callable[[Target], Iterator[Finding]]

LOCAL: tuple[tuple[str, Check], ...] = (
    ("state folder", machine.check_state_folder),
    ("private mounts", machine.check_private_mounts),
    ("python", machine.check_python),
    ("images", machine_images.check_images),
    ("claim", machine.check_volumes),
    ("secret", machine.check_secret_values),
    ("local platform", machine.check_local_server),
)
OF_SERVER: tuple[tuple[str, Look], ...] = (("controller", controller.check_runs),)
OF_CLUSTER: tuple[tuple[str, Look], ...] = (
    ("namespace", objects.check_namespace),
    ("rights", rights.check_rights_of_user),
    ("account rights", rights.check_rights_of_accounts),
    ("claim", objects.check_claims),
    ("config map", objects.check_config_maps),
    ("secret", objects.check_secrets),
    ("service account", objects.check_service_accounts),
    ("quota", quotas.check_quotas),
)
ANYWHERE: tuple[tuple[str, Look], ...] = (("limits", dry_run.check_size_limits), ("workflow", dry_run.check_workflow))
# Checks that never find a problem, and that are slow if the registry does not answer.
ADVICE: tuple[tuple[str, Look], ...] = (("registry", connectivity.registry),)
# Checks of objects in the namespace; if it does not exist, one finding is enough.
_INSIDE = frozenset(
    {
        "rights",
        "account rights",
        "claim",
        "config map",
        "secret",
        "pull secret",
        "service account",
        "quota",
        "limit range",
    }
)


@dataclass(frozen=True)
class Examination:
    """findings: in the order of the checks. roles: Roles and RoleBindings that would grant the missing permissions."""

    findings: tuple[Finding, ...]
    roles: tuple[Json, ...] = field(default=(), repr=False)

    @property
    def problems(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.ok]

    def role_yaml(self) -> str:
        """The Roles and RoleBindings as YAML that the cluster's owner can apply with kubectl."""
        import yaml

        return yaml.safe_dump_all(self.roles, sort_keys=False)


def examine(
    context: CLIContext,
    environment: Environment | None = None,
    documents: Json | Sequence[Json] | None = None,
    *,
    role_file: str = "",
    advice: bool = True,
) -> Examination:
    """Check the platform of the settings, and whether the given environment and workflows would work there.

    Nothing is created or changed; the local platform's server is started when workflows name objects that it holds. role_file: where
    the caller writes `role_yaml()`; the fixes name this file. advice: include the checks that can never find a problem.
    """
    workflows = [documents] if isinstance(documents, dict) else list(documents or ())
    if context.platform == "local":
        return _examine_here(context, environment, workflows)
    workflows = [document for document in workflows if document.get("kind", "Workflow") not in OBJECTS]
    to_examine: list[Json | None] = [*workflows] or [None]
    examined = [
        _examine_cluster(context, environment, workflow, role_file=role_file, advice=advice) for workflow in to_examine
    ]
    findings = dict.fromkeys(finding for examination in examined for finding in examination.findings)
    return Examination(tuple(findings), tuple(role for examination in examined for role in examination.roles))


def _examine_here(context: CLIContext, environment: Environment | None, workflows: Sequence[Json]) -> Examination:
    subject = Subject(context, environment)
    findings = [good("platform", f"platform local ({context.origin('platform')})")]
    for name, check in LOCAL:
        findings += findings_or_error(name, check, subject)
    if workflows:
        provided = add_claims_of_settings(environment or Environment(), context, workflows)
        findings += findings_on_workflows(context, provided, workflows, thorough=True)
    return Examination(tuple(dict.fromkeys(findings)))


def _examine_cluster(
    context: CLIContext, environment: Environment | None, document: Json | None, *, role_file: str, advice: bool
) -> Examination:
    try:
        target, findings = connectivity.check_contact(context, environment, needs_of(document))
    except HeraUtilsError as error:
        return Examination((from_error("argo server", error),))
    target.role_file = role_file
    with closing_asker(target.asker):
        looks = [*(OF_SERVER if target.trusted else ()), *(OF_CLUSTER if target.asker is not None else ()), *ANYWHERE]
        looks += ADVICE if advice else ()
        for (name, _), answer in zip(
            looks, call_in_parallel([_collect_findings(look, target) for _, look in looks]), strict=True
        ):
            findings += [from_error(name, answer)] if isinstance(answer, HeraUtilsError) else _findings(answer)
    return Examination(tuple(_drop_repetitions(findings)), tuple(target.lacking))


def write_role(file: str, examined: Examination) -> None:
    """Write `role_yaml()` into the file that the fixes name. Raises SettingsError if the file cannot be written."""
    try:
        Path(file).write_text(examined.role_yaml(), encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written ({system_reason(error)})", fix="name another file with --role"
        ) from None


def check_run(
    context: CLIContext, environment: Environment | None = None, documents: Json | Sequence[Json] | None = None
) -> list[Finding]:
    """The findings of `examine`."""
    return list(examine(context, environment, documents).findings)


def _collect_findings(look: Look, target: Target) -> Callable[[], object]:
    return lambda: list(look(target))


def _findings(answer: object) -> list[Finding]:
    assert isinstance(answer, list)
    return answer


def _drop_repetitions(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Each finding once, without consequences of a missing namespace and without an `unknown` that another check answers."""
    unique = list(dict.fromkeys(findings))
    missing = any(finding.check == "namespace" and not finding.ok for finding in unique)
    decided = {finding.check for finding in unique if finding.verdict in ("good", "problem")}
    no_accounts = [
        finding.message.partition(" does not exist")[0]
        for finding in unique
        if finding.check == "service account" and not finding.ok
    ]
    for finding in unique:
        if finding.check == "account rights" and any(account in finding.message for account in no_accounts):
            continue
        if missing and finding.check in _INSIDE:
            continue
        if finding.verdict == "unknown" and finding.check == "controller" and finding.check in decided:
            continue
        yield finding
