"""Secrets in what is written about a run: masked in what people read, refused in what programs read again. Pure.

Messages, the last lines of failed tasks and the command line are masked. Results, tables, paths and the files of a record or a manifest
are never changed: with stars in them they would be wrong. If they would contain a secret, that is an error.

These count as secrets: those that we know (the settings' tokens, what the experiment's environment declares); a text that looks like a
key and has the name of one; and a text with the name of a password, unless it is a common word. In environment variables a common word,
a path or a number is not a secret, whatever its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from html import escape
from typing import Any

from hera_utils.errors import ResourceError, SettingsError
from hera_utils.results.results import Results
from hera_utils.results.task_results import TaskResult
from hera_utils.settings.secret import Secret, looks_like_a_key, mask

Json = dict[str, Any]
Secrets = Iterable[str | Secret | None]

_SECRET_NAME = re.compile(r"(?i)(^|[_\W])(token|secret|password|passwd|api_?key|access_?key|private_?key)s?($|[_\W\d])")
_PASSWORD_NAME = re.compile(r"(?i)(^|[_\W])(password|passwd)$")
_MOST_VALUES = 8  # a name with more values belongs to an axis (`token`, word by word), not to a secret
_FIX = "take it from a Kubernetes secret (Secret(…) in environment.py, SecretEnv in the template) or from a variable"


def is_secret(name: str, value: Any) -> bool:
    """Whether a name is that of a secret, and the value may be one."""
    return isinstance(value, str) and bool(_SECRET_NAME.search(_split_words(name))) and looks_like_a_key(value)


def is_written_secret(name: str, value: Any) -> bool:
    """Whether this is a secret in plain text: the value of a password is one, unless it is a common word."""
    if is_secret(name, value):
        return True
    return (
        isinstance(value, str)
        and bool(value)
        and not value.isalpha()
        and bool(_PASSWORD_NAME.search(_split_words(name)))
    )


def _split_words(name: str) -> str:
    """The words of `dbPassword` as `db_Password`."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)


def secrets_of(environ: Mapping[str, str]) -> list[str]:
    """The variables whose name and value are those of a secret."""
    return [value for name, value in environ.items() if is_secret(name, value)]


def mask_secrets(results: Results, secrets: Secrets) -> Results:
    """The results with the secrets masked in the messages and the last lines of tasks, and nowhere else."""
    texts = _reveal(secrets)

    def masked(row: TaskResult) -> TaskResult:
        message, log = mask(row.message, texts), tuple(mask(line, texts) for line in row.log)
        return row if (message, log) == (row.message, row.log) else replace(row, message=message, log=log)

    return replace(
        results,
        tasks=tuple(map(masked, results.tasks)),
        points=tuple(
            replace(point, message=mask(point.message, texts), tasks=tuple(map(masked, point.tasks)))
            for point in results.points
        ),
    )


def refuse_secrets(where: str, text: str, secrets: Secrets) -> None:
    """ResourceError when a text for a file contains one of the secrets, those apart that are common words."""
    for word in _secret_texts(secrets):
        for form in _spellings(word):
            if form in text and re.search(rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])", text):
                raise ResourceError(
                    f"{where} would contain a secret (a token or a password that this machine knows)", fix=_FIX
                )


def refuse_secret_literals(documents: Iterable[Json]) -> None:
    """ResourceError when a workflow contains a key as plain text: in a parameter, a variable, an input or an output of a task."""
    for document in documents:
        literals: dict[str, set[str]] = {}
        _literals(document.get("spec"), literals)
        for node in ((document.get("status") or {}).get("nodes") or {}).values():
            _literals([node.get("inputs"), node.get("outputs")], literals)
        for name, values in literals.items():
            if len(values) <= _MOST_VALUES:
                run = (document.get("metadata") or {}).get("name", "")
                raise ResourceError(f"the workflow {run} contains the secret `{name}` as plain text", fix=_FIX)


def holds_secret(document: Json, secrets: Secrets) -> bool:
    """Whether the document of an ended workflow contains one of the secrets, or a key as plain text."""
    try:
        refuse_secret_literals([document])
        refuse_secrets("", json.dumps(document, ensure_ascii=False, default=str), secrets)
    except ResourceError:
        return True
    return False


def refuse_secret_inputs(inputs: Json, secrets: Secrets) -> None:
    """SettingsError when a constant or a value of an axis is a secret: the record of a run contains its inputs."""
    texts = set(_secret_texts(secrets))
    swept = {name: values for name, values in inputs.get("parameters", {}).items() if len(values) <= _MOST_VALUES}
    for name, value in _nearest_names({**inputs.get("constants", {}), **swept}):
        if is_written_secret(name, value) or value in texts:
            raise SettingsError(
                f"the input `{name}` is a secret, and the inputs of a run are kept in its record", fix=_FIX
            )


def _reveal(secrets: Secrets) -> list[str]:
    values = [secret.reveal() if isinstance(secret, Secret) else secret for secret in secrets]
    return sorted({value for value in values if value}, key=len, reverse=True)


def _secret_texts(secrets: Secrets) -> list[str]:
    """The words of the secrets (`Bearer x` is two) that are not common words."""
    words = {word for secret in _reveal(secrets) for word in secret.split() if len(word) >= 8}
    return [word for word in words if any(map(str.isdecimal, word)) and any(map(str.isalpha, word))]


def _spellings(word: str) -> set[str]:
    """A text in the spellings of plain text, JSON, JSON within HTML, CSV and HTML."""
    as_json = json.dumps(word, ensure_ascii=False)[1:-1]
    return {word, as_json, as_json.replace("<", "\\u003c"), word.replace('"', '""'), escape(word)}


def _literals(value: Any, literals: dict[str, set[str]]) -> None:
    """Collect the values in plain text whose name is that of a secret: name → values."""
    if isinstance(value, list):
        for inner in value:
            _literals(inner, literals)
    elif isinstance(value, dict):
        literal = value.get("value")
        if isinstance(literal, str) and "{{" not in literal and is_written_secret(str(value.get("name", "")), literal):
            literals.setdefault(str(value["name"]), set()).add(literal)
        for inner in value.values():
            if isinstance(inner, list | dict):
                _literals(inner, literals)


def _nearest_names(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each value of a document with the nearest name above it."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _nearest_names(value)
        elif isinstance(value, list | tuple):
            for item in value:
                yield from _nearest_names(item if isinstance(item, Mapping) else {name: item})
        else:
            yield name, value
