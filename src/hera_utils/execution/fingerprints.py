"""Digests of everything that a point's result depends on: from them a later run knows whether anything has changed.

code        the templates that its tasks (and those before them) run: sources, commands, environment, resources… (comments of Python
            do not count)
image       the images that they run in, with the digests of those that are pulled on this machine
given       argument → digest of the value that the tasks get
spec        the part of the workflow's spec that applies to all templates: its arguments, volumes, templateDefaults
files       path → digest of the input files that the layout declares for the point
referenced  the stored templates that its tasks reach, as they are on the platform
python      of the Python that runs script tasks on this machine: the packages that their code imports (python_environments.py)

fingerprint_diff.py compares two fingerprints.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hera_utils.argo.names import reference_kind
from hera_utils.argo.template_calls import calls_of
from hera_utils.argo.template_containers import containers_beside
from hera_utils.digests import short_digest
from hera_utils.errors import ResourceError
from hera_utils.execution.declared_files import DeclaredFiles
from hera_utils.execution.python_environments import PythonEnvironments
from hera_utils.execution.run_facts import script_folder
from hera_utils.experiment.entry_tasks import arguments_of, entry_tasks, items_of
from hera_utils.experiment.points import Point
from hera_utils.experiment.task_ownership import TaskOwnership, TaskRef
from hera_utils.experiment.values import text
from hera_utils.images.choice import StandIn
from hera_utils.platforms.run_images import decisions_of
from hera_utils.provenance.modules import Sources
from hera_utils.provenance.python_source import without_comments
from hera_utils.results.secrecy import refuse_secret_literals, secrets_of
from hera_utils.settings.resolve import CLIContext
from hera_utils.settings.secret import mask

Json = dict[str, Any]
Fingerprint = dict[str, Any]

_FIELDS_FOR_ALL_TASKS = (
    "arguments",
    "templateDefaults",
    "volumes",
    "volumeClaimTemplates",
    "podSpecPatch",
    "serviceAccountName",
)
_MOST_VALUES = 2000  # argument values whose text is kept: 100,000 points would have 100,000 paths
_LONGEST_VALUE = 200


def digest(value: Any) -> str:
    """The digest, 16 hexadecimal digits, of a text or of a value's JSON."""
    words = value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return short_digest(words.encode("utf-8", "surrogatepass"))


def _without_inputs(point: Point) -> Mapping[str, str]:
    return {}


def is_rest_unchanged(old: str, new: str) -> bool:
    """Whether what a run does besides its points is unchanged. Older versions hashed only the document, not the code beside it."""
    return old == new if "+" in old else old == new.partition("+")[0]


