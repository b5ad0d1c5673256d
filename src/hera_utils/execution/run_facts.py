"""What a record says about its run besides the points: the script, the experiment, the platform. And where script and records are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hera_utils.experiment.author import authors_of
from hera_utils.experiment.experiment import Experiment
from hera_utils.installed import version_of
from hera_utils.platforms.connection import Connection
from hera_utils.provenance.git import commit_of
from hera_utils.results.secrecy import refuse_secret_inputs
from hera_utils.runs.whole_run import ANY_FUNCTION
from hera_utils.settings.command_line import remove_secrets
from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]


def run_facts(experiment: Experiment, key: str, context: CLIContext, namespace: str) -> Json:
    """What a record says about its run, besides the points."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    commit = commit_of(script_folder())
    inputs = experiment.inputs.as_json()
    refuse_secret_inputs(inputs, context.secrets())
    return {
        "experiment": experiment.name or name_of_experiment(key, in_script=bool(main)),
        "key": key,
        "script": str(Path(main).absolute()) if main else "",
        "module": _name_as_module(),
        "arguments": remove_secrets(sys.argv[1:]),
        **platform_facts(context, namespace),
        "authors": [author.text for author in authors_of(experiment.authors or context.authors or "")],
        "license": experiment.license or context.license or "",
        "inputs": inputs,
        "inputs_digest": experiment.inputs.digest,
        "git": None
        if commit is None
        else {"commit": commit.commit, "changed": commit.changed, "branch": commit.branch},
        "versions": {
            "python": sys.version.split()[0],
            "hera_utils": version_of("hera_utils"),
            "hera": version_of("hera"),
        },
    }


def identity(facts: Json) -> tuple[str, ...]:
    """The facts that two runs must share so that one may use the points of the other."""
    return tuple(str(facts.get(name) or "") for name in ("key", "platform", "state", "namespace"))


def name_of_experiment(key: str, *, in_script: bool) -> str:
    """The name of an experiment without one: its function's name, or its script's if the function has a name like `define`."""
    file, _, function = key.rpartition(":")
    return Path(file).stem if in_script and file and function in ANY_FUNCTION else function


def _name_as_module() -> str:
    """The whole name of the script that runs, if `python -m` or `hera-utils run -m` started it as a module of a package; else ""."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return "" if spec is None or not spec.parent else str(spec.name)


def platform_facts(context: CLIContext, namespace: str) -> Json:
    """The facts about the platform on which these settings run experiments."""
    state = str(context.state) if context.platform == "local" else ""
    return {"platform": platform_of(context), "namespace": namespace, "state": state}


def platform_of(context: CLIContext) -> str:
    """Identifies a platform: by the address of its Argo server, or by that of its cluster if the kubeconfig leads to the server (through
    a tunnel, which has another port each time).
    """
    if context.platform == "local" or context.argo_server is not None:
        return "local" if context.platform == "local" else str(context.argo_server)
    bare = Connection("", kubeconfig=context.k8s_config_file, context=context.k8s_context)
    from hera_utils.platforms.cluster_access import access_to

    return access_to(bare).address.server


def runs_folder(context: CLIContext) -> Path:
    """The folder of the records: the setting, else runs/ beside the script."""
    folder = context.runs if "runs" in context else None
    return Path(folder) if folder else script_folder() / "runs"


def script_folder() -> Path:
    """The folder of the script that runs, which has the files of its experiment; the current folder if there is no script."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if not main or Path(main).absolute().is_relative_to(sys.prefix):
        return Path.cwd()
    return Path(main).absolute().parent
