"""The tasks of a DAG: their dependencies, and an order in which they can run (Argo: common/ancestry.go, util/sorting)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hera_utils.errors import InvalidWorkflow

Json = dict[str, Any]

_TASK_RESULT = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)")
_TASK_NAME = re.compile(r"([a-zA-Z0-9][-a-zA-Z0-9]*?\.[A-Z][a-zA-Z]+)|([a-zA-Z0-9][-a-zA-Z0-9]*)")
_TASK_RESULTS = frozenset(
    ("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed")
)


class Graph:
    """The tasks of a DAG with their dependencies: task → {dependency: whether it concerns the items of a loop}."""

    def __init__(self, tasks: Sequence[Json]) -> None:
        self.order = tasks
        self.tasks = {task.get("name", ""): task for task in tasks}
        self.uses_depends = any(task.get("depends") for task in tasks)
        self.dependencies = {task.get("name", ""): _dependencies(task) for task in tasks}

    def sorted(self) -> list[Json]:
        """The tasks, each after its dependencies. Raises InvalidWorkflow for a cycle."""
        if len(self.tasks) < len(self.order):
            names = [task.get("name", "") for task in self.order]
            raise InvalidWorkflow(f"duplicated nodeName {next(n for i, n in enumerate(names) if n in names[:i])}")
        following: dict[str, list[str]] = {}
        waits = {name: len(dependencies) for name, dependencies in self.dependencies.items()}
        for name, dependencies in self.dependencies.items():
            for dependency in dependencies:
                if dependency not in self.tasks:
                    raise InvalidWorkflow(f"invalid dependency {dependency}")
                following.setdefault(dependency, []).append(name)
        ready = [name for name, count in waits.items() if count == 0]
        for name in ready:
            for other in following.get(name, ()):
                waits[other] -= 1
                if waits[other] == 0:
                    ready.append(other)
        if len(ready) < len(self.tasks):
            raise InvalidWorkflow("graph with cycle")
        return [self.tasks[name] for name in ready]

    def leads_to(self, name: str, task: str) -> bool:
        """Whether `task` depends on `name`, directly or through others."""
        todo, visited = [task], {task}
        while todo:
            waited = self.dependencies.get(todo.pop(), {})
            if name in waited:
                return True
            todo.extend(task for task in waited if task not in visited)
            visited.update(waited)
        return False


def _dependencies(task: Json) -> dict[str, bool]:
    depends = task.get("depends") or ""
    if not depends:
        return {name: False for name in task.get("dependencies") or ()}
    dependencies: dict[str, bool] = {}
    for match in _TASK_NAME.finditer(depends):
        result, bare = match.groups()
        if bare:
            dependencies[bare] = False
        else:
            name, _, word = result.partition(".")
            dependencies[name] = dependencies.get(name, False) or word in ("AnySucceeded", "AllFailed")
    return dependencies


def check_results(task: Json) -> None:
    """Every task result in `depends` is one that exists."""
    for match in _TASK_RESULT.findall(task.get("depends") or ""):
        waited, result = match.split(".")
        if result not in _TASK_RESULTS:
            raise InvalidWorkflow(f"task result '{result}' for task '{waited}' is invalid")


def check_argument_sources(task: Json, graph: Graph) -> None:
    """Every argument from another task's output comes from a task that this one waits for."""
    arguments = task.get("arguments") or {}
    sources = [
        ("parameter", parameter["name"], parameter.get("value")) for parameter in arguments.get("parameters") or ()
    ]
    sources += [("artifact", artifact["name"], artifact.get("from")) for artifact in arguments.get("artifacts") or ()]
    for kind, name, text in sources:
        if isinstance(text, str) and text.startswith("{{tasks."):
            other = text.split(".")[1]
            if not graph.leads_to(other, task["name"]):
                raise InvalidWorkflow(f"missing dependency '{other}' for {kind} '{name}'")