@dataclass
class Fingerprinter:
    """Computes the fingerprints of points, and keeps the texts that their digests stand for (`texts`).

    sources: template → the texts of the modules that hold its code outside of the document (Hera's runner imports a module).
    python: template → the relevant facts of the Python that runs it here; {} if its image decides. stored: (kind, name) → the stored
    template, None if it cannot be read: then its name is added to `unread`. hides: whether a text contains a secret and must not be kept.
    tagged: collects the images of which only a tag is known; None: they are not collected.
    digests: image → digest, of the images that are pulled on this machine.
    inputs: point → path and digest of each of its input files.
    code_counts: whether a point that is done runs again when its code, its images or its packages have changed.
    """

    sources: Callable[[Json], Mapping[str, str]]
    python: Callable[[Json], Json] = lambda template: {}
    inputs: Callable[[Point], Mapping[str, str]] = _without_inputs
    digests: Mapping[str, str] = field(default_factory=dict)
    code_counts: bool = True
    stored: Callable[[str, str], Json | None] = lambda kind, name: None
    hides: Callable[[str], bool] = lambda text: False
    texts: dict[str, str] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    tagged: set[str] | None = None
    _values: int = 0

    def fingerprint_points(
        self, document: Json, ownership: TaskOwnership, points: Iterable[Point], *, unit: bool = False
    ) -> Iterator[tuple[Point, Fingerprint]]:
        """The fingerprint of each point that the document computes. unit: each point depends on the whole workflow."""
        reader = None if unit else _DocumentReader(document, self)
        whole = self.fingerprint_workflow(document) if unit else {}
        for point in points:
            fingerprint = whole if reader is None else reader.fingerprint(ownership.tasks[point.id], ownership)
            files = dict(self.inputs(point))
            yield point, {**fingerprint, "files": files} if files else fingerprint

    def fingerprint_workflow(self, document: Json) -> Fingerprint:
        """The fingerprint of a workflow that is one unit, which all of its points share. Includes the entrypoint: it may be no DAG."""
        reader = _DocumentReader(document, self)
        spec = document.get("spec") or {}
        reference = spec.get("workflowTemplateRef")
        names = {str(template.get("name")) for template in spec.get("templates") or ()}
        tasks = {task["name"]: self.keep(task) for task in entry_tasks(document)}
        fingerprint = reader.join(names, {f"task {name}": words for name, words in tasks.items()})
        begins = {key: spec[key] for key in ("entrypoint", "workflowTemplateRef") if spec.get(key)}
        if reference and (stored := self.look(reference)) is not None:
            spec_digest = self.keep(stored.get("spec") or {})
            fingerprint["referenced"] = self.keep({str(reference.get("name")): spec_digest}, compared=True)
        return {**fingerprint, "spec": digest([fingerprint["spec"], begins])}

    def look(self, reference: Json) -> Json | None:
        """The stored template that a reference names; None if it cannot be read."""
        stored = self.stored(reference_kind(reference), str(reference.get("name") or ""))
        if stored is None:
            self.unread.add(str(reference.get("name") or ""))
        return stored

    def fingerprint_fan_in(self, document: Json, ownership: TaskOwnership) -> str:
        """The digest of the shared tasks that come after points, "" if there are none (compared by `is_rest_unchanged`)."""
        owners = {task for tasks in ownership.tasks.values() for task, _ in tasks}
        reader = _DocumentReader(document, self)
        fan_in = {
            name: [sorted(reader.reachable_templates(reader.tasks[name])), reader.tasks[name]]
            for name in ownership.shared
            if not ownership.ancestors(name).isdisjoint(owners)
        }
        if not fan_in:
            return ""
        reached = {name for names, _ in fan_in.values() for name in names}
        return f"{digest(fan_in)}+{digest(reader.join(reached, {}))}"

    def fingerprint_gather(self, document: Json) -> str:
        """The digest of a workflow that runs after all points (compared by `is_rest_unchanged`)."""
        named = {"generateName": (document.get("metadata") or {}).get("generateName")}
        return f"{digest({**document, 'metadata': named})}+{digest(self.fingerprint_workflow(document))}"

    def keep(self, value: Any, *, compared: bool = False) -> str:
        """The digest of a value (a text or JSON). Keeps its text, so that a change of it can be explained.

        compared: the text is needed to find what changed, and is always kept: it has names, digests and versions, but no secrets.
        """
        words = (
            value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
        )
        key = digest(words)
        if key not in self.texts and (compared or not self.hides(words)):
            self.texts[key] = words
        return key

    def keep_value(self, words: str) -> str:
        """The digest of an argument's value. Keeps its text if it is short and not too many are kept already."""
        key = digest(words)[:10]
        if len(words) <= _LONGEST_VALUE and key not in self.texts and self._values < _MOST_VALUES:
            self._values += 1
            if not self.hides(words):
                self.texts[key] = words
        return key


