"""hera_utils: numerical experiments as Hera scripts that run anywhere.

Only the public names are here. Type checkers read __init__.pyi, as imports here, even for typing alone, would make every room that
asks for the version depend on all others.
"""

from __future__ import annotations

import sys
import types

if any(word.startswith(("--argo", "--proxy", "--notify")) for word in getattr(sys, "argv", ())):
    from hera_utils.settings.hide_argv import hide_typed_secrets

    hide_typed_secrets(sys.argv)  # before any other import, as other users can read the arguments until then

__title__ = "hera_utils"

# Each name is imported when it is first used (PEP 562): `import hera_utils` costs a few milliseconds.
_HOMES = {
    "parse_arguments": "settings.parser",
    "argument_parser": "settings.parser",
    "CLIContext": "settings.resolve",
    "k8s_cluster": "seed.k8s_cluster",
    "parser": "seed.parser",
    "Cluster": "platforms.cluster",
    "argo_server": "seed.argo_server",
    "ArgoServer": "platforms.argo_server",
    "Author": "experiment.author",
    "Experiment": "experiment.experiment",
    "Inputs": "experiment.inputs",
    "Point": "experiment.points",
    "Quantity": "experiment.values",
    "grid": "experiment.sweeps",
    "listed": "experiment.sweeps",
    "zipped": "experiment.sweeps",
    "random_sample": "experiment.sampling",
    "latin_hypercube": "experiment.sampling",
    "sobol": "experiment.sampling",
    "saltelli": "experiment.sampling",
    "logarithmic": "experiment.sampling",
    "search": "experiment.search",
    "Trial": "experiment.search_design",
    "report_step": "runs.step_reports",
    "Layout": "experiment.layout",
    "names": "experiment.declarations",
    "reads": "experiment.declarations",
    "writes": "experiment.declarations",
    "checkpoints": "experiment.declarations",
    "checkpoint": "runs.checkpoint_folder",
    "Environment": "experiment.environment",
    "PersistedVolume": "experiment.environment",
    "ConfigMap": "experiment.environment",
    "Secret": "experiment.environment",
    "PullSecret": "experiment.environment",
    "ServiceAccount": "experiment.environment",
    "ExecutionEngine": "execution.execution_engine",
    "main": "execution.execution_engine",
    "ExecutionPlatform": "platforms.execution_platform",
    "EnvironmentOfSubmission": "platforms.environment_of_submission",
    "print_version": "seed.versions",
    "check_version": "seed.versions",
    "assert_version": "seed.versions",
    "clear_workflow_template": "seed.versions",
    "hera_print_version": "seed.versions",
    "hera_check_version": "seed.versions",
    "hera_assert_version": "seed.versions",
    "hera_clear_workflow_template": "seed.versions",
    "HeraUtilsError": "errors",
    "SettingsError": "errors",
    "AccessError": "errors",
    "ResourceError": "errors",
    "LayoutError": "errors",
    "UnsupportedError": "errors",
    "InvalidWorkflow": "errors",
    "Refused": "errors",
    "PlatformError": "errors",
    "RunFailed": "errors",
}

__all__ = [
    "AccessError",
    "ArgoServer",
    "Author",
    "CLIContext",
    "Cluster",
    "ConfigMap",
    "Environment",
    "EnvironmentOfSubmission",
    "ExecutionEngine",
    "ExecutionPlatform",
    "Experiment",
    "HeraUtilsError",
    "Inputs",
    "InvalidWorkflow",
    "Layout",
    "LayoutError",
    "PersistedVolume",
    "PlatformError",
    "PullSecret",
    "Point",
    "Quantity",
    "Refused",
    "ResourceError",
    "RunFailed",
    "Secret",
    "ServiceAccount",
    "SettingsError",
    "Trial",
    "UnsupportedError",
    "__version__",
    "argo_server",
    "argument_parser",
    "assert_version",
    "check_version",
    "checkpoint",
    "checkpoints",
    "clear_workflow_template",
    "grid",
    "hera_assert_version",
    "hera_check_version",
    "hera_clear_workflow_template",
    "hera_print_version",
    "k8s_cluster",
    "latin_hypercube",
    "listed",
    "logarithmic",
    "main",
    "names",
    "parse_arguments",
    "parser",
    "print_version",
    "random_sample",
    "reads",
    "report_step",
    "saltelli",
    "search",
    "sobol",
    "writes",
    "zipped",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from hera_utils.installed import version_of

        return version_of("hera_utils")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'hera_utils' has no attribute {name!r}")
    from importlib import import_module

    if home.startswith(("execution.", "experiment.", "settings.")):
        # A script begins with one of these imports; its errors are shown as a sentence even if it never calls hera_utils.
        import_module("hera_utils.excepthook").install_excepthook()
    value = getattr(import_module(f"hera_utils.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(types.ModuleType):
    """Keeps names such as `hera_utils.parser` and `hera_utils.argo_server` bound to the objects in the modules of these names.

    Python would rebind the name to the module when a script imports it.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("argo_server", "parser") and isinstance(value, types.ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
