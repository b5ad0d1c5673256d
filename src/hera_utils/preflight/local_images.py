"""What happens on this machine to the images of a workflow, decided before it begins: a stand-in, a pull, or a refusal.

The decisions are kept with the settings (`decisions_of`): the workflow takes them along to the server, the record keeps them.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hera_utils.images.choice import (
    ImageUse,
    Pull,
    RefusedImage,
    StandIn,
    ThisMachine,
    choose,
)
from hera_utils.images.decisions import ImageDecision, uses_of_containers
from hera_utils.images.interpreters import version_of
from hera_utils.images.table import ImageTable
from hera_utils.platforms.run_images import decisions_of
from hera_utils.preflight.finding import Finding, good, problem, warning
from hera_utils.preflight.needs import Needs, needs_of
from hera_utils.preflight.reachable_templates import Reach, reach_of
from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]
STAND_INS = "stand-ins"
"""The check whose finding is said before each run."""


def table_of(context: CLIContext) -> ImageTable:
    """What the settings say of images, and below it what the server that runs was started with."""
    return ImageTable({**_table_of_server(context), **context.images})


def _table_of_server(context: CLIContext) -> dict[str, Json]:
    """What the running server was started with (its own HERA_UTILS_IMAGES)."""
    try:
        known = json.loads((Path(context.state) / "server.json").read_text(encoding="utf-8"))
        return dict(known.get("images") or {})
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def decide_images(
    context: CLIContext, needs: Needs, reach: Reach, pull_secrets: Callable[[], list[Json]]
) -> tuple[dict[str, ImageDecision], dict[str, Finding]]:
    """(image → what happens to it, image → what keeps it from running). What is decided is kept for `decisions_of`.

    pull_secrets: the secrets that the workflow names for its registries; they are read when a registry is asked.
    """
    table, uses = table_of(context), uses_of_templates(reach)
    machine = ThisMachine(version_of(context.python or sys.executable), lambda name: shutil.which(name) is not None)
    decisions: dict[str, ImageDecision] = {}
    refusals: dict[str, RefusedImage] = {}
    pulls: dict[str, Pull] = {}
    for image in needs.images:
        entry = table.entry(image)
        choice = choose(image, entry.policy, entry.stand_in, uses.get(image, ()), machine)
        if isinstance(choice, Pull):
            pulls[image] = choice
        elif isinstance(choice, RefusedImage):
            refusals[image] = choice
        else:
            decisions[image] = ImageDecision(choice)
    for image, outcome in _decide_pulls(context, pulls, pull_secrets).items():
        if isinstance(outcome, RefusedImage):
            refusals[image] = outcome
        else:
            decisions[image] = outcome
    in_order = {image: decisions[image] for image in needs.images if image in decisions}
    decisions_of(context).update(in_order)
    findings = {
        image: problem("images", f"{refusals[image].reason} ({where})", refusals[image].fix)
        for image, where in needs.images.items()
        if image in refusals
    }
    return in_order, findings


def outcomes_of(context: CLIContext, documents: Sequence[Json]) -> dict[str, str]:
    """image → in words what happens to it on this machine, of workflows that need not run now. No server is started or asked, so stored
    templates are not looked at.
    """
    outcomes: dict[str, str] = {}
    for document in documents:
        reach = reach_of(document, lambda kind, name: None)
        needs = needs_of({"kind": "Workflow", "spec": reach.spec})
        decisions, findings = decide_images(context, needs, reach, list)
        outcomes |= {image: decision.words for image, decision in decisions.items()}
        outcomes |= {image: finding.message for image, finding in findings.items()}
    return outcomes


def _decide_pulls(
    context: CLIContext, pulls: Mapping[str, Pull], pull_secrets: Callable[[], list[Json]]
) -> Mapping[str, ImageDecision | RefusedImage]:
    if not pulls:
        return {}
    from hera_utils.images.login import Logins
    from hera_utils.images.pull_decisions import decide_pulls
    from hera_utils.images.store import Store

    store = Store(Path(context.state) / "images")
    return decide_pulls(pulls, store, lambda: Logins.of_this_user().with_pull_secrets(pull_secrets()))


def remarks(decisions: Mapping[str, ImageDecision]) -> Iterator[Finding]:
    """A stand-in is never silent: one line for all of them, and a warning for each that is known to differ."""
    stand_ins = {image: one.choice for image, one in decisions.items() if isinstance(one.choice, StandIn)}
    if stand_ins:
        yield good(STAND_INS, f"this machine stands in for {_listed(stand_ins)}")
    for image, stand_in in stand_ins.items():
        if stand_in.because:
            yield warning(
                "images",
                f"{image} runs in {stand_in.words}",
                "for the image itself: hera-utils image import FILE; to stay with this: --images stand-in",
            )


def _listed(stand_ins: Mapping[str, StandIn]) -> str:
    images_by_reason: dict[str, list[str]] = {}
    for image, stand_in in stand_ins.items():
        images_by_reason.setdefault(stand_in.reason, []).append(image)
    return "; ".join(f"{', '.join(images)} ({reason})" for reason, images in images_by_reason.items())


def uses_of_templates(reach: Reach) -> dict[str, list[ImageUse]]:
    """image → how the containers of all templates use it."""
    uses: dict[str, list[ImageUse]] = {}
    for template in reach.spec.get("templates") or ():
        for image, of_template in uses_of_containers(container for _, container in containers_of(template)).items():
            uses.setdefault(image, []).extend(of_template)
    return uses


def containers_of(template: Json) -> Iterator[tuple[str, Json]]:
    """(template, container) of every container of a template."""
    name = str(template.get("name") or "")
    for part in ("container", "script"):
        if isinstance(template.get(part), dict):
            yield name, template[part]
    inside = (template.get("containerSet") or {}).get("containers") or ()
    for container in (*inside, *(template.get("sidecars") or ()), *(template.get("initContainers") or ())):
        yield name, container
