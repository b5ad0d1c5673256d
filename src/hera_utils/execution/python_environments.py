"""What counts of the Python that runs a script task on this machine: the packages that the task's code imports, not those that are beside.

Imports are read from the source, and from the user's own modules that it imports. With an imported package count the packages that this
one requires. A package that is installed in place (`pip install -e`) counts by the modules that are imported from it, because its version
stays while its code changes. Where the code computes the names of modules, or runs any code (`exec`), every package counts. Hera and
hera_utils, which carry the run out, do not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hera_utils.provenance.modules import Imports, Sources, text_of
from hera_utils.provenance.python import InstalledModules, installed_modules, is_ours

Json = dict[str, Any]
Ask = Callable[[str, frozenset[str] | None], InstalledModules | None]

_CARRIERS = ("hera", "hera_utils", "hera-utils")
_MOST_ROUNDS = 10  # packages that are installed in place and import one another


class PythonEnvironments:
    """interpreter: an image → the path of the Python that stands in for it. ask: what an interpreter has."""

    def __init__(self, sources: Sources, interpreter: Callable[[str], str], ask: Ask = installed_modules) -> None:
        self._sources, self._interpreter, self._ask = sources, interpreter, ask
        self._answers: dict[tuple[str, frozenset[str] | None], InstalledModules | None] = {}

    def __call__(self, template: Json) -> Json:
        """What counts for a Python script's template, {} where its Python does not start.

        of: "another" where that is not the Python that submits, else "". packages: name → version, "" of what is absent; `python` is the
        version of the Python without its last number. modules: those that are installed in place → their source.
        computed: which module computes names, "" for none.
        """
        interpreter = self._interpreter(str((template.get("script") or {}).get("image") or ""))
        imports = self._sources.imports(template)
        names, modules, computes = _foreign(imports), dict[str, str](), imports.unknown
        installed = self._installed(interpreter, names)
        for _ in range(_MOST_ROUNDS):
            if installed is None or not installed.files:
                break
            inside = self._sources.installed_from(installed.files, names)
            modules |= {module: text_of(path) for module, path in inside.modules.items()}
            computes = computes or inside.unknown
            more = names | _foreign(inside)
            if more == names:
                break
            names, installed = more, self._installed(interpreter, more)
        if installed is not None and computes:
            installed = self._installed(interpreter, None)
        if installed is None:
            return {}
        packages = {name: "" for name in installed.absent} | dict(installed.packages)
        packages["python"] = ".".join(installed.version.split(".")[:2])
        return {
            "of": "" if is_ours(interpreter) else "another",
            "packages": {name: version for name, version in packages.items() if name not in _CARRIERS},
            "modules": modules,
            "computed": computes,
        }

    def _installed(self, interpreter: str, names: frozenset[str] | None) -> InstalledModules | None:
        key = (interpreter, names)
        if key not in self._answers:
            self._answers[key] = self._ask(interpreter, names)
        return self._answers[key]


def _foreign(imports: Imports) -> frozenset[str]:
    return frozenset(name for name in imports.others if name.partition(".")[0] not in _CARRIERS)
