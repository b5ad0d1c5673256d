"""Which packages of the Python that runs a script task on this machine count in a fingerprint: only those that the task's code imports.

Imports are read from the source, and from the user's own modules that it imports. With an imported package the packages that it requires
count too. A package that is installed in place (`pip install -e`) counts by the modules that are imported from it, because its version
stays while its code changes. If the code computes the names of modules, or runs any code (`exec`), every package counts. Hera and
hera_utils, which carry out the run, do not count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hera_utils.provenance.modules import Imports, Sources, text_of
from hera_utils.provenance.python import InstalledModules, installed_modules, is_ours

Json = dict[str, Any]

_CARRIERS = ("hera", "hera_utils", "hera-utils")
_MOST_ROUNDS = 10  # ends the search if packages that are installed in place keep importing others


class PythonEnvironments:
    """interpreter: image → the path of the Python that stands in for it."""

    def __init__(self, sources: Sources, interpreter: Callable[[str], str]) -> None:
        self._sources, self._interpreter = sources, interpreter
        self._answers: dict[tuple[str, frozenset[str] | None], InstalledModules | None] = {}

    def __call__(self, template: Json) -> Json:
        """The facts that count for the template of a Python script, {} if its Python does not start.

        of: "" for the Python that submits the run, else "another". packages: name → version, "" if absent; `python` is the version of the
        Python without its last number. modules: name → source of the modules that are installed in place.
        computed: the module that computes names of modules, "" for none.
        """
        interpreter = self._interpreter(str((template.get("script") or {}).get("image") or ""))
        imports = self._sources.imports(template)
        names, modules, computes = _foreign(imports), dict[str, str](), imports.unknown
        installed = self._ask_for_packages(interpreter, names)
        for _ in range(_MOST_ROUNDS):
            if installed is None or not installed.files:
                break
            inside = self._sources.imports_of_installed_files(installed.files, names)
            modules |= {module: text_of(path) for module, path in inside.modules.items()}
            computes = computes or inside.unknown
            more = names | _foreign(inside)
            if more == names:
                break
            names, installed = more, self._ask_for_packages(interpreter, more)
        if installed is not None and computes:
            installed = self._ask_for_packages(interpreter, None)
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

    def _ask_for_packages(self, interpreter: str, names: frozenset[str] | None) -> InstalledModules | None:
        key = (interpreter, names)
        if key not in self._answers:
            self._answers[key] = installed_modules(interpreter, names)
        return self._answers[key]


def _foreign(imports: Imports) -> frozenset[str]:
    return frozenset(name for name in imports.others if name.partition(".")[0] not in _CARRIERS)