class _DocumentReader:
    """Reads one document, each of its templates once."""

    def __init__(self, document: Json, fingerprinter: Fingerprinter) -> None:
        spec = document.get("spec") or {}
        self.fingerprinter = fingerprinter
        self.templates: dict[str, Json] = {
            str(template.get("name")): template for template in spec.get("templates") or ()
        }
        self.tasks: dict[str, Json] = {task["name"]: task for task in entry_tasks(document)}
        self.items = {name: items_of(task) for name, task in self.tasks.items()}
        self.shared = fingerprinter.keep({key: spec[key] for key in _FIELDS_FOR_ALL_TASKS if spec.get(key)})
        self._codes: dict[str, _Code] = {}
        self._stored: dict[str, Mapping[str, _Code]] = {}
        self._defaults: dict[str, dict[str, str]] = {}
        self._reached: dict[str, frozenset[str]] = {}
        self._joint: dict[frozenset[str], Fingerprint] = {}
        self._ancestors: dict[str, frozenset[str]] = {}

    def fingerprint(self, tasks: Iterable[TaskRef], ownership: TaskOwnership) -> Fingerprint:
        """The fingerprint of a point with these tasks; the shared tasks that come before them count too."""
        arguments: dict[str, list[str]] = {}
        names: frozenset[str] = frozenset()
        own = {task for task, _ in tasks}
        before: frozenset[str] = frozenset()
        for task, item in tasks:
            if task not in self._ancestors:
                self._ancestors[task] = ownership.ancestors(task)
            before |= self._ancestors[task]
            names |= self.reachable_templates(self.tasks[task])
            self._add_arguments(task, item, arguments)
        for task in sorted(before & set(ownership.shared) - own):
            names |= self.reachable_templates(self.tasks[task])
            self._add_arguments(task, None, arguments)
        return self.join(names, {name: "".join(sorted(words)) for name, words in arguments.items()})

    def join(self, names: Iterable[str], arguments: Mapping[str, str]) -> Fingerprint:
        """The fingerprint of these templates, with these digests of arguments."""
        chosen = frozenset(names)
        if chosen not in self._joint:
            self._joint[chosen] = self._fingerprint_of_templates(chosen)
        defaults = {
            label: words
            for name in sorted(chosen)
            for label, words in self._defaults.get(name, {}).items()
            if label not in arguments
        }
        return {**self._joint[chosen], "spec": self.shared, "given": {**arguments, **defaults}}

    def _fingerprint_of_templates(self, names: frozenset[str]) -> Fingerprint:
        codes = {name: self._code(name) for name in sorted(names)}
        referenced: dict[str, _Code] = {}
        for name in codes:
            referenced.update(self._codes_referred_to(name))
        keep = self.fingerprinter.keep
        fingerprint = {
            "code": keep({name: code.parts for name, code in codes.items()}, compared=True),
            "image": keep({name: code.image for name, code in codes.items() if code.image}, compared=True),
        }
        if referenced:
            parts = {name: {**code.parts, "images": keep(code.image)} for name, code in referenced.items()}
            fingerprint["referenced"] = keep(parts, compared=True)
        python = {name: code.python for name, code in {**codes, **referenced}.items() if code.python}
        return {**fingerprint, "python": keep(python, compared=True)} if python else fingerprint

    def _add_arguments(self, task: str, item: int | None, arguments: dict[str, list[str]]) -> None:
        """Adds the digests of a task's arguments to `arguments`, under `template.argument`."""
        called = self.tasks[task]
        items = self.items[task]
        label = called.get("template") or (called.get("templateRef") or {}).get("template") or task
        value = None if item is None or items is None else items[item]
        for name, words in arguments_of(called, value).items():
            arguments.setdefault(f"{label}.{name}", []).append(self.fingerprinter.keep_value(words))
        others = {key: called[key] for key in ("arguments", "withSequence", "when", "hooks") if called.get(key)}
        if item is None and items is not None:
            others["items"] = items
        artifacts = (others.pop("arguments", None) or {}).get("artifacts")
        if artifacts or others:
            arguments.setdefault(f"{label} (task)", []).append(digest([artifacts, others])[:10])

    def reachable_templates(self, task: Json) -> frozenset[str]:
        """The names of the templates that a task runs, nested ones included; of a reference or an inline template its JSON."""
        name = task.get("template")
        if not name:
            key = json.dumps(task.get("templateRef") or task.get("inline") or {}, sort_keys=True, default=str)
            self.templates.setdefault(key, task.get("inline") or {"templateRef": task.get("templateRef")})
            return frozenset({key})
        if name not in self._reached:
            self._reached[name] = frozenset({name})  # set before the recursion: a template may call itself
            inner = calls_of(self.templates.get(name) or {})
            self._reached[name] = self._reached[name].union(*(self.reachable_templates(task) for task in inner))
        return self._reached[name]

    def _code(self, name: str) -> _Code:
        if name not in self._codes:
            template = self._without_defaults(name, dict(self.templates.get(name) or {}))
            self._codes[name] = _code_of(template, self.fingerprinter)
        return self._codes[name]

    def _codes_referred_to(self, name: str) -> Mapping[str, _Code]:
        """The stored templates that a template refers to, and those that these reach: `library/step` → its code."""
        if name not in self._stored:
            template = self.templates.get(name) or {}
            references = [call["templateRef"] for call in (template, *calls_of(template)) if call.get("templateRef")]
            self._stored[name] = _codes_of_stored_templates(references, self.fingerprinter)
        return self._stored[name]

    def _without_defaults(self, name: str, template: Json) -> Json:
        """The template without the default values of its inputs: those count as arguments of the tasks that do not set them."""
        parameters = (template.get("inputs") or {}).get("parameters") or ()
        self._defaults[name] = {
            f"{name}.{parameter.get('name')}": self.fingerprinter.keep_value(text(parameter["value"]))
            for parameter in parameters
            if parameter.get("value") is not None
        }
        bare = [{key: value for key, value in parameter.items() if key != "value"} for parameter in parameters]
        return {**template, "inputs": {**template["inputs"], "parameters": bare}} if bare else template


@dataclass(frozen=True)
class _Code:
    """What a template does. parts: "" → digest of the template without its images, module → digest of its source. image: the images.
    python: the relevant facts of the Python that runs it on this machine, {} if no Python of this machine does.
    """

    parts: Mapping[str, str]
    image: str
    python: Json


