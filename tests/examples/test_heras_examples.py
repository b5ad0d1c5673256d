"""Hera's own examples as a test suite: each builds, is judged as the YAML that Hera keeps beside it, and runs if nothing it needs is far.

They are not in this repository: HERA_UTILS_HERA_EXAMPLES names the folder `examples` of Hera's. Without it there is nothing to test.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(os.environ.get("HERA_UTILS_HERA_EXAMPLES", ""))
pytestmark = pytest.mark.skipif(
    not (FOLDER / "workflows").is_dir() or not os.environ.get("HERA_UTILS_HERA_EXAMPLES"),
    reason="Hera's examples are not here: HERA_UTILS_HERA_EXAMPLES names their folder",
)

Json = dict[str, Any]
NEEDS_A_PACKAGE = {"use_cases.reusing_cli_app", "use_cases.parquet_pandas"}
PYTHON_IMAGES = (
    "my-image-with-python-source-code-and-dependencies",
    "my-image-with-deps",
    "my-built-python-image",
    "my-image:v1",
)
NOT_HERE = {
    "artifacts.artifact_loaders": "Hera's runner opens an optional artifact that was not supplied",
    "dags.conditional_on_task_status": "throws dice",
    "dags.passing_parameters_between_tasks": "the program cowsay",
    "loops.dynamic_fanout_container": "names a shell line as its program",
    "misc.container": "the program cowsay",
    "misc.container_set_with_env": "Kubernetes refuses its resource field",
    "misc.env": "Kubernetes refuses its resource field",
    "misc.env_from": "a secret",
    "misc.global_config": "the program cowsay",
    "misc.http": "asks example.com",
    "misc.init_containers_with_env": "Kubernetes refuses two containers of one name",
    "misc.resource_flags": "OpenShift",
    "misc.suspend": "waits for a user",
    "misc.template_refs": "a workflow template that is no example",
    "misc.suspend_input_duration": "invalid, as recorded",
    "misc.template_level_volume": "the program argosay",
    "misc.user_container": "an image without a command",
    "misc.volume_mount": "a secret, and a repository on the web",
    "misc.volume_mounts_nfs": "an NFS server",
    "scripts.script_runner_io": "ends with a code of its own",
    "steps.steps_with_callable_container": "the program cowsay",
    "use_cases.dask": "an image",
    "use_cases.fine_tune_llama": "storage classes",
    "use_cases.spacy_inference_pipeline": "an image",
    "use_cases.spark": "an image",
    "use_cases.wandb_ml_monitoring": "a secret, and a service",
    "use_cases.workflow_of_workflows": "another namespace",
}
SECONDS = 60.0


@pytest.fixture(scope="module")
def modules():
    """Name below `workflows` → (kind, document, file); each module is imported with Hera's global settings as they are at first."""
    from hera.shared import global_config

    sys.path.insert(0, str(FOLDER.parent))
    try:
        root = importlib.import_module("examples.workflows")
        found = {}
        for one in pkgutil.walk_packages(root.__path__, root.__name__ + "."):
            name = one.name.removeprefix(root.__name__ + ".")
            if one.ispkg or name in NEEDS_A_PACKAGE:
                continue
            global_config.reset()
            global_config.host = "http://hera.testing"
            module = importlib.import_module(one.name)
            document = json.loads(json.dumps(module.w.to_dict()))
            document["metadata"].pop("namespace", None)
            found[name] = (str(document["kind"]), document, Path(str(module.__file__)))
        return found
    finally:
        sys.path.remove(str(FOLDER.parent))
        global_config.reset()


@pytest.fixture(scope="module")
def platform(tmp_path_factory, modules):
    from hera_utils.local_platform.platform import LocalPlatform

    folder = tmp_path_factory.mktemp("hera")
    (folder / "images.yaml").write_text(json.dumps({image: {"python": "current"} for image in PYTHON_IMAGES}))
    before = os.environ.get("HERA_UTILS_IMAGES")
    os.environ["HERA_UTILS_IMAGES"] = str(folder / "images.yaml")
    platform = LocalPlatform(folder / "state")
    for kind, document, _ in modules.values():
        if kind in ("WorkflowTemplate", "ClusterWorkflowTemplate"):
            platform.create(kind, "" if kind == "ClusterWorkflowTemplate" else "default", document)
    yield platform
    platform.close()
    os.environ.pop("HERA_UTILS_IMAGES") if before is None else os.environ.update(HERA_UTILS_IMAGES=before)


def verdict(platform, document: Json) -> str:
    from hera_utils.errors import HeraUtilsError

    try:
        platform.admission.lint(document["kind"], "default", json.loads(json.dumps(document)))
    except HeraUtilsError as error:
        return error.message
    return "valid"


def test_each_is_judged_as_its_yaml(platform, modules):
    different, compared = [], 0
    for name, (_, document, file) in modules.items():
        stem = file.stem.replace("_", "-")
        for path in (file.with_name(f"{stem}.yaml"), file.with_name(f"{stem}.upstream.yaml")):
            if not path.exists():
                continue
            (kept,) = [one for one in yaml.safe_load_all(path.read_text()) if one]
            kept.setdefault("metadata", {}).pop("namespace", None)
            compared += 1
            if verdict(platform, document) != verdict(platform, kept):
                different.append((name, path.name, verdict(platform, document), verdict(platform, kept)))
    assert different == []
    assert compared > 250


@pytest.mark.timeout(1200)
def test_those_that_need_nothing_from_afar_run(platform, modules):
    names = [
        name
        for name, (kind, _, _) in modules.items()
        if kind == "Workflow" and not name.startswith("upstream.") and name not in NOT_HERE
    ]
    waiting, running, ended = list(names), {}, {}
    while waiting or running:
        while waiting and len(running) < 4:
            name = waiting.pop(0)
            _, document, file = modules[name]
            marks = {"python": sys.executable, "script": str(file), "directory": str(FOLDER.parent)}
            annotations = document["metadata"].setdefault("annotations", {})
            annotations.update({f"hera-utils/{key}": value for key, value in marks.items()})
            running[name] = (
                platform.submit("default", json.loads(json.dumps(document))).name,
                time.monotonic() + SECONDS,
            )
        time.sleep(0.1)
        for name, (run, end) in list(running.items()):
            status = json.loads(platform.get("Workflow", "default", run).text)["status"]
            if status.get("phase") in ("Succeeded", "Failed", "Error") or time.monotonic() > end:
                ended[name] = (status.get("phase"), status.get("message", ""))
                del running[name]
    assert {name: how for name, how in ended.items() if how[0] != "Succeeded"} == {}
    assert len(ended) > 40
