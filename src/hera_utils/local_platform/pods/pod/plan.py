"""Computes from a Pod document what each of its containers needs. Uses no files except the pod's own folder."""

from __future__ import annotations

import json
import os
import re
from typing import Any, NamedTuple

from . import environment, ports, python, python_folders, root_rights, users
from .errors import PodFault
from .mount_points import Mount
from .volumes import Volumes

Json = dict[str, Any]
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DURATION = re.compile(r"[+-]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_BARE = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
SCRIPT = "/argo/staging/script"  # where Argo's init container writes a script's source


class ContainerPlan(NamedTuple):
    """kind: init | main | sidecar | wait (no command: only collects outputs). layers: of its image, the uppermost first; () and user None:
    it runs with this machine's files. capabilities: of its root user; None for all. gains_rights: see program.Rights.
    attempts: how often the command is tried; with 0 the container succeeds without running. refusal: why it cannot start.
    """

    name: str
    kind: str
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    mounts: tuple[Mount, ...]
    written: dict[str, tuple[bytes, int]]
    hidden: tuple[str, ...]
    exposed: tuple[Mount, ...]
    dependencies: tuple[str, ...] = ()
    attempts: int = 1
    retry_pause: float = 0.0
    refusal: str = ""
    memory_limit: int = 0
    readiness: Json | None = None
    port_names: dict[str, int] = {}
    terminal: bool = False
    image: str = ""
    image_id: str = ""
    layers: tuple[str, ...] = ()
    user: users.WantedUser | None = None
    capabilities: frozenset[str] | None = root_rights.USUAL
    gains_rights: bool = True


def container_plans(job: Json, folder: str) -> list[ContainerPlan]:
    """The containers of a pod, in the order of its document. Raises PodFault."""
    pod, template = job["pod"], job["template"]
    spec = pod["spec"]
    volumes = Volumes(job, folder)
    members = {c.get("name"): c for c in (template.get("containerSet") or {}).get("containers") or []}
    sidecars = {c.get("name") for c in template.get("sidecars") or []}
    plans = [_plan(job, volumes, c, "init") for c in spec.get("initContainers") or []]
    for container in spec.get("containers") or []:
        kind = "sidecar" if container.get("name") in sidecars else "main"
        plan = _plan(job, volumes, container, kind)
        if plan.name in members:
            plan = _with_containerset(plan, members[plan.name], template["containerSet"])
        plans.append(plan)
    return plans


def _with_containerset(plan: ContainerPlan, member: Json, container_set: Json) -> ContainerPlan:
    plan = plan._replace(dependencies=tuple(member.get("dependencies") or ()))
    strategy = container_set.get("retryStrategy") or {}
    if strategy.get("retries") is None:
        return plan
    pause, refusal = _pause(str(strategy.get("duration") or "0"))
    return plan._replace(attempts=_attempts(str(strategy["retries"])), retry_pause=pause, refusal=refusal)


def _attempts(retries: str) -> int:
    """The number of attempts. As in Argo's executor, it includes the first one, and an invalid number means 0."""
    return int(retries) if _WHOLE.fullmatch(retries) else 0


def _pause(text: str) -> tuple[float, str]:
    """(seconds of a Go duration, "" or why it is invalid)."""
    if _DURATION.fullmatch(text):
        pause = environment.seconds(text.lstrip("+-"))
        complaint = f"duration has to be positive, current duration: {text} " if text[0] == "-" and pause else ""
    else:
        pause = 0.0
        complaint = f"time: {'missing unit in' if _BARE.fullmatch(text) else 'invalid'} duration {json.dumps(text)}"
    return pause, f"failed to get retry strategy: {complaint}" if complaint else ""


def _plan(job: Json, volumes: Volumes, container: Json, kind: str) -> ContainerPlan:
    template = job["template"]
    image = container.get("image") or ""
    settings = (job.get("images") or {}).get(image)
    if settings is None:
        raise PodFault(
            f'no substitute for the image "{image}" on this machine: write the line  "{image}": {{python: current}}  '
            "(with {} alone it is this machine's programs) into a file and run with --images FILE",
            "ErrImagePull",
        )
    own_python = python.interpreter(job, settings) if settings.get("python") else None
    env = environment.variables(job, container, settings, own_python)
    argv = tuple(environment.expand(word, env) for word in _argv(container, settings, image))
    written: dict[str, tuple[bytes, int]] = python.files(own_python) if own_python is not None else {}
    if kind == "main" and template.get("script") is not None:
        written[SCRIPT] = (str(template["script"].get("source") or "").encode(), 0o755)
    if python.runs_hera(container) and (own_python is not None or settings.get("layers")):
        here = own_python is not None
        argv, variables, files = python.runner(job, argv) if here else python.runner_in_image(argv, image)
        env |= variables
        written |= files
    needed = python.folders(job, own_python) if own_python is not None else []
    mounts = volumes.mounts(container, env)
    mounts += [*_files(settings), *volumes.hosts()]
    if kind == "main" and container.get("name") == "main":
        mounts += volumes.input_mounts(container)
    limits = (container.get("resources") or {}).get("limits") or {}
    return ContainerPlan(
        name=str(container.get("name") or "main"),
        kind=kind,
        argv=argv,
        env=env,
        cwd=str(container.get("workingDir") or settings.get("workdir") or "/"),
        mounts=tuple(sorted(mounts, key=lambda m: len(m.target))),
        written=written,
        hidden=tuple(settings.get("hide") or ()),
        exposed=python_folders.exposed([*(settings.get("path") or []), *needed], job["state"]),
        memory_limit=int(environment.quantity(limits["memory"])) if limits.get("memory") else 0,
        readiness=container.get("readinessProbe"),
        port_names=ports.by_name(container),
        terminal=bool(container.get("tty")),
        image=image,
        image_id=str(settings.get("image_id") or ""),
        layers=tuple(reversed(settings.get("layers") or ())),
        user=users.wanted_user(job["pod"], container, str(settings.get("user") or ""))
        if settings.get("layers")
        else None,
        capabilities=root_rights.capabilities_of(container),
        gains_rights=(container.get("securityContext") or {}).get("allowPrivilegeEscalation") is not False,
    )


def _files(settings: Json) -> list[Mount]:
    """Mounts of the files that an image table names. Links are resolved here, so that the checked path is the mounted one."""
    table = settings.get("files") or {}
    return [Mount(os.path.realpath(source), path, True, is_plain=True) for path, source in table.items()]


def _argv(container: Json, settings: Json, image: str) -> tuple[str, ...]:
    """Kubernetes' rule: a command replaces the image's entrypoint and its cmd; args replace the cmd."""
    command = [str(a) for a in container.get("command") or []]
    args = [str(a) for a in container.get("args") or []]
    if not command:
        command = [str(a) for a in settings.get("entrypoint") or []]
        args = args or [str(a) for a in settings.get("cmd") or []]
    argv = tuple(command + args)
    if not argv and settings.get("layers"):
        raise PodFault(f'the image "{image}" has no command of its own: give the template a command')
    if not argv:
        raise PodFault(
            f'the image "{image}" has no command of its own on this machine: give the template a command, or the image an '
            "entrypoint or cmd in the table that HERA_UTILS_IMAGES names"
        )
    return argv
