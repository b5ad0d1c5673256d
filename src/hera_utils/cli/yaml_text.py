"""Reads YAML as Kubernetes does, describes its errors, and finds the line of a field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.wording import system_reason


def loader() -> Any:
    """The YAML loader. Imported here, because importing PyYAML takes time and most commands do not need it."""
    from hera_utils.argo.kubernetes_yaml import Loader

    return Loader


def strict_loader() -> Any:
    """A loader that refuses a key that occurs twice in one object, as `argo lint` does; the other one silently takes the last."""
    import yaml

    class Strict(loader()):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            first: dict[Any, int] = {}
            for key, _ in node.value:
                if key.id != "scalar":
                    continue
                if key.value in first:
                    problem = f"the key `{key.value}` stands on line {first[key.value]} already"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                first[key.value] = key.start_mark.line + 1
            return super().construct_mapping(node, deep)

    return Strict


def text_of(path: Path) -> str:
    """The text of a file. Raises SettingsError if it cannot be read or is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"the file {path} cannot be read ({system_reason(error)})", fix="check its name") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text ({error.reason})", fix="save it as UTF-8") from None


def describe_yaml_error(error: Any) -> str:
    """PyYAML's error in words that follow the file's name: `, line 2: not valid YAML: …`."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    place = "" if mark is None else f", line {mark.line + 1}"
    return f"{place}: not valid YAML: {problem or ' '.join(str(error).split())}"


def find_lines(text: str, places: Sequence[tuple[int, Sequence[str | int]]]) -> list[int]:
    """The line, from 1, of each place in a text of valid YAML; 0 for a place that only an anchor leads to.

    places: (number of the document, from 1; the keys and list indices that lead to the field, its own key last).
    """
    import yaml

    roots = list(yaml.compose_all(text, loader()))
    return [_line(roots[number - 1], path) for number, path in places]


def _line(node: Any, path: Sequence[str | int]) -> int:
    line = 0
    for part in path:
        if isinstance(part, int):
            items = node.value if node.id == "sequence" else []
            if part >= len(items):
                return 0
            node = items[part]
            continue
        named = [(key, value) for key, value in (node.value if node.id == "mapping" else ()) if key.value == part]
        if not named:
            return 0
        line, node = named[-1][0].start_mark.line + 1, named[-1][1]
    return line
