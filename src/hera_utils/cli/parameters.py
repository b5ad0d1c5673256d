"""`-p NAME=VALUE`, `--parameter NAME=VALUE` and `--parameter-file FILE`: parameters for a workflow file or a stored template."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hera_utils.cli.terminal import print_note
from hera_utils.cli.yaml_text import describe_yaml_error, loader, text_of
from hera_utils.errors import SettingsError

Json = dict[str, Any]


def parameters(arguments: Sequence[str], file: Path | None = None) -> list[str]:
    """`NAME=VALUE` texts: those of the file, then those of the command line, which win. Source: argo submit."""
    words, assignments = list(arguments), []
    while words:
        word = words.pop(0)
        if word in ("-p", "--parameter") and words:
            assignments.append(words.pop(0))
        elif word.startswith("--parameter="):
            assignments.append(word.partition("=")[2])
        elif word.startswith("-p") and "=" in word:
            assignments.append(word[2:])
        else:
            raise SettingsError(f"a workflow takes no argument `{word}`", fix="give parameters as -p NAME=VALUE")
    return [*(read_parameters(file) if file is not None else ()), *assignments]


def is_parameter_list(words: Sequence[str]) -> bool:
    """Whether these words are parameters, and nothing else."""
    try:
        return all("=" in parameter for parameter in parameters(words))
    except SettingsError:
        return False


def read_parameters(path: Path) -> list[str]:
    """The parameters of a YAML or JSON file, a mapping of names to values. A value that is no text is sent as its JSON, as Argo does."""
    import yaml

    from hera_utils.argo import yaml_limits

    fix = "write a YAML mapping into it: NAME: VALUE"
    try:
        text = text_of(path)
        yaml_limits.check_limits(text, yaml_limits.MOST_OF_A_FILE)
        values = yaml.load(text, loader())
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}{describe_yaml_error(error)}", fix=fix) from None
    if not isinstance(values, dict):
        raise SettingsError(f"the parameter file {path} holds no mapping of names to values", fix=fix)
    return [f"{name}={value if isinstance(value, str) else _format_as_json(value)}" for name, value in values.items()]


def _format_as_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def with_parameters(document: Json, assignments: Sequence[str]) -> Json:
    """The document with `NAME=VALUE` parameters in place of its own (as `argo submit -p`)."""
    assigned = dict(map(name_and_value, assignments))
    if not assigned:
        return document
    spec = document["spec"]
    arguments = spec.get("arguments") or {}
    others = [p for p in arguments.get("parameters") or [] if p.get("name") not in assigned]
    named = [{"name": name, "value": value} for name, value in assigned.items()]
    return {**document, "spec": {**spec, "arguments": {**arguments, "parameters": others + named}}}


def assign_parameters(document: Json, assignments: Sequence[str]) -> Json:
    """As `with_parameters`; prints which of them the workflow does not mention."""
    for text in unknown_parameters(document, assignments):
        print_note(f"hera-utils: {text}")
    return with_parameters(document, assignments)


def unknown_parameters(document: Json, assignments: Sequence[str]) -> Iterator[str]:
    """A sentence for each given parameter that the workflow does not mention: most often a typing mistake. Argo accepts it."""
    spec = document["spec"]
    if spec.get("workflowTemplateRef"):
        return
    names = [str(parameter.get("name")) for parameter in (spec.get("arguments") or {}).get("parameters") or ()]
    text = str(spec)
    for name, _ in map(name_and_value, assignments):
        if name not in names and not re.search(rf"workflow\.parameters\.{re.escape(name)}(?![\w-])", text):
            yield f"the workflow has no parameter `{name}`; " + (
                f"it has: {', '.join(names)}" if names else "it has none"
            )


def name_and_value(text: str) -> tuple[str, str]:
    """The name and the value of `NAME=VALUE`. Raises SettingsError for any other text."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise SettingsError(f"`{text}` is not a parameter", fix="write -p NAME=VALUE")
    return name, value
