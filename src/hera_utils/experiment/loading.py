"""Reads a file of inputs: TOML, YAML, JSON or CSV. The only module of this room that reads from a disk.

A file has any of these tables:

    [constants]                     [parameters]                          [[points]]
    city = "Lyon"                   vintages = [2009, 2012]               vintages = 2009
    mesh = { size = 25 }            boroughs = ["LYON_1"]                 boroughs = "LYON_1"

`parameters` are the axes of a grid; `points` are a list of them instead. A CSV file is a list of points: its first line names the
axes (`,` or `;` between cells).
"""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

from hera_utils.csv_files import csv_lines
from hera_utils.errors import SettingsError
from hera_utils.wording import counted, did_you_mean, system_reason

TABLES = ("constants", "parameters", "points")
_FORMATS = {".toml": "TOML", ".yaml": "YAML", ".yml": "YAML", ".json": "JSON", ".csv": "CSV"}


def read_inputs(path: str | Path) -> tuple[dict[str, Any], bool]:
    """(the tables of a file of inputs, whether its values are texts). Raises SettingsError if it cannot be read."""
    file = Path(path)
    kind = _FORMATS.get(file.suffix.lower())
    if kind is None:
        raise SettingsError(
            f"{path}: inputs cannot be read from this kind of file", fix=f"use one of {', '.join(_FORMATS)}"
        )
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({system_reason(error)})", fix="check the path") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not written in UTF-8", fix="save it as UTF-8") from None
    if kind == "CSV":
        try:
            return {"points": _rows(text, str(path))}, True
        except csv.Error as error:
            raise SettingsError(f"{path} is not CSV: {error}", fix="correct the file") from None
    content = _parse(kind, text, str(path))
    if not isinstance(content, dict):
        raise SettingsError(f"{path} holds no tables", fix=f"give it one or more of {', '.join(TABLES)}")
    for name in content:
        if name not in TABLES:
            raise SettingsError(
                f"{path}: `{name}` is not a table of inputs{did_you_mean(str(name), TABLES)}",
                fix=f"put it into one of {', '.join(TABLES)}",
            )
    if "points" in content and "parameters" in content:
        raise SettingsError(f"{path} has both parameters and points", fix="give axes, or a list of points")
    return content, False


def _parse(kind: str, text: str, path: str) -> Any:
    try:
        if kind == "JSON":
            return json.loads(text, object_pairs_hook=_object_with_unique_names)
        if kind == "TOML":
            if sys.version_info >= (3, 11):
                import tomllib
            else:
                import tomli as tomllib
            return tomllib.loads(text)
    except RecursionError:
        raise SettingsError(f"{path} is nested too deep", fix="correct the file") from None
    except ValueError as error:
        raise SettingsError(f"{path} is not {kind}: {error}", fix="correct the file") from None
    import yaml

    from hera_utils.argo import yaml_limits

    try:
        return yaml_limits.parse_as_pyyaml(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that does not exist
        message = " ".join(str(error).split())
        raise SettingsError(f"{path} is not YAML: {message}", fix="correct that line") from None


def _object_with_unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises ValueError for a name that occurs twice, as TOML does."""
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"`{next(name for name in names if names.count(name) > 1)}` is there twice")
    return table


def _rows(text: str, path: str) -> list[dict[str, str]]:
    first = text.partition("\n")[0]
    lines = csv_lines(io.StringIO(text), delimiter=";" if ";" in first and "," not in first else ",")
    header = [cell.strip() for cell in next(lines, [])]
    twice = sorted({name for name in header if header.count(name) > 1})
    if not header or twice:
        why = f"names `{twice[0]}` twice" if twice else "is empty"
        raise SettingsError(f"{path}: the first line {why}", fix="name each axis once")
    rows = []
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            named = counted(len(header), "axis", "axes")
            raise SettingsError(
                f"{path}, line {lines.line_num}: {counted(len(cells), 'cell')} where the first line names {named}",
                fix="give each axis a cell; put a text with a comma in quotes",
            )
        rows.append(dict(zip(header, cells, strict=True)))
    return rows
