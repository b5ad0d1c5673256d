"""What newer versions of Hera have removed, and what to write instead, for scripts that were written for an older version.

Sources: Hera's change log, its page on upgrading, and a comparison of the public names and arguments of each release with the one before.
Hera 5 moved everything from `hera` to `hera.workflows`; Hera 6 turned its classes into dataclasses, which refuse arguments that they do
not have (Hera 5 ignored them), and removed its experimental decorators; Hera 7 has the models of Argo 4.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class HeraChange:
    """what: what the script uses. since: the first Hera without it. instead: what to write, as the fix."""

    what: str
    since: str
    instead: str

    def sentence(self) -> str:
        return f"{self.what} was removed in Hera {self.since}"


# NAME of `from hera import NAME` in Hera 3 and 4 → what to write now, if it was not just moved
_RENAMED = {
    "Archive": "from hera.workflows import TarArchiveStrategy, ZipArchiveStrategy, NoneArchiveStrategy",
    "Client": "from hera.workflows import WorkflowsService",
    "Config": "from hera.workflows import WorkflowsService",
    "ConcurrencyPolicy": 'the text itself: CronWorkflow(concurrency_policy="Forbid")',
    "GlobalConfig": "from hera.shared import global_config",
    "GPUToleration": 'hera.workflows.models.Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")',
    "HttpArtifact": "from hera.workflows import HTTPArtifact",
    "ResourceTemplate": "from hera.workflows import Resource",
    "RunnerInput": "from hera.workflows import Input",
    "RunnerOutput": "from hera.workflows import Output",
    "Sidecar": "from hera.workflows import UserContainer",
    "TaskSecurityContext": "from hera.workflows.models import SecurityContext",
    "TemplateSet": "a WorkflowTemplate, and Workflow(workflow_template_ref=…) or Task(template_ref=…)",
    "VolumeClaimGCStrategy": "hera.workflows.models.VolumeClaimGC(strategy=…)",
    "WorkflowSecurityContext": "from hera.workflows.models import PodSecurityContext",
    "WorkflowService": "from hera.workflows import WorkflowsService",
    "dag_context": "with DAG(name=…): around its tasks",
}
_GONE_SINCE = {"RunnerInput": "5.17", "RunnerOutput": "5.17", "TemplateSet": "6"}
_VOLUME_VOLUME = ("AWSElasticBlockStore", "AzureDisk", "AzureFile", "CephFS")
_RENAMED |= {f"{name}VolumeVolume": f"from hera.workflows import {name}Volume" for name in _VOLUME_VOLUME}
_GONE_SINCE |= {f"{name}VolumeVolume": "5.24" for name in _VOLUME_VOLUME}
_GLOBAL = re.compile(r"(?P<verb>[gs]et)_global_(?P<what>\w+)")
_GLOBAL_NAMES = {"task_image": "image"}

# (class, argument) → (the first Hera that does not accept it, what to write)
_ARGUMENTS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("ConfigMapEnvFrom", "config_map_name"): ("5", "ConfigMapEnvFrom(name=…)"),
    ("SecretEnvFrom", "secret_name"): ("5", "SecretEnvFrom(name=…)"),
    ("EmptyDirVolume", "size"): ("5", "EmptyDirVolume(size_limit=…)"),
    ("Task", "source"): ("5", "@script() over the function, and call it"),
    ("Task", "image"): ("5", "@script(image=…) over the function, or a Container(image=…) as the task's template"),
    ("Task", "inputs"): ("5", "inputs at the template, and Task(arguments=…)"),
    ("Task", "outputs"): ("5", "outputs at the template"),
    ("Task", "command"): ("5", "a Container(command=…) as the task's template"),
    ("Task", "env"): ("5", "@script(env=…) or Container(env=…)"),
    ("Task", "resources"): ("5", "@script(resources=…) or Container(resources=…)"),
    ("Task", "volumes"): ("5", "@script(volumes=…) or Container(volumes=…)"),
    ("Task", "retry_strategy"): ("5", "@script(retry_strategy=…) or Container(retry_strategy=…)"),
    ("Workflow", "pod_priority"): ("6", "Workflow(pod_priority_class_name=…)"),
    ("Workflow", "cluster_name"): ("5.19", "nothing: Kubernetes ignored it"),
}
# (class, attribute) → (the first Hera without it, what to write)
_ATTRIBUTES: Mapping[tuple[str, str], tuple[str, str]] = {
    ("Parameter", "as_name"): ("5", "parameter.with_name(…)"),
    ("Artifact", "as_name"): ("6", "artifact.with_name(…)"),
    ("Task", "on_exit"): ("5", "Task(on_exit=…)"),
    ("DAG", "add_task"): ("5", "the task within: with DAG(name=…):"),
    ("DAG", "add_tasks"): ("5", "the tasks within: with DAG(name=…):"),
    ("Workflow", "add_task"): ("5", "the task within: with DAG(name=…):"),
    ("Workflow", "add_tasks"): ("5", "the tasks within: with DAG(name=…):"),
    ("Workflow", "set_entrypoint"): ("6", "Workflow(entrypoint=…)"),
    ("Workflow", "add_template_set"): ("6", _RENAMED["TemplateSet"]),
}
_DECORATORS = (
    "container", "container_template", "dag", "data_template", "http_template", "resource_template", "script", "steps",
    "suspend_template",
)  # fmt: skip
_NO_ARGUMENT = re.compile(r"(?P<kind>\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(?P<name>\w+)'")
_BY_POSITION = re.compile(r"(?P<kind>\w+)\.__init__\(\) takes 1 positional argument but \d")
_NO_NAME = re.compile(r"cannot import name '(?P<name>\w+)' from '(?P<home>hera(?:\.\w+)*)'")
_NO_NAME_IN = re.compile(r"module '(?P<home>hera(?:\.\w+)*)' has no attribute '(?P<name>\w+)'")
_NO_ATTRIBUTE = re.compile(r"'(?P<kind>\w+)' object has no attribute '(?P<name>\w+)'")


def find_change(error: BaseException) -> HeraChange | None:
    """The change of Hera that explains an error of a script; None for every other error."""
    text = str(error)
    if isinstance(error, ModuleNotFoundError):
        return _change_of_module(error.name or "")
    if isinstance(error, ImportError):
        match = _NO_NAME.match(text)
        return _change_of_name(match["home"], match["name"]) if match else None
    if isinstance(error, TypeError):
        return _change_of_call(text)
    if isinstance(error, AttributeError):
        match = _NO_NAME_IN.match(text)
        return _change_of_name(match["home"], match["name"]) if match else _change_of_attribute(text)
    return _change_of_model(error)


def _change_of_module(name: str) -> HeraChange | None:
    home, _, rest = name.partition(".")
    if home != "hera" or not rest or rest.startswith(("workflows", "shared", "expr", "auth")):
        return None
    return HeraChange(f"the module `{name}`", "5", "import its names from hera.workflows (or hera.workflows.models)")


def _change_of_name(home: str, name: str) -> HeraChange | None:
    """The change of a name that is not in the module from which the script imports it."""
    what, since = f"`{name}` in `{home}`", _GONE_SINCE.get(name, "5")
    if name in _RENAMED:
        return HeraChange(what, since, f"write {_RENAMED[name]}")
    if match := _GLOBAL.fullmatch(name):
        held = f"global_config.{_GLOBAL_NAMES.get(match['what'], match['what'])}"
        return HeraChange(
            what, since, f"from hera.shared import global_config, then {held}{' = …' * (match['verb'] == 'set')}"
        )
    if home.startswith("hera.workflows"):
        return None
    for where in ("hera.workflows", "hera.workflows.models"):
        if hasattr(import_module(where), name):
            return HeraChange(what, since, f"write from {where} import {name}")
    return None


def _change_of_call(text: str) -> HeraChange | None:
    if match := _BY_POSITION.match(text):
        kind = match["kind"]
        if _class(kind) is None:
            return None
        more = ", template=…" if kind in ("Task", "Step") else ""
        instead = f"write {kind}(name=…{more}); a function becomes a task by @script() over it"
        return HeraChange(f"an argument without its name in `{kind}(…)`", "5", instead)
    match = _NO_ARGUMENT.match(text)
    if match is None:
        return None
    kind, name = match["kind"], match["name"]
    for owner in _ancestry(kind):
        if (owner, name) in _ARGUMENTS:
            since, instead = _ARGUMENTS[owner, name]
            return HeraChange(f"`{kind}({name}=…)`", since, f"write {instead}")
    return _is_misspelt(kind, name)


def _is_misspelt(kind: str, name: str) -> HeraChange | None:
    """An argument that Hera never had; Hera 5 and older ignored it silently."""
    cls = _class(kind)
    if cls is None:
        return None
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    known = inspect.signature(cls).parameters
    instead = (
        f"write {kind}({snake}=…)" if snake in known else f"remove it: `{kind}` never had it, and Hera 5 ignored it"
    )
    return HeraChange(f"`{kind}({name}=…)`, an argument that Hera ignored,", "6", instead)


def _change_of_attribute(text: str) -> HeraChange | None:
    match = _NO_ATTRIBUTE.match(text)
    if match is None or _class(match["kind"]) is None:
        return None
    kind, name = match["kind"], match["name"]
    for owner in _ancestry(kind):
        if (owner, name) in _ATTRIBUTES:
            since, instead = _ATTRIBUTES[owner, name]
            return HeraChange(f"`{kind}.{name}`", since, f"write {instead}")
        if owner == "Workflow" and name in _DECORATORS:
            instead = "write @script() of hera.workflows, and the rest as classes: with Workflow(…): with DAG(…):"
            return HeraChange(f"the decorator `{kind}.{name}`", "6", instead)
    return None


def _change_of_model(error: BaseException) -> HeraChange | None:
    """The change behind pydantic's error about one of Argo's models."""
    errors = getattr(error, "errors", None)
    if type(error).__name__ != "ValidationError" or not callable(errors):
        return None
    model, first = str(getattr(error, "title", "")), errors()[0]
    value: Any = first.get("input")
    if isinstance(value, dict) and list(value) == ["__root__"]:
        return HeraChange(f"`models.{model}(__root__=…)`", "6", f"write {model}(root=…)")
    if (
        (model, first["loc"]) == ("CronWorkflowSpec", ("schedules",))
        and isinstance(value, dict)
        and "schedule" in value
    ):
        return HeraChange("`models.CronWorkflowSpec(schedule=…)`", "7", "write schedules=[…]")
    if model == "Arguments" and first["type"] == "model_type" and type(value).__module__.startswith("hera.workflows."):
        kind = type(value).__name__
        instead = f"give the list itself: arguments=[{kind}(…)], or hera.workflows.models.{kind}"
        return HeraChange(f"a `hera.workflows.{kind}` in `models.Arguments`", "5", instead)
    return None


def _class(name: str) -> type | None:
    cls = getattr(sys.modules.get("hera.workflows"), name, None)
    return cls if isinstance(cls, type) else None


def _ancestry(name: str) -> list[str]:
    """The names of a class of Hera and of its base classes."""
    cls = _class(name)
    return [name] if cls is None else [base.__name__ for base in cls.__mro__]
