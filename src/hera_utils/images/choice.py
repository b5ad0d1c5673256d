"""For which image this machine's programs stand in, which image it pulls, and which it refuses. Pure.

In: an image, the policy, the user's entry for it in the image table, how containers use it, and this machine as far as it matters.
Out: `StandIn`, `Pull` or `RefusedImage`. The client's preflight and the server ask the same function. What the policies mean:
image_policies.py.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from hera_utils.terminal_text import cell

Json = dict[str, Any]

BUILT_IN: Mapping[str, Json] = {
    "python": {"python": "current", "cmd": ["python3"]},
    "python:*": {"python": "current", "cmd": ["python3"]},
    "alpine*": {"cmd": ["/bin/sh"]},
    "busybox*": {"cmd": ["sh"]},
    "debian*": {"cmd": ["bash"]},
    "ubuntu*": {"cmd": ["bash"]},
    "bash*": {"cmd": ["bash"]},
    "node*": {"cmd": ["node"]},
    "curlimages/curl*": {"entrypoint": ["curl"]},
}
"""Images for which this machine's programs can stand in, and what such an image runs when a template gives no command."""

_PREFIXES = ("docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/", "library/")
PYTHON_VERSION = re.compile(r"\d+(\.\d+){0,2}\Z")
_PYTHON_TAG = re.compile(r"(\d+)(?:\.(\d+))?(?:\.\d+)?(?:(?:a|b|rc)\d+)?(?:-.*)?\Z")
_ORDINARY_NAME = re.compile(r"[a-z0-9./-]+(:[\w.-]+)?\Z")
_SHELLS = ("sh", "ash")
_SMALL = ("alpine", "busybox")
_SYSTEM_FOLDERS = ("/bin", "/usr/bin", "/sbin", "/usr/sbin")
_NAMES_OF_APPLETS = """
[ [[ arch ash awk base64 basename bc bunzip2 bzcat bzip2 cal cat chgrp chmod chown cksum clear cmp comm cp cpio cut date dc
dd df diff dirname dos2unix du echo ed egrep env expand expr factor fallocate false fgrep find flock fold free getopt grep
groups gunzip gzip head hexdump hostid hostname id install kill killall less link ln ls md5sum mkdir mkfifo mknod mktemp more
mv nc nice nl nohup nproc nslookup od paste patch pgrep pidof ping pkill printenv printf ps pwd readlink realpath renice rev
rm rmdir sed seq setsid sh sha1sum sha256sum sha512sum shred shuf sleep sort split stat strings stty sum sync tac tail tar
tee test time timeout top touch tr true truncate tty uname unexpand uniq unix2dos unlink unzip uptime usleep uudecode
uuencode vi watch wc wget which who whoami xargs xxd yes zcat
"""
_APPLETS = frozenset(_NAMES_OF_APPLETS.split())
"""Programs that alpine and busybox have under these names."""
_PROGRAMS_OF_ALPINE = _APPLETS | {"getent", "iconv", "ldd"}


class ImageUse(NamedTuple):
    """How a container uses an image. source: the script of a script template, else None. may_pull: False for `imagePullPolicy: Never`."""

    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    source: str | None = None
    may_pull: bool = True

    @property
    def is_python_script(self) -> bool:
        program = self.command[0].rpartition("/")[2] if self.command else ""
        return self.source is not None and program.startswith("python")


class ThisMachine(NamedTuple):
    """python: the version of the interpreter that runs the tasks ("3.12.4"). has: whether there is a program of this name."""

    python: str
    has: Callable[[str], bool]

    def has_python_version(self, major: str | None, minor: str | None) -> bool:
        """Whether its Python has this version. None for a part that the tag does not name."""
        own_major, own_minor = self.python.split(".")[:2]
        return major in (None, own_major) and minor in (None, own_minor)


class StandIn(NamedTuple):
    """This machine's programs run, with these settings of the image table. reason: what stands in, in a few words.

    because: why it stands in although it is known to differ from the image; "" where no difference is known.
    """

    settings: Json
    reason: str
    because: str = ""

    @property
    def words(self) -> str:
        return f"{self.reason}, because {self.because}" if self.because else self.reason


class Pull(NamedTuple):
    """The image itself runs. why: why nothing stands in for it. registry: False when only the store may be asked.

    otherwise: what runs where no registry can be reached.
    """

    reference: str
    why: str = ""
    otherwise: StandIn | None = None
    registry: bool = True


