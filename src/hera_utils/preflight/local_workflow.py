"""Checks what a workflow needs from the local platform: images, packages, programs, ports, folders, and the objects that it names.

The local server has the objects, as a cluster does (objects.py); the rest is checked on this machine. Every run is checked, so
modules that only some runs need are imported late.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from hera_utils import machine_size
from hera_utils.argo.faults import INVALID_ARGUMENT, fix_of
from hera_utils.argo.schema import decode
from hera_utils.argo.template_containers import containers_of
from hera_utils.errors import HeraUtilsError, InvalidWorkflow, Refused
from hera_utils.experiment.environment import Environment, PersistedVolume
from hera_utils.images.choice import StandIn
from hera_utils.images.decision_texts import ImageDecision
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connect import connect
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.token import TokenClaims
from hera_utils.preflight.finding import Finding, from_error, good, problem, warning
from hera_utils.preflight.local_images import Say, decide_images, ignore_line, remarks_on_stand_ins, requirements_of_run
from hera_utils.preflight.needs import Needs, amount, needs_of
from hera_utils.preflight.reachable_templates import Reach, reach_of
from hera_utils.preflight.size_limits import find_argument_breaches, find_breaches
from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]
OBJECTS = ("ConfigMap", "Secret", "PersistentVolumeClaim")


def findings_on_documents(
    context: CLIContext, environment: Environment, documents: Sequence[Json], *, thorough: bool, say: Say
) -> Iterator[Finding]:
    """Everything that is missing for workflows on this machine. The server is asked only if they name objects or stored templates.

    documents: workflows and the objects stored with them (templates, config maps, secrets, claims). environment: the objects that a run
    creates before it begins. thorough: also check whether the server accepts the documents, which a submission would report anyway.
    say: called with a sentence before each slow operation.
    """
    platform = _Platform(context, documents)
    all_decisions: dict[str, ImageDecision] = {}
    requirements = requirements_of_run(environment)
    try:
        for document in documents:
            kind = document.get("kind", "Workflow")
            if kind in OBJECTS or (kind != "Workflow" and not thorough):
                continue  # any template may be stored; it is checked when it runs
            if kind == "Workflow" and (misfit := _type_error(document)):
                fix = (
                    fix_of(INVALID_ARGUMENT, misfit)
                    or "correct this field in the script or file that gives the workflow"
                )
                yield problem("workflow", f"the workflow would be refused: {misfit}", fix)
                continue
            reach = reach_of(document, platform.template)
            needs = needs_of({"kind": "Workflow", "spec": reach.spec})
            yield from _check_templates(reach)
            decisions, of_images = decide_images(
                context,
                needs,
                reach,
                requirements=requirements,
                pull_secrets=partial(_pull_secrets, platform, reach),
                say=say,
            )
            yield from of_images.values()
            all_decisions |= decisions
            stand_ins = {
                image: decision.choice.settings
                for image, decision in decisions.items()
                if isinstance(decision.choice, StandIn)
            }
            yield from _check_programs(stand_ins, reach)
            yield from _check_packages(context, stand_ins, reach)
            yield from _check_ports(reach)
            yield from _check_host_paths(needs)
            yield from _check_sizes(needs)
            yield from _check_limits(document, thorough=thorough)
            yield from _check_objects(platform, environment, needs, thorough=thorough)
            if thorough and not reach.unknown:
                yield from _check_acceptance(platform, document)
        yield from remarks_on_stand_ins(all_decisions)
    finally:
        platform.close()


def findings_on_workflows(
    context: CLIContext,
    environment: Environment | None,
    workflows: Sequence[Json],
    *,
    thorough: bool,
    say: Say = ignore_line,
) -> list[Finding]:
    """The findings for workflows on this machine; a platform that does not answer is a finding, too."""
    findings: list[Finding] = []
    try:
        findings.extend(
            findings_on_documents(context, environment or Environment(), workflows, thorough=thorough, say=say)
        )
    except HeraUtilsError as error:
        findings.append(from_error("local platform", error))
    return findings


class _Platform:
    """Finds stored templates among the documents, then on the local server, which is started or joined if needed."""

    def __init__(self, context: CLIContext, documents: Sequence[Json]) -> None:
        self.context = context
        self.siblings = {
            (document.get("kind", "Workflow"), str((document.get("metadata") or {}).get("name") or "")): document
            for document in documents
        }
        self._connection: Connection | None = None
        self._client: ArgoClient | None = None

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = connect(self.context)
        return self._connection

    @property
    def client(self) -> ArgoClient:
        if self._client is None:
            self._client = ArgoClient(self.connection)
        return self._client

    def template(self, kind: str, name: str) -> Json | None:
        return self.siblings.get((kind, name)) or self.client.template(kind, name)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _pull_secrets(platform: _Platform, reach: Reach) -> list[Json]:
    """The platform's secrets that a workflow and its children name for registries; another check reports missing ones of the workflow."""
    names = {name: None for spec in reach.specs for name in needs_of({"spec": spec}).pull_secrets}
    if not names:
        return []
    from hera_utils.platforms.cluster import Cluster

    cluster, secrets = Cluster(platform.connection), []
    for name in names:
        with contextlib.suppress(HeraUtilsError):  # another check reports a missing secret
            secrets.append(platform.siblings.get(("Secret", name)) or cluster.get("Secret", name))
    return secrets


