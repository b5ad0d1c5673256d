"""Compares two fingerprints (fingerprints.py): a sentence for each difference, or the old and the new text at length. Pure.

A part that only one of the two has is not compared: an older version did not have it, or it could not be read. A difference
in the bounds of templates (bounds.py) is no difference; beside another one it is shown.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hera_utils.execution.bounds import differs_only_in_bounds
from hera_utils.wording import first_of

Json = dict[str, Any]
Fingerprint = dict[str, Any]
Texts = Callable[[str], str]
"""A digest in a fingerprint → the text that it stands for, "" if it is unknown."""

CODE, IMAGE, PACKAGE, REFERENCE, SPEC, ARGUMENT, FILE = (
    "code", "image", "package", "referenced template", "spec", "argument", "input file",
)  # fmt: skip
_SENTENCES = {
    CODE: "code of {} changed",
    IMAGE: "image of {} changed",
    PACKAGE: "python package {} changed",
    REFERENCE: "referenced template {} changed",
    SPEC: "the workflow's arguments, volumes or entrypoint changed",
    ARGUMENT: "argument {} changed",
    FILE: "input file {} changed",
}
_MOST_NAMES = 3
_MOST_LINES = 200  # of one difference
_LONGEST_VALUE = 120


@dataclass(frozen=True)
class FingerprintChange:
    """One difference. name: of the template, package, argument or file. part: the module, if a template's code changed, and "" for the
    code in the workflow itself. old, new: digests, or the values themselves if `plain`.
    """

    kind: str
    name: str
    part: str
    old: str
    new: str
    plain: bool = False

    @property
    def words(self) -> str:
        """What changed, in words."""
        name = f"{self.name}, {self.part}" if self.part and self.part != self.name else self.name
        return {CODE: f"code of {name}", IMAGE: f"image of {name}", PACKAGE: f"python package {name}"}.get(
            self.kind, f"{self.kind} {name}".strip()
        )


def find_changes(
    old: Fingerprint, new: Fingerprint, old_text: Texts, new_text: Texts, *, code_counts: bool = True
) -> list[FingerprintChange]:
    """[] if nothing differs. code_counts: whether code, images, packages and referenced templates are compared."""
    changes: list[FingerprintChange] = []
    if code_counts:
        changes += _changes_of_code(CODE, old.get("code", ""), new.get("code", ""), old_text, new_text)
        changes += _changes_of_images(old.get("image", ""), new.get("image", ""), old_text, new_text)
        changes += _changes_of_python(old, new, old_text, new_text)
        if old.get("referenced") and new.get("referenced"):
            changes += _changes_of_code(REFERENCE, old["referenced"], new["referenced"], old_text, new_text)
    if not _is_equivalent(str(old.get("spec", "")), str(new.get("spec", "")), old_text, new_text):
        changes.append(FingerprintChange(SPEC, "", "", str(old.get("spec", "")), str(new.get("spec", ""))))
    for kind, part in ((ARGUMENT, "given"), (FILE, "files")):
        before, after = old.get(part) or {}, new.get(part) or {}
        for name in sorted({*before, *after}):
            was, now = before.get(name), after.get(name)
            # a file that did not exist when the point was submitted: the run created it
            if was != now and not (kind == FILE and was == ""):
                changes.append(FingerprintChange(kind, name, "", was or "", now or ""))
    return changes


def describe_changes(changes: Iterable[FingerprintChange]) -> list[str]:
    """`code of collect (model.py) changed`, `input file changed (states.csv)`, …: one sentence for each kind of change."""
    words = []
    by_kind: dict[str, list[FingerprintChange]] = {}
    for change in changes:
        by_kind.setdefault(change.kind, []).append(change)
    for kind, some in by_kind.items():
        names = list(dict.fromkeys(_labels(some)))
        tasks = [name for name in names if kind == ARGUMENT and name.startswith("task ")]
        words.append(f"{_list_names(tasks)} changed" if tasks else _SENTENCES[kind].format(_list_names(names)))
    return words


def describe_at_length(change: FingerprintChange, before: str, old_text: Texts, new_text: Texts) -> list[str]:
    """The old and the new text. before: the name of the run that the old one is from."""
    if change.plain:
        return [f"{change.words}: {change.old or 'none'} → {change.new or 'none'}"]
    was, now = old_text(change.old) if change.old else "", new_text(change.new) if change.new else ""
    lost = [name for name, digest, text in ((before, change.old, was), ("now", change.new, now)) if digest and not text]
    if lost and change.kind in (ARGUMENT, FILE):
        return [f"{change.words}: {_shorten(was, change.old)} → {_shorten(now, change.new)}"]
    if lost:
        return [f"{change.words}: the text of {' and '.join(lost)} was not kept"]
    if max(len(was), len(now)) <= _LONGEST_VALUE and "\n" not in was + now:
        return [f"{change.words}: {was or 'none'} → {now or 'none'}"]
    lines = list(difflib.unified_diff(_lines(was), _lines(now), before, "now", lineterm=""))
    more = [f"… {len(lines) - _MOST_LINES} more lines"] if len(lines) > _MOST_LINES else []
    return [f"{change.words}:", *lines[:_MOST_LINES], *more]


def _shorten(text: str, digest: str) -> str:
    return text or (f"digest {digest}" if digest else "not there")


def _lines(text: str) -> list[str]:
    """The lines of a source as it is; of JSON one value a line, and then the lines of the script's source in it."""
    try:
        value = json.loads(text)
    except ValueError:
        return text.splitlines()
    source = ""
    if isinstance(value, dict) and isinstance(value.get("script"), dict):
        source = str(value["script"].pop("source", ""))
    return [*json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).splitlines(), *source.splitlines()]