class RefusedImage(NamedTuple):
    """The image may not run. reason: one sentence without a full stop. fix: what would help."""

    reason: str
    fix: str


Choice = StandIn | Pull | RefusedImage


def uses_of_containers(containers: Iterable[Json], source: str | None = None) -> dict[str, list[ImageUse]]:
    """image → how the containers of one template use it. source: the template's script, which its container `main` runs."""
    uses: dict[str, list[ImageUse]] = {}
    for container in containers:
        command, args = (tuple(map(str, container.get(part) or ())) for part in ("command", "args"))
        own = container.get("source") if isinstance(container.get("source"), str) else None
        if own is None and container.get("name") == "main":
            own = source
        uses.setdefault(str(container.get("image") or ""), []).append(
            ImageUse(command, args, own, container.get("imagePullPolicy") != "Never")
        )
    return uses


def choose(image: str, policy: str, entry: Json | None, uses: Sequence[ImageUse], machine: ThisMachine) -> Choice:
    """What happens to an image. entry: its stand-in in the user's table, or None. uses: by all containers that use the image."""
    choice = _choose(image, policy, entry, uses, machine)
    if entry is None and policy != "here" and not isinstance(choice, Pull) and not _ORDINARY_NAME.match(image):
        from hera_utils.images.reference import InvalidImageName, Reference

        try:  # No cluster runs what is no name, so nothing stands in for it. A pull says so itself.
            Reference.parse(image)
        except InvalidImageName as error:
            return RefusedImage(str(error), error.fix or "")
    if isinstance(choice, Pull) and uses and not any(use.may_pull for use in uses):
        return choice._replace(registry=False)
    return choice


def _choose(image: str, policy: str, entry: Json | None, uses: Sequence[ImageUse], machine: ThisMachine) -> Choice:
    if entry is not None:
        return StandIn(entry, _table_words(entry, machine))
    if policy == "stand-in":
        settings = built_in_stand_in(image)
        if settings is None:
            return RefusedImage(f'no substitute for the image "{image}" on this machine', table_line(image))
        return StandIn(settings, _words(settings, machine))
    if policy == "pull":
        return Pull(image)
    if policy == "here" and uses and all(use.is_python_script for use in uses):
        return StandIn({"python": "current", "cmd": ["python3"]}, f"Python {machine.python}, as the settings say")
    choice = _choose_by_name(image, uses, machine)
    if policy == "never" and isinstance(choice, Pull):
        return Pull(image, choice.why, choice.otherwise, registry=False)
    return choice


def choose_without_registry(pull: Pull, why: str, fix: str = "") -> StandIn | RefusedImage:
    """What happens to a pull that no registry answers. why: why none does, in a few words. fix: what would make one answer."""
    if pull.otherwise is not None:
        return StandIn(pull.otherwise.settings, pull.otherwise.reason, because=why)
    more = f" ({pull.why})" if pull.why else ""
    ways = fix_without_pull(pull.reference)
    return RefusedImage(
        f'the image "{pull.reference}" is not on this machine{more}, and {why}', f"{fix}; or {ways}" if fix else ways
    )


def fix_without_pull(image: str) -> str:
    """What the user can do where an image cannot be pulled."""
    stand_in = "run with --images stand-in" if built_in_stand_in(image) is not None else f"{table_line(image)}"
    return f"bring it here as a file: hera-utils image import FILE; or {stand_in}"


_LINE = "the line  {}  (with {{}} alone"


def table_line(image: str) -> str:
    """How to name a stand-in."""
    line = _LINE.format(f'"{image}": {{python: current}}')
    return f"write {line} it is this machine's programs) into a file and run with --images FILE"


def split_table_line(fix: str) -> tuple[str, str]:
    """A fix split into (its sentence with `these lines` instead of an image table's line, that line); (fix, "") without such a line."""
    head, tail = (re.escape(part) for part in _LINE.format("\n").split("\n"))
    match = re.search(f"{head}(.*?){tail}", fix)
    return (fix, "") if match is None else (fix.replace(match[0], "these lines (with {} alone"), match[1])


def built_in_stand_in(image: str) -> Json | None:
    """The settings with which this machine's programs stand in for an image; None where they do not."""
    name = without_docker_hub(image)
    stand_in = next((settings for pattern, settings in BUILT_IN.items() if fnmatch.fnmatchcase(name, pattern)), None)
    return None if stand_in is None else dict(stand_in)