def _check_templates(reach: Reach) -> Iterator[Finding]:
    for (kind, name), where in reach.unknown.items():
        yield problem(
            "template",
            f'{kind} "{name}" does not exist ({where} refers to it)',
            "store it with: hera-utils run FILE, or call create() on it in its script",
        )


# --- images, programs, packages --------------------------------------------------------------------------------------------


def _containers_of(reach: Reach) -> Iterator[tuple[str, Json]]:
    """(template, container) of every container of every template."""
    for spec in reach.specs:
        for template in spec.get("templates") or ():
            name = str(template.get("name") or "")
            yield from ((name, container) for container in containers_of(template))


def _check_programs(stand_ins: Mapping[str, Json], reach: Reach) -> Iterator[Finding]:
    """Programs of containers with a stand-in that this machine lacks; none is reported if a volume or an artifact may contain it."""
    for name, container in _containers_of(reach):
        command = next(iter(container.get("command") or ()), "")
        entry = stand_ins.get(str(container.get("image") or ""))
        if entry is None or not command or "{{" in command or (entry.get("python") and "python" in command):
            continue
        if command in (entry.get("files") or {}):
            continue
        folders = os.pathsep.join([*(entry.get("path") or ()), os.environ.get("PATH", os.defpath)])
        if "/" in command:
            lacking = command.startswith(("/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/")) and not os.path.exists(command)
        else:
            lacking = shutil.which(command, path=folders) is None
        if lacking:
            yield warning(
                "programs",
                f"the program {command}, which {name} runs, is not on this machine, which substitutes the image "
                f'"{container["image"]}"',
                "install it, or name a folder that holds it as `path` in the image table",
            )


def _check_packages(context: CLIContext, stand_ins: Mapping[str, Json], reach: Reach) -> Iterator[Finding]:
    """Modules that Python scripts, and functions of Hera's runner, import and that their interpreter does not have."""
    # Python → module → (the first template that imports the module, whether an inline script does).
    needed: dict[str, dict[str, tuple[str, bool]]] = {}
    for name, container in _containers_of(reach):
        command = next(iter(container.get("command") or ()), "")
        entry = stand_ins.get(str(container.get("image") or "")) or {}
        if "python" not in os.path.basename(command) or not entry.get("python"):
            continue
        python = context.python or sys.executable if entry["python"] == "current" else str(entry["python"])
        modules, inline = _imports_of(container)
        for module in sorted(modules - sys.stdlib_module_names):
            needed.setdefault(python, {}).setdefault(module, (name, inline))
    if not needed:
        return
    from hera_utils.preflight.imports import how_to_install, missing_modules

    for python, by_module in needed.items():
        for module in missing_modules(python, by_module):
            name, inline = by_module[module]
            yield warning(
                "packages",
                f"{name} imports {module}, which the Python of its tasks does not have ({python})",
                how_to_install(python, module, _folder_of_script() if inline else None),
            )