def _code_of(template: Json, fingerprinter: Fingerprinter) -> _Code:
    script, keep = template.get("script") or {}, fingerprinter.keep
    is_python = "python" in " ".join(script.get("command") or ())
    python = fingerprinter.python(template) if is_python and script.get("image") not in fingerprinter.digests else {}
    modules = {module: keep(words) for module, words in (python.get("modules") or {}).items()}
    sources = {module: keep(words) for module, words in fingerprinter.sources(template).items()}
    own = keep(_without_images(template, is_python=is_python))
    images = ", ".join(_images_of(template, fingerprinter))
    return _Code({"": own, **sources}, images, {**python, "modules": modules} if python else {})


def _without_images(template: Json, *, is_python: bool) -> Json:
    """The template for the comparison of code: without images, which are compared separately, and without comments of Python."""
    mains = {key: dict(template[key]) for key in ("container", "script") if template.get(key)}
    for main in mains.values():
        main.pop("image", None)
    if is_python and isinstance(mains["script"].get("source"), str):
        mains["script"]["source"] = without_comments(mains["script"]["source"].encode()).decode()
    return {**template, **mains}


def _images_of(template: Json, fingerprinter: Fingerprinter) -> Iterator[str]:
    """The template's own image, then the images of its other containers that are pulled on this machine."""
    digests = fingerprinter.digests
    for key in ("container", "script"):
        if template.get(key):
            image = str(template[key].get("image") or "")
            with_digest = _with_digest(image, digests)
            if fingerprinter.tagged is not None and image and "@" not in with_digest:
                fingerprinter.tagged.add(image)
            yield with_digest
    beside = (str(container.get("image") or "") for container in containers_beside(template))
    yield from (_with_digest(image, digests) for image in beside if image in digests)


def _codes_of_stored_templates(references: Iterable[Json], fingerprinter: Fingerprinter) -> dict[str, _Code]:
    """`library/step` → code of the stored templates that are referred to, and of those that these reach."""
    codes: dict[str, _Code] = {}
    waiting = list(references)
    while waiting:
        reference = waiting.pop()
        label = f"{reference.get('name')}/{reference.get('template')}"
        stored = fingerprinter.look(reference) if label not in codes else None
        templates = ((stored or {}).get("spec") or {}).get("templates") or ()
        template = next((template for template in templates if template.get("name") == reference.get("template")), None)
        if template is None:
            continue
        codes[label] = _code_of(template, fingerprinter)
        for call in calls_of(template):
            inner = {**reference, "template": call["template"]} if call.get("template") else call.get("templateRef")
            waiting += [inner] if inner else []
    return codes


def _with_digest(image: str, digests: Mapping[str, str]) -> str:
    """The image with the digest that is pulled here; the image alone if it is not pulled or names a digest itself."""
    return f"{image}@{digests[image]}" if image in digests and "@" not in image else image


def fingerprinter_of(
    context: CLIContext,
    files: DeclaredFiles,
    *,
    keep_done: bool,
    secrets: Iterable[str],
    stored: Callable[[str, str], Json | None],
) -> Fingerprinter:
    """keep_done: ignore changes of code. secrets: besides those of the settings. stored: (kind, name) → the stored template."""
    sources = Sources(script_folder())
    decisions = decisions_of(context)
    digests = {image: decision.digest for image, decision in decisions.items() if decision.digest}
    every_secret = [*context.secrets(), *secrets_of(os.environ), *secrets]

    def interpreter(image: str) -> str:
        choice = decisions[image].choice if image in decisions else None
        named = str(choice.settings.get("python") or "current") if isinstance(choice, StandIn) else "current"
        return named if named != "current" else context.python or sys.executable

    fingerprinter = Fingerprinter(
        sources,
        inputs=files.read,
        digests=digests,
        code_counts=not keep_done,
        stored=stored,
        hides=partial(_is_secret_in, every_secret),
    )
    if context.platform == "local":
        fingerprinter.python = PythonEnvironments(sources, interpreter)
    else:  # on a cluster the Python of the image runs the task
        fingerprinter.tagged = set()
    return fingerprinter


def _is_secret_in(secrets: list[str], text: str) -> bool:
    """Whether a text contains a secret and must not be written into a record."""
    if mask(text, secrets) != text:
        return True
    with contextlib.suppress(ValueError):
        document = json.loads(text) if text.startswith("{") else {}
        try:
            refuse_secret_literals([{"spec": document}])
        except ResourceError:
            return True
    return False
