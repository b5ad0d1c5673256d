"""Runs all checks of a platform, each regardless of what the others found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hera_utils.errors import HeraUtilsError, SettingsError
from hera_utils.experiment.environment import Environment
from hera_utils.preflight import connectivity, controller, dry_run, machine, machine_images, objects, quotas, rights
from hera_utils.preflight.finding import Check, Finding, Subject, from_error, good, guarded
from hera_utils.preflight.inquiry import Target, closing, in_parallel
from hera_utils.preflight.local_workflow import OBJECTS, of_workflows, with_named_volumes
from hera_utils.preflight.needs import needs_of
from hera_utils.settings.resolve import CLIContext
from hera_utils.wording import system_reason

Json = dict[str, Any]
Look = Callable[[Target], Iterator[Finding]]

LOCAL: tuple[tuple[str, Check], ...] = (
    ("state folder", machine.state_folder),
    ("private mounts", machine.private_mounts),
    ("python", machine.python),
    ("images", machine_images.images),
    ("claim", machine.volumes),
    ("secret", machine.described),
    ("local platform", machine.local_server),
)
OF_SERVER: tuple[tuple[str, Look], ...] = (("controller", controller.runs),)
OF_CLUSTER: tuple[tuple[str, Look], ...] = (
    ("namespace", objects.namespace),
    ("rights", rights.of_user),
    ("account rights", rights.of_account),
    ("claim", objects.claims),
    ("config map", objects.config_maps),
    ("secret", objects.secrets),
    ("service account", objects.service_accounts),
    ("quota", quotas.quotas),
)
ANYWHERE: tuple[tuple[str, Look], ...] = (("limits", dry_run.limits), ("workflow", dry_run.workflow))
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
    findings = dict.fromkeys(finding for one in examined for finding in one.findings)
    return Examination(tuple(findings), tuple(role for one in examined for role in one.roles))


def _examine_here(context: CLIContext, environment: Environment | None, workflows: Sequence[Json]) -> Examination:
    subject = Subject(context, environment)
    findings = [good("platform", f"platform local ({context.origin('platform')})")]
    for name, check in LOCAL:
        findings += guarded(name, check, subject)
    if workflows:
        provided = with_named_volumes(environment or Environment(), context, workflows)
        findings += of_workflows(context, provided, workflows, thorough=True)
    return Examination(tuple(dict.fromkeys(findings)))


def _examine_cluster(
    context: CLIContext, environment: Environment | None, document: Json | None, *, role_file: str, advice: bool
) -> Examination:
    try:
        target, findings = connectivity.contact(context, environment, needs_of(document))
    except HeraUtilsError as error:
        return Examination((from_error("argo server", error),))
    target.role_file = role_file
    with closing(target.asker):
        looks = [*(OF_SERVER if target.trusted else ()), *(OF_CLUSTER if target.asker is not None else ()), *ANYWHERE]
        looks += ADVICE if advice else ()
        for (name, _), answer in zip(looks, in_parallel([_all_of(look, target) for _, look in looks]), strict=True):
            findings += [from_error(name, answer)] if isinstance(answer, HeraUtilsError) else _findings(answer)
    return Examination(tuple(_without_echoes(findings)), tuple(target.lacking))


def write_role(file: str, examined: Examination) -> None:
    """Write `role_yaml()` into the file that the fixes name. Raises SettingsError if the file cannot be written."""
    try:
        Path(file).write_text(examined.role_yaml(), encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written ({system_reason(error)})", fix="name another file with --role"
        ) from None


def run(
    context: CLIContext, environment: Environment | None = None, documents: Json | Sequence[Json] | None = None
) -> list[Finding]:
    """The findings of `examine`."""
    return list(examine(context, environment, documents).findings)


def _all_of(look: Look, target: Target) -> Callable[[], object]:
    return lambda: list(look(target))


def _findings(answer: object) -> list[Finding]:
    assert isinstance(answer, list)
    return answer


def _without_echoes(findings: Iterable[Finding]) -> Iterator[Finding]:
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
