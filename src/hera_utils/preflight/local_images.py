"""Decides before a workflow begins what happens to its images on this machine: a stand-in, a pull, or a refusal.

The decisions are stored with the settings (`decisions_of`); the workflow carries them to the server, and the record stores them.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hera_utils.argo.template_containers import containers_of
from hera_utils.errors import HeraUtilsError
from hera_utils.experiment.environment import Environment
from hera_utils.images.choice import (
    Choice,
    ImageUse,
    Pull,
    RefusedImage,
    StandIn,
    ThisMachine,
    choose,
    is_described,
    python_stand_in,
    uses_of_containers,
)
from hera_utils.images.decision_texts import ImageDecision
from hera_utils.images.interpreters import version_of
from hera_utils.images.table import ImageTable
from hera_utils.installed import version_of as version_of_package
from hera_utils.platforms.run_images import decisions_of
from hera_utils.preflight.finding import Finding, good, problem, warning
from hera_utils.preflight.needs import Needs, fill_parameters_of, needs_of
from hera_utils.preflight.reachable_templates import Reach, reach_of
from hera_utils.preflight.script_requirements import are_installed, packages_of_script
from hera_utils.server_json import read_server_json
from hera_utils.settings.resolve import CLIContext
from hera_utils.wording import counted

Json = dict[str, Any]
Outcome = ImageDecision | RefusedImage
_BY_PARAMETER = "a parameter of the workflow names it"
RUNNER = "hera.workflows.runner"
Say = Callable[[str], None]
STAND_INS = "stand-ins"
"""The check whose finding is printed before each run."""


def ignore_line(line: str) -> None:
    """A `say` function that ignores the line."""


def table_of(context: CLIContext) -> ImageTable:
    """The image table of the settings, with the weaker entries of the table with which the running server was started."""
    of_server = read_server_json(context.state).get("images")  # its HERA_UTILS_IMAGES
    return ImageTable({**(of_server if isinstance(of_server, dict) else {}), **context.images})


def decide_images(
    context: CLIContext,
    needs: Needs,
    reach: Reach,
    *,
    requirements: Sequence[str],
    pull_secrets: Callable[[], list[Json]] = list,
    say: Say = ignore_line,
) -> tuple[dict[str, ImageDecision], dict[str, Finding]]:
    """(image → its decision, image → the problem that prevents it from running). The decisions are stored for `decisions_of`.

    requirements: the packages of Python images. pull_secrets: reads the workflow's secrets for registries; called only if a registry
    is asked. say: called with a sentence before each slow operation.
    """
    chooser = _Chooser(context, requirements, say)
    uses = uses_of_templates(reach)
    where_by_image = {**_images_of_children(reach), **needs.images}
    for image in uses:
        if image and "{{" not in image:
            where_by_image.setdefault(image, _BY_PARAMETER)
    outcomes: dict[str, Outcome] = {}
    pulls: dict[str, Pull] = {}
    by_pod: set[str] = set()
    for image in where_by_image:
        choice, is_whole = chooser.choose_for_image(image, uses.get(image, []))
        if not is_whole:
            by_pod.add(image)
        if isinstance(choice, Pull):
            pulls[image] = choice
        elif isinstance(choice, RefusedImage):
            outcomes[image] = choice
        else:
            outcomes[image] = chooser.prepare_environment(image, choice, uses.get(image, []))
    outcomes.update(_decide_pulls(context, pulls, pull_secrets))
    decisions: dict[str, ImageDecision] = {}
    findings: dict[str, Finding] = {}
    for image, where in where_by_image.items():
        outcome = chooser.check_interpreter(image, outcomes[image])
        if isinstance(outcome, RefusedImage):
            findings[image] = problem("images", f"{outcome.reason} ({where})", outcome.fix)
        else:
            decisions[image] = outcome
    decisions_of(context).update({image: decision for image, decision in decisions.items() if image not in by_pod})
    return decisions, findings


class _Chooser:
    """Applies the image policy with these settings on this machine. requirements: the packages of Python images."""

    def __init__(self, context: CLIContext, requirements: Sequence[str], say: Say) -> None:
        self._context, self._requirements, self._say = context, requirements, say
        self._table = table_of(context)
        self._python = context.python or sys.executable
        self._machine = ThisMachine(version_of(self._python), lambda name: shutil.which(name) is not None)

    def choose_for_image(self, image: str, uses: Sequence[ImageUse]) -> tuple[Choice, bool]:
        """(the choice for an image, whether it holds for all its containers; with the policy `here` scripts have another one)."""
        policy, stand_in = self._table.entry(image)
        if stand_in is None and self._requirements and policy != "pull":
            stand_in = python_stand_in(image, self._requirements, self._machine)
            if stand_in is not None:
                return StandIn(stand_in, self._machine.python), True
        scripts = [use for use in uses if use.is_python_script]
        others = [use for use in uses if not use.is_python_script]
        is_whole = policy != "here" or stand_in is not None or not (scripts and others)
        return choose(image, policy, stand_in, uses if is_whole else others, self._machine), is_whole

    def prepare_environment(self, image: str, stand_in: StandIn, uses: Sequence[ImageUse]) -> Outcome:
        """The stand-in; its Python environment is created if it is described by a version or by packages."""
        if not is_described(stand_in.settings):
            return ImageDecision(stand_in)
        from hera_utils.images.python_environment import prepare

        settings = dict(stand_in.settings)
        packages = [str(requirement) for requirement in settings.pop("requirements", ())]
        python = str(settings.get("python") or "current")
        if packages and any(RUNNER in (*use.command, *use.args) for use in uses) and not _names(packages, "hera"):
            packages.append(f"hera=={version_of_package('hera')}")
        try:
            interpreter = self._python if python == "current" else python
            line = f"making a Python with {', '.join(packages) or 'no packages'} for {image}, once"
            packaged = prepare(Path(self._context.state) / "python", interpreter, packages, lambda: self._say(line))
        except HeraUtilsError as error:
            return RefusedImage(f'"{image}" stands for a Python with packages: {error}', error.fix or "")
        words = f"Python {packaged.version} with {counted(len(packages), 'package')}, locked"
        return ImageDecision(StandIn({**settings, "python": packaged.python}, words), packaged.lock_digest)

    def check_interpreter(self, image: str, outcome: Outcome) -> Outcome:
        """The outcome, or a refusal if the interpreter that stands in for the image does not exist."""
        choice = outcome.choice if isinstance(outcome, ImageDecision) else None
        named = choice.settings.get("python") if isinstance(choice, StandIn) else None
        python = self._python if named == "current" else str(named)
        if named is None or os.access(python, os.X_OK):
            return outcome
        where = "--python or HERA_UTILS_PYTHON" if named == "current" else "the image table"
        return RefusedImage(
            f'the Python that is to stand in for "{image}" is not on this machine: {python}',
            f"correct {where}: a path, or a name on PATH such as python3.12",
        )


def _names(requirements: Iterable[str], package: str) -> bool:
    return any(re.match(rf"\s*{package}(?![A-Za-z0-9._-])", requirement, re.IGNORECASE) for requirement in requirements)


def requirements_of_run(environment: Environment) -> tuple[str, ...]:
    """The packages that an experiment's environment names, or those in the PEP 723 comment of the running script; () if its Python has
    the latter.
    """
    if environment.requirements:
        return environment.requirements
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    packages = packages_of_script(Path(main)) if main else []
    return () if are_installed(packages) else tuple(packages)


def decide_images_of_documents(
    context: CLIContext, environment: Environment, documents: Sequence[Json]
) -> dict[str, str]:
    """image → a description of what happens to it on this machine, for workflows that need not run now.

    No server is started or asked, so stored templates are not considered.
    """
    requirements = requirements_of_run(environment)
    outcomes: dict[str, str] = {}
    for document in documents:
        reach = reach_of(document, lambda kind, name: None)
        needs = needs_of({"kind": "Workflow", "spec": reach.spec})
        decisions, findings = decide_images(context, needs, reach, requirements=requirements)
        outcomes |= {image: decision.words for image, decision in decisions.items()}
        outcomes |= {image: finding.message for image, finding in findings.items()}
    return outcomes


def _decide_pulls(
    context: CLIContext, pulls: Mapping[str, Pull], pull_secrets: Callable[[], list[Json]]
) -> Mapping[str, Outcome]:
    if not pulls:
        return {}
    from hera_utils.images.availability import decide_pulls
    from hera_utils.images.login import Logins
    from hera_utils.images.store import Store

    store = Store(Path(context.state) / "images")
    return decide_pulls(pulls, store, lambda: Logins.of_this_user().with_pull_secrets(pull_secrets()))


def remarks_on_stand_ins(decisions: Mapping[str, ImageDecision]) -> Iterator[Finding]:
    """One finding that lists all stand-ins, as none may go unnoticed, and a warning for each that is known to differ from its image."""
    stand_ins = {
        image: decision.choice for image, decision in decisions.items() if isinstance(decision.choice, StandIn)
    }
    if stand_ins:
        yield good(STAND_INS, f"this machine stands in for {_list_by_reason(stand_ins)}")
    for image, stand_in in stand_ins.items():
        if stand_in.because:
            yield warning(
                "images",
                f"{image} runs in {stand_in.words}",
                "for the image itself: hera-utils image import FILE; to stay with this: --images stand-in",
            )


def _list_by_reason(stand_ins: Mapping[str, StandIn]) -> str:
    images_by_reason: dict[str, list[str]] = {}
    for image, stand_in in stand_ins.items():
        images_by_reason.setdefault(stand_in.reason, []).append(image)
    return "; ".join(f"{', '.join(images)} ({reason})" for reason, images in images_by_reason.items())


def _images_of_children(reach: Reach) -> dict[str, str]:
    """image → the field that names it, of the workflows that resource templates create."""
    return {
        image: f"{where} of the workflow that {template} creates"
        for template, child in reach.children
        for image, where in needs_of({"spec": child.spec}).images.items()
    }


def uses_of_templates(reach: Reach) -> dict[str, list[ImageUse]]:
    """image → its uses by the containers of all templates. Parameters of the workflow in image names are replaced by their values."""
    uses: dict[str, list[ImageUse]] = {}
    for spec in reach.specs:
        fill = fill_parameters_of(spec)
        for template in spec.get("templates") or ():
            for image, of_template in uses_of_containers(containers_of(template)).items():
                uses.setdefault(fill(image), []).extend(of_template)
    return uses
