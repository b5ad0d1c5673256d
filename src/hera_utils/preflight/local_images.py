"""What happens on this machine to the images of a workflow, decided before it begins: a stand-in, or not at all.

The decisions are kept with the settings (`decisions_of`): the workflow takes them along to the server, the record keeps them.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hera_utils.images.choice import (
    ImageUse,
    Pull,
    RefusedImage,
    StandIn,
    ThisMachine,
    built_in,
    choose,
    without_registry,
)
from hera_utils.images.decisions import ImageDecision, uses_of_containers
from hera_utils.images.interpreters import version_of
from hera_utils.images.table import ImageTable
from hera_utils.preflight.finding import Finding, problem
from hera_utils.preflight.needs import Needs
from hera_utils.preflight.reachable_templates import Reach
from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]


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


def images_of(
    table: ImageTable, context: CLIContext, needs: Needs, reach: Reach
) -> tuple[dict[str, ImageDecision], list[Finding]]:
    """(image → what happens to it, what keeps images from running)."""
    machine = ThisMachine(version_of(context.python or sys.executable), lambda name: shutil.which(name) is not None)
    uses = uses_of_templates(reach)
    decisions: dict[str, ImageDecision] = {}
    findings: list[Finding] = []
    for image, where in needs.images.items():
        entry = table.entry(image)
        choice = choose(image, entry.policy, entry.stand_in, uses.get(image, ()), machine)
        if isinstance(choice, Pull):
            settings = built_in(image)
            why = "images are not pulled on this machine"
            choice = StandIn(settings, "this machine's programs") if settings else without_registry(choice, why)
        if isinstance(choice, RefusedImage):
            findings.append(problem("images", f"{choice.reason} ({where})", choice.fix))
        else:
            decisions[image] = ImageDecision(choice)
    return decisions, findings


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