def _imports_of(container: Json) -> tuple[set[str], bool]:
    """(the modules that a Python container surely imports, whether it is an inline script)."""
    from hera_utils.preflight.imports import modules_imported_by, modules_imported_by_runner
    from hera_utils.provenance.modules import runner_function

    module, function = runner_function(container)
    if module:
        return modules_imported_by_runner(module, function, _folder_of_script()), False
    source = container.get("source")
    return (modules_imported_by(source) if isinstance(source, str) else set()), True


def _folder_of_script() -> Path:
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(main).resolve().parent if main else Path.cwd()


# --- ports, folders, sizes and limits --------------------------------------------------------------------------------------


def _check_ports(reach: Reach) -> Iterator[Finding]:
    """Ports of this machine (`hostPort`, `hostNetwork`) that another program uses; that program would answer instead of the pod."""
    whole = bool(reach.spec.get("hostNetwork"))
    for name, container in _containers_of(reach):
        for port in container.get("ports") or ():
            number = port.get("hostPort") or (port.get("containerPort") if whole else None)
            if isinstance(number, int) and _is_taken(number):
                yield warning(
                    "ports",
                    f"{name} needs port {number} of this machine, which another program uses",
                    "end that program, or leave out hostPort and hostNetwork: then every pod has an address of its own",
                )


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ports of closed connections count as free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
        return False


def _check_host_paths(needs: Needs) -> Iterator[Finding]:
    """Files and folders of this machine that a workflow mounts (hostPath): those that do not exist, or have another type."""
    if not needs.host_paths:
        return
    from hera_utils.local_platform.pods.pod import host_paths

    for path, (kind, volume) in needs.host_paths.items():
        path = host_paths.absolute(path)
        if any(path.startswith(f"{other.rstrip('/')}/") for other in needs.host_paths):
            continue  # an earlier task may create it
        obstacle = host_paths.type_obstacle(path, kind, volume)
        absent = obstacle is None and not os.path.exists(path)
        if absent:
            obstacle = host_paths.creation_obstacle(path, kind, volume)
        if obstacle is not None:
            yield problem("host path", obstacle.message, obstacle.fix)
        elif absent:
            what = "an empty file" if kind == "FileOrCreate" else "an empty folder"
            yield warning(
                "host path",
                f'hostPath "{path}" of the volume "{volume}" does not exist on this machine: {what} will be created '
                f"there",
                "if tasks read from it, put their files there, or correct the path",
            )


def _check_sizes(needs: Needs) -> Iterator[Finding]:
    if not needs.sizes:
        return
    machine = {"cpu": Fraction(machine_size.cores()), "memory": Fraction(machine_size.memory())}
    for size in needs.sizes:
        for what, there in machine.items():
            total = sum((amount(requests.get(what)) for _, requests, _ in size.containers), Fraction(0))
            if total > there:
                yield warning(
                    "size",
                    f"{size.template} requests {_amount(what, total)}, this machine has {_amount(what, there)}: it "
                    f"runs with less"
                    "",
                    "reduce its request, or run it on a cluster: --argo_server",
                )


def _amount(what: str, value: Fraction) -> str:
    return f"{float(value):g} CPUs" if what == "cpu" else f"{float(value / 2**30):.3g} GiB of memory"


def _check_limits(document: Json, *, thorough: bool) -> Iterator[Finding]:
    """The limits of every kernel; if `thorough` also the limits of every cluster, which do not apply on this machine."""
    here = list(find_argument_breaches(document))
    for what, fix in here:
        yield problem("limits", what, fix)
    if thorough:
        for what, fix in find_breaches(document):
            if (what, fix) not in here:
                yield warning("limits", f"it runs here, but on no cluster: {what}", fix)