def python_stand_in(image: str, requirements: Sequence[str], machine: ThisMachine) -> Json | None:
    """The settings that stand in for an image of Python with packages, of the version that its tag names; None for another image."""
    name, _, tag = without_docker_hub(image).partition(":")
    if name != "python" or "@" in tag:
        return None
    major, minor = _version_of_tag(tag)
    python = "current" if machine.has_python_version(major, minor) else f"{major}.{minor}" if minor else major
    return {"python": python, "cmd": ["python3"], "requirements": list(requirements)}


def is_described(settings: Mapping[str, Any]) -> bool:
    """Whether a stand-in names a Python by its version or its packages, so that python_environment.py has to build it."""
    return bool(settings.get("requirements")) or bool(PYTHON_VERSION.match(str(settings.get("python") or "")))


def without_docker_hub(image: str) -> str:
    """The image's name without a prefix that means Docker Hub."""
    prefix = next((prefix for prefix in _PREFIXES if image.startswith(prefix)), "")
    return image[len(prefix) :]


def _choose_by_name(image: str, uses: Sequence[ImageUse], machine: ThisMachine) -> StandIn | Pull:
    name, _, digest = without_docker_hub(image).partition("@")
    name, _, tag = name.partition(":")
    if digest:
        return Pull(image, "it is named by its digest")
    if name == "python":
        return _choose_python(image, tag, machine)
    if name in _SMALL:
        why = next(filter(None, (_obstacle(name, use, machine) for use in uses)), "")
        settings = built_in_stand_in(image)
        return StandIn(settings or {}, _words(settings or {}, machine)) if not why else Pull(image, why)
    return Pull(image)


def _choose_python(image: str, tag: str, machine: ThisMachine) -> StandIn | Pull:
    """A tag names a minor (3.12, 3.12.4-slim), a major (3) or no version at all (latest, slim)."""
    stand_in = StandIn({"python": "current", "cmd": ["python3"]}, f"Python {machine.python}")
    major, minor = _version_of_tag(tag)
    if machine.has_python_version(major, minor):
        return stand_in
    why = f"this machine's Python is {machine.python}"
    return Pull(image, why, stand_in if machine.has_python_version(major, None) else None)


def _version_of_tag(tag: str) -> tuple[str | None, str | None]:
    """(major, minor) of the version that a tag names; None for a part that it does not name."""
    version = _PYTHON_TAG.match(tag)
    return (version[1], version[2]) if version else (None, None)


def _obstacle(name: str, use: ImageUse, machine: ThisMachine) -> str:
    """Why this machine's programs cannot replace those of a small image for a container; "" when they can."""
    argv = (*use.command, *use.args)
    if not argv:
        return ""
    # Most runs have no small image, so the parser is imported only here.
    from hera_utils.images.shell_programs import programs

    program, *more = argv
    if _basename(program) not in _SHELLS:
        return _missing_program(name, [program], machine)
    scripts = [use.source] if use.source is not None else []
    option = next((index for index, word in enumerate(more) if re.fullmatch(r"-[a-z]*c[a-z]*", word)), None)
    scripts += more[option + 1 : option + 2] if option is not None else []
    return _missing_program(name, sorted({program for script in scripts for program in programs(script)}), machine)


def _missing_program(name: str, called: Sequence[str], machine: ThisMachine) -> str:
    """Which program the image or this machine lacks, as a sentence; "" for none.

    A program in another folder than the system's comes from a volume or an artifact and is not checked.
    """
    for program in called:
        base = _basename(program)
        if not base or "{{" in program or "/" in base:
            continue
        if base not in (_PROGRAMS_OF_ALPINE if name == "alpine" else _APPLETS):
            return f"{name} has no program {cell(base)} of its own"
        if not machine.has(base):
            return f"this machine has no program {cell(base)}"
    return ""


def _basename(program: str) -> str:
    """The name of a program in a folder of the system; any other path is returned unchanged."""
    folder, slash, base = program.rpartition("/")
    return base if not slash or folder in _SYSTEM_FOLDERS else program


def _words(settings: Mapping[str, Any], machine: ThisMachine) -> str:
    return f"Python {machine.python}" if settings.get("python") == "current" else "this machine's programs"


def _table_words(settings: Mapping[str, Any], machine: ThisMachine) -> str:
    python = settings.get("python")
    what = f"Python at {python}" if python not in (None, "current") else _words(settings, machine)
    return f"{what}, as the image table says"