def _labels(changes: Iterable[FingerprintChange]) -> Iterator[str]:
    """The names of what changed; a template's with its modules that changed."""
    modules: dict[str, list[str]] = {}
    for change in changes:
        modules.setdefault(change.name, []).extend(
            [change.part] if change.kind in (CODE, REFERENCE) and change.part else []
        )
    for name, parts in modules.items():
        yield f"{name} ({', '.join(parts)})" if parts else name


def _list_names(names: list[str]) -> str:
    return first_of(names, _MOST_NAMES) or "?"


def _mapping(text: str) -> Json:
    return dict(json.loads(text)) if text else {}


def _changes_of_code(kind: str, old: str, new: str, old_text: Texts, new_text: Texts) -> Iterator[FingerprintChange]:
    """The changes of templates' code and of their modules."""
    if old == new:
        return
    before, after = _mapping(old_text(old)), _mapping(new_text(new))
    for name in sorted({*before, *after}):
        was, now = (_parts(one.get(name)) for one in (before, after))
        modules = [module for module in sorted({*was, *now}) if was.get(module) != now.get(module)]
        if "" in modules and _is_equivalent(was.get("", ""), now.get("", ""), old_text, new_text):
            modules.remove("")
        label = name.partition('{"')[0] or "a referenced template"
        for module in [module for module in modules if module] or modules:
            yield FingerprintChange(kind, label, module, was.get(module, ""), now.get(module, ""))
        if "" in modules and len(modules) > 1 and was and now:
            yield FingerprintChange(kind, label, "", was.get("", ""), now.get("", ""))
    if before == after:  # the digests differ, but their texts are unknown
        yield FingerprintChange(kind, "?", "", old, new)


def _is_equivalent(old: str, new: str, old_text: Texts, new_text: Texts) -> bool:
    """Whether two digests, of templates or of what all templates share, stand for texts that differ only in their bounds."""
    if old == new:
        return True
    was, now = (old_text(old), new_text(new)) if old and new else ("", "")
    return bool(was and now) and differs_only_in_bounds(was, now)


def _parts(code: Any) -> dict[str, str]:
    return code if isinstance(code, dict) else {} if code is None else {"": str(code)}


def _changes_of_images(old: str, new: str, old_text: Texts, new_text: Texts) -> Iterator[FingerprintChange]:
    if old == new:
        return
    before, after = _mapping(old_text(old)), _mapping(new_text(new))
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield FingerprintChange(IMAGE, name, "", before.get(name, ""), after.get(name, ""), plain=True)
    if before == after:
        yield FingerprintChange(IMAGE, "?", "", old, new)


def _changes_of_python(
    old: Fingerprint, new: Fingerprint, old_text: Texts, new_text: Texts
) -> Iterator[FingerprintChange]:
    """The changes of the Python that runs scripts on this machine: packages that the code imports, and modules installed in place."""
    if "python" not in new or old.get("python") == new["python"]:
        return
    before, after = _mapping(old_text(str(old.get("python", "")))), _mapping(new_text(new["python"]))
    changes: dict[tuple[str, str], FingerprintChange] = {}
    for template, now in after.items():
        was = _comparable_python(before, template, now)
        for name, old_version, version in _packages(was, now) if was else ():
            changes.setdefault((PACKAGE, name), FingerprintChange(PACKAGE, name, "", old_version, version, plain=True))
        for module in sorted({*was["modules"], *now["modules"]}) if "modules" in was else ():
            old_digest, digest = was["modules"].get(module, ""), now["modules"].get(module, "")
            if old_digest != digest:
                changes.setdefault((CODE, module), FingerprintChange(CODE, module, "", old_digest, digest))
    yield from (changes[key] for key in sorted(changes))


def _packages(was: Json, now: Json) -> Iterator[tuple[str, str, str]]:
    """(package, version before, version now) where they differ. An import that was added or removed is a change of the code instead."""
    old, new = was["packages"], now["packages"]
    for name, version in new.items():
        if (name in old or was.get("every")) and old.get(name, "") != version:
            yield name, old.get(name, ""), version
    yield from ((name, "", "there") for name, version in old.items() if not version and name not in new)


def _comparable_python(before: Mapping[str, Any], template: str, now: Json) -> Json:
    """What the old fingerprint says of a template's Python, {} if nothing.

    Older versions recorded all packages of the Python that submitted the run, but not its version, and nothing of any other Python.
    """
    was = before.get(template)
    if isinstance(was, dict):
        return was
    if not before or any(isinstance(value, dict) for value in before.values()) or now.get("of"):
        return {}
    return {"every": True, "packages": {**before, "python": now["packages"].get("python", "")}}