# --- objects ---------------------------------------------------------------------------------------------------------------


def _check_objects(platform: _Platform, environment: Environment, needs: Needs, *, thorough: bool) -> Iterator[Finding]:
    """Findings on claims, config maps, secrets and accounts that the workflow names, except those created before it runs."""
    needs = _without_created_objects(needs, environment, platform.siblings)
    accounts = thorough and (needs.service_accounts or needs.pull_secrets)
    if not (needs.claims or needs.config_maps or needs.secrets or accounts):
        return
    from hera_utils.platforms.kubernetes_http import KubernetesHttp
    from hera_utils.preflight import objects
    from hera_utils.preflight.inquiry import Asker, Target, closing_asker

    context, connection = platform.context, platform.connection
    asker = Asker(KubernetesHttp(connection))
    with closing_asker(asker):
        target = Target(context, connection, Environment(), needs, TokenClaims("opaque"), asker)
        for look in (objects.check_claims, objects.check_config_maps, objects.check_secrets):
            try:
                yield from look(target)
            except HeraUtilsError as error:
                yield from_error("local platform", error)
        if accounts:
            yield from map(_as_warning, objects.check_service_accounts(target))


def _as_warning(finding: Finding) -> Finding:
    """A problem with an account or a pull secret as a warning: pods on this machine need neither, pods on a cluster do."""
    if finding.ok:
        return finding
    message = finding.message.partition(":")[0]
    return warning(finding.check, f"{message}: it is not needed here, but on a cluster", finding.fix)


def _without_created_objects(needs: Needs, environment: Environment, siblings: Iterable[tuple[str, str]]) -> Needs:
    """The needs without what the environment or the workflow's file describes: a run on this machine creates that."""
    created = {name: {one for kind, one in siblings if kind == name} for name in OBJECTS}
    claims = created["PersistentVolumeClaim"] | {volume.claim_name for volume in environment.volumes}
    config_maps = created["ConfigMap"] | {config_map.name for config_map in environment.config_maps}
    secrets = created["Secret"] | {secret.name for secret in environment.secrets}
    if environment.image_pull_secret is not None:
        secrets.add(environment.image_pull_secret.name)
    accounts = {environment.service_account.name} if environment.service_account is not None else set()

    def without(needed: dict[str, Any], names: set[str]) -> dict[str, Any]:
        return {name: use for name, use in needed.items() if name not in names}

    return replace(
        needs,
        claims=without(needs.claims, claims),
        config_maps=without(needs.config_maps, config_maps),
        secrets=without(needs.secrets, secrets),
        service_accounts=without(needs.service_accounts, accounts),
        pull_secrets=without(needs.pull_secrets, secrets),
    )


def add_claims_of_settings(environment: Environment, context: CLIContext, documents: Iterable[Json]) -> Environment:
    """The environment with the claims of workflows that the settings give a folder (`volumes`): a run on this machine creates them too."""
    if not context.volumes:
        return environment
    names = {name for document in documents for name in needs_of(document).claims} & set(context.volumes)
    names -= {volume.claim_name for volume in environment.volumes}
    volumes = tuple(PersistedVolume(name) for name in sorted(names))
    return replace(environment, more_volumes=(*environment.more_volumes, *volumes))


def _type_error(document: Json) -> str | None:
    """Argo's message for a field with a value of the wrong type, such as a list instead of an object; None if there is none."""
    try:
        decode(document, "Workflow")
    except Refused as error:
        return error.message
    return None


def _check_acceptance(platform: _Platform, document: Json) -> Iterator[Finding]:
    from hera_utils.preflight.validity import check_with

    try:
        if len(platform.siblings) > 1:
            check_with(document, platform.template)
        else:
            platform.client.lint(document)
    except (InvalidWorkflow, Refused) as error:
        fix = "correct the workflow; hera-utils lint checks it without running it"
        yield problem("workflow", f"the workflow would be refused: {error.message}", error.fix or fix)
    else:
        yield good("workflow", "the workflow would be accepted")
