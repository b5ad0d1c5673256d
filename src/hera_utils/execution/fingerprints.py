"""What a point's result depends on, as digests by which a later run knows that nothing of it has changed.

code        the templates that its tasks (and those before them) run: sources, commands, environment, resources… (comments of Python
            do not count)
image       the images that they run in, with the digests of those that are pulled on this machine
given       argument → digest of the value that the tasks are given
spec        what of the workflow's spec all templates see: its arguments, volumes, templateDefaults
files       path → digest of the input files that the layout declares for the point
python      the packages of the Python that runs script tasks on this machine
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hera_utils.argo.template_containers import containers_beside
from hera_utils.digests import short_digest
from hera_utils.experiment.entry_tasks import arguments_of, entry_tasks, items_of
from hera_utils.experiment.points import Point
from hera_utils.experiment.task_ownership import TaskOwnership, TaskRef
from hera_utils.experiment.values import text
from hera_utils.provenance.python_source import without_comments

Json = dict[str, Any]
Fingerprint = dict[str, Any]

_OF_ALL = ("arguments", "templateDefaults", "volumes", "volumeClaimTemplates", "podSpecPatch", "serviceAccountName")
_MOST_NAMES = 3


def digest(value: Any) -> str:
    """16 hexadecimal digits of a text, or of the JSON of anything else."""
    words = value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return short_digest(words.encode("utf-8", "surrogatepass"))


def _no_inputs(point: Point) -> Mapping[str, str]:
    return {}


@dataclass
class Fingerprinter:
    """The fingerprints of points, and what their digests stand for (`texts`).

    sources: template → digest of the files that its code is in besides the document (Hera's runner imports a module).
    packages: of the Python that runs script tasks here, name → version; {} where images decide.
    digests: of the images that are pulled on this machine: image → digest.
    inputs: a point → path and digest of each of its input files.
    code_counts: whether a point that is done runs again when its code, its images or its packages have changed.
    """

    sources: Callable[[Json], Mapping[str, str]]
    packages: Mapping[str, str] = field(default_factory=dict)
    inputs: Callable[[Point], Mapping[str, str]] = _no_inputs
    digests: Mapping[str, str] = field(default_factory=dict)
    code_counts: bool = True
    texts: dict[str, str] = field(default_factory=dict)

    def of_points(
        self, document: Json, ownership: TaskOwnership, points: Iterable[Point], *, unit: bool = False
    ) -> Iterator[tuple[Point, Fingerprint]]:
        """The fingerprint of each point that the document computes. unit: whether all of the workflow counts for each of them."""
        reader = None if unit else _DocumentReader(document, self)
        whole = self.of_workflow(document) if unit else {}
        for point in points:
            fingerprint = whole if reader is None else reader.fingerprint(ownership.tasks[point.id], ownership)
            files = dict(self.inputs(point))
            yield point, {**fingerprint, "files": files} if files else fingerprint

    def of_workflow(self, document: Json) -> Fingerprint:
        """Of a workflow that is one unit: each of its points has it. What it begins with counts: it may be no DAG."""
        reader = _DocumentReader(document, self)
        spec = document.get("spec") or {}
        names = {str(template.get("name")) for template in spec.get("templates") or ()}
        tasks = {task["name"]: digest(task) for task in entry_tasks(document)}
        fingerprint = reader.join(names, {f"task {name}": words for name, words in tasks.items()})
        begins = {key: spec[key] for key in ("entrypoint", "workflowTemplateRef") if spec.get(key)}
        return {**fingerprint, "spec": digest([fingerprint["spec"], begins])}

    def of_fan_in(self, document: Json, ownership: TaskOwnership) -> str:
        """The digest of the shared tasks that come after points, "" when there are none: what a run does besides its points."""
        owners = {task for tasks in ownership.tasks.values() for task, _ in tasks}
        reader = _DocumentReader(document, self)
        fan_in = {
            name: [sorted(reader.reached(reader.tasks[name])), reader.tasks[name]]
            for name in ownership.shared
            if not ownership.ancestors(name).isdisjoint(owners)
        }
        return digest(fan_in) if fan_in else ""

    def keep(self, value: Any) -> str:
        """The digest of a value whose text is kept, so that a change of it can be explained."""
        words = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
        key = digest(words)
        self.texts[key] = words
        return key


class _DocumentReader:
    """One document, each template of it read once."""

    def __init__(self, document: Json, fingerprinter: Fingerprinter) -> None:
        spec = document.get("spec") or {}
        self.fingerprinter = fingerprinter
        self.templates: dict[str, Json] = {
            str(template.get("name")): template for template in spec.get("templates") or ()
        }
        self.tasks: dict[str, Json] = {task["name"]: task for task in entry_tasks(document)}
        self.items = {name: items_of(task) for name, task in self.tasks.items()}
        self.shared = digest({key: spec[key] for key in _OF_ALL if spec.get(key)})
        self._codes: dict[str, tuple[Json, str, bool]] = {}
        self._defaults: dict[str, dict[str, str]] = {}
        self._reached: dict[str, frozenset[str]] = {}
        self._joint: dict[frozenset[str], Fingerprint] = {}
        self._ancestors: dict[str, frozenset[str]] = {}

    def fingerprint(self, tasks: Iterable[TaskRef], ownership: TaskOwnership) -> Fingerprint:
        """Of the point that has these tasks, and of the shared ones that come before them."""
        arguments: dict[str, list[str]] = {}
        names: frozenset[str] = frozenset()
        own = {task for task, _ in tasks}
        before: frozenset[str] = frozenset()
        for task, item in tasks:
            if task not in self._ancestors:
                self._ancestors[task] = ownership.ancestors(task)
            before |= self._ancestors[task]
            names |= self.reached(self.tasks[task])
            self._add_arguments(task, item, arguments)
        for task in sorted(before & set(ownership.shared) - own):
            names |= self.reached(self.tasks[task])
            self._add_arguments(task, None, arguments)
        return self.join(names, {name: "".join(sorted(words)) for name, words in arguments.items()})

    def join(self, names: Iterable[str], arguments: Mapping[str, str]) -> Fingerprint:
        """Of these templates, with these digests of arguments."""
        chosen = frozenset(names)
        if chosen not in self._joint:
            self._joint[chosen] = self._of_templates(chosen)
        defaults = {
            label: words
            for name in sorted(chosen)
            for label, words in self._defaults.get(name, {}).items()
            if label not in arguments
        }
        return {**self._joint[chosen], "spec": self.shared, "given": {**arguments, **defaults}}

    def _of_templates(self, names: frozenset[str]) -> Fingerprint:
        codes, images, python = {}, {}, False
        for name in sorted(names):
            code, image, interpreted = self._code(name)
            codes[name], python = code, python or interpreted
            if image:
                images[name] = image
        keep = self.fingerprinter.keep
        fingerprint = {"code": keep(codes), "image": keep(images)}
        if python and self.fingerprinter.packages:
            fingerprint["python"] = keep(dict(self.fingerprinter.packages))
        return fingerprint

    def _add_arguments(self, task: str, item: int | None, arguments: dict[str, list[str]]) -> None:
        """Adds the digests of what a task is given to `arguments`, under `template.argument`."""
        called = self.tasks[task]
        items = self.items[task]
        label = called.get("template") or (called.get("templateRef") or {}).get("template") or task
        value = None if item is None or items is None else items[item]
        for name, words in arguments_of(called, value).items():
            arguments.setdefault(f"{label}.{name}", []).append(digest(words)[:10])
        others = {key: called[key] for key in ("arguments", "withSequence", "when", "hooks") if called.get(key)}
        if item is None and items is not None:
            others["items"] = items
        artifacts = (others.pop("arguments", None) or {}).get("artifacts")
        if artifacts or others:
            arguments.setdefault(f"{label} (task)", []).append(digest([artifacts, others])[:10])

    def reached(self, task: Json) -> frozenset[str]:
        """The templates that a task runs, those inside of them included; a reference or an inline one as its JSON."""
        name = task.get("template")
        if not name:
            key = json.dumps(task.get("templateRef") or task.get("inline") or {}, sort_keys=True, default=str)
            self.templates.setdefault(key, task.get("inline") or {"templateRef": task.get("templateRef")})
            return frozenset({key})
        if name not in self._reached:
            self._reached[name] = frozenset({name})  # a template that calls itself ends here
            template = self.templates.get(name) or {}
            inner = list((template.get("dag") or {}).get("tasks") or ())
            inner += [step for group in template.get("steps") or () for step in group]
            self._reached[name] = self._reached[name].union(*(self.reached(task) for task in inner))
        return self._reached[name]

    def _code(self, name: str) -> tuple[Json, str, bool]:
        """(what of its code → digest: "" the template without its images, a module its file; its images; whether this machine's Python
        runs it).
        """
        if name not in self._codes:
            template = dict(self.templates.get(name) or {})
            digests, images = self.fingerprinter.digests, []
            pulled = (template.get("script") or {}).get("image") in digests
            for key in ("container", "script"):
                if template.get(key):
                    images.append(_with_digest(str(template[key].get("image") or ""), digests))
                    template[key] = {part: value for part, value in template[key].items() if part != "image"}
            beside = (str(container.get("image") or "") for container in containers_beside(template))
            images += [_with_digest(image, digests) for image in beside if image in digests]
            template = self._without_defaults(name, template)
            command = " ".join((template.get("script") or {}).get("command") or ())
            sources = dict(self.fingerprinter.sources(template))
            if "python" in command and isinstance(template["script"].get("source"), str):
                source = without_comments(template["script"]["source"].encode()).decode()
                template["script"] = {**template["script"], "source": source}
            self._codes[name] = {"": digest(template), **sources}, ", ".join(images), "python" in command and not pulled
        return self._codes[name]

    def _without_defaults(self, name: str, template: Json) -> Json:
        """The template without the values of its inputs: a task has them where its caller gives none."""
        parameters = (template.get("inputs") or {}).get("parameters") or ()
        self._defaults[name] = {
            f"{name}.{parameter.get('name')}": digest(text(parameter["value"]))[:10]
            for parameter in parameters
            if parameter.get("value") is not None
        }
        bare = [{key: value for key, value in parameter.items() if key != "value"} for parameter in parameters]
        return {**template, "inputs": {**template["inputs"], "parameters": bare}} if bare else template


def _with_digest(image: str, digests: Mapping[str, str]) -> str:
    """The image as it is pulled here; its name alone where it is not, or names a digest itself."""
    return f"{image}@{digests[image]}" if image in digests and "@" not in image else image


_CODE_PARTS = (
    ("code", "code of {} changed"),
    ("image", "image of {} changed"),
    ("python", "python package {} changed"),
)


def changes(
    old: Fingerprint,
    new: Fingerprint,
    old_text: Callable[[str], str],
    new_text: Callable[[str], str],
    *,
    code_counts: bool = True,
) -> list[str]:
    """What differs between two fingerprints, in words: `code of collect (model.py) changed`, `input file changed (states.csv)`, … [] when
    nothing does. code_counts: whether code, images and packages are looked at.
    """
    differences = []
    for part, sentence in _CODE_PARTS if code_counts else ():
        if old.get(part) != new.get(part):
            names = _differing(old_text(old.get(part, "")), new_text(new.get(part, "")))
            differences.append(sentence.format(_listed(names)))
    if old.get("spec") != new.get("spec"):
        differences.append("the workflow's arguments, volumes or entrypoint changed")
    for part, sentence in (("given", "argument {} changed"), ("files", "input file {} changed")):
        before, after = old.get(part) or {}, new.get(part) or {}
        if before != after:
            # a file that was not there when the point was submitted, and yet it was computed: the run made it itself
            names = sorted(
                name
                for name in {*before, *after}
                if before.get(name) != after.get(name) and not (part == "files" and before.get(name) == "")
            )
            if not names:
                continue
            tasks = [name for name in names if name.startswith("task ")]
            differences.append(f"{_listed(tasks)} changed" if tasks else sentence.format(_listed(names)))
    return differences


def _differing(old: str, new: str) -> list[str]:
    """The names whose values differ between two mappings as JSON; of a template whose modules differ, with these."""
    before, after = (json.loads(words) if words else {} for words in (old, new))
    names = []
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        modules = []
        if isinstance(was, dict) and isinstance(now, dict):
            modules = sorted(module for module in {*was, *now} if module and was.get(module) != now.get(module))
        label = name.partition('{"')[0] or "a referenced template"
        names.append(f"{label} ({', '.join(modules)})" if modules else label)
    return names


def _listed(names: list[str]) -> str:
    first = ", ".join(names[:_MOST_NAMES])
    return (first or "?") + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")
