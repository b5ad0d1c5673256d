"""Decides who gets a flag after a script's name: the script if it declares the flag, else hera-utils (decision 46)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from hera_utils.cli.options import SettingOption
from hera_utils.cli.run_output import AnsweringCommand

_MARK = "\0"  # put before a flag to hide it from our parser; no command line can contain it
_DECLARING = ("add_argument", "option", "Option")
_PARSERS = ("ArgumentParser", "Typer", "command")
_OURS = ("main", "parser")  # functions of hera_utils that read the command line
_HELP = ("-h", "--help")


class ScriptCommand(AnsweringCommand):
    """A command whose words are a script and its arguments."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        takes_value, settings = {"-o": True, "--output": True}, set[str]()
        for option in self.get_params(ctx):
            for flag in (*option.opts, *option.secondary_opts):
                flag = _normalize(flag)
                takes_value[flag] = not (getattr(option, "is_flag", False) or getattr(option, "count", False))
                if isinstance(option, SettingOption):
                    settings.add(flag)
        rest = super().parse_args(ctx, mark_flags_of_script(args, takes_value, settings, declared_flags))
        ctx.params["words"] = tuple(word.removeprefix(_MARK) for word in ctx.params["words"])
        return rest


def mark_flags_of_script(
    words: Sequence[str],
    takes_value: Mapping[str, bool],
    settings: set[str],
    declared: Callable[[Path], frozenset[str]],
) -> list[str]:
    """The words, with a mark before those flags after the script's name that are the script's. A flag of a setting is given to both, the
    script and hera-utils. takes_value: our flag → whether a value follows it. declared: script → the flags that it declares.
    """
    place = _place_of_script(words, takes_value)
    end = words.index("--") if "--" in words else len(words)
    if place is None or place >= end:
        return list(words)
    words = [f"{_MARK}{word}" if word == "-m" and number > place else word for number, word in enumerate(words)]
    is_module = words[:place][-1:] == ["-m"]
    if not (is_module or words[place].endswith(".py")):
        return words
    parsed, after, own = list(words[: place + 1]), list(words[place + 1 : end]), None
    for number, word in enumerate(after):
        flag, equals, _ = word.partition("=")
        if _normalize(flag) in takes_value:
            own = declared(_file_of(words[place], is_module=is_module)) if own is None else own
            if flag in own:
                parsed.append(_MARK + word)
                if _normalize(flag) not in settings:
                    continue
                if takes_value[_normalize(flag)] and not equals:
                    parsed += [_MARK + value for value in after[number + 1 : number + 2]]
        parsed.append(word)
    return [*parsed, *words[end:]]


def _place_of_script(words: Sequence[str], takes_value: Mapping[str, bool]) -> int | None:
    """The index of the first word that is neither a flag nor a flag's value, or that is the value of `-m`; None if there is none, or
    `--from` replaces the script.
    """
    place = 0
    while place < len(words):
        flag, equals, _ = words[place].partition("=")
        if flag == "--from":
            return None
        if flag == "-m":  # as for `python -m`, the module is the script, and what follows is its own
            return place + 1
        if not flag.startswith("-"):
            return place
        place += 2 if takes_value.get(_normalize(flag)) and not equals else 1
    return None


def _file_of(script: str, *, is_module: bool) -> Path:
    if not is_module:
        return Path(script)
    from hera_utils.cli.script_module import find_module

    return find_module(script)[1]


def _normalize(flag: str) -> str:
    return flag.replace("_", "-")


def declared_flags(script: Path) -> frozenset[str]:
    """The flags that a script and its modules declare with argparse, click or typer, and `--help` if they create a parser. The script is
    only parsed, not run.
    """
    from hera_utils.provenance.modules import sources_of

    flags: set[str] = set()
    for source in sources_of(script).values():
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            flags.update(_flags_in_node(node))
    return frozenset(flags)


def _flags_in_node(node: ast.AST) -> Iterator[str]:
    ours = isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "hera_utils" and node.names
    if ours and any(alias.name in _OURS for alias in ours):
        yield from _HELP
    if not isinstance(node, ast.Call):
        return
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called in _PARSERS:
        yield from _HELP
    if called in _DECLARING:
        texts = (word.value for word in node.args if isinstance(word, ast.Constant) and isinstance(word.value, str))
        yield from (flag.strip() for text in texts for flag in text.split("/") if flag.strip().startswith("-"))
