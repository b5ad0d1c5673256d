"""The objects that a workflow document refers to: claims, config maps, secrets, accounts, templates, permissions. Pure.

Names that exist only when it runs (`{{…}}`) and references marked `optional` are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from hera_utils.argo.quantities import QuantityError, quantity
from hera_utils.preflight.task_counts import Width, count_pods

Json = dict[str, Any]

INSTANCE_LABEL = "workflows.argoproj.io/controller-instanceid"
"""Only the controller of that instance runs the workflow (Argo: docs/scaling.md, Instance ID)."""

_WORKFLOW_PARAMETER = re.compile(r"\{\{\s*workflow\.parameters\.([\w.-]+)\s*\}\}")
_POD_PARTS = ("container", "script", "initContainers", "sidecars", "containerSet")


def amount(text: Any) -> Fraction:
    """A quantity of Kubernetes as a number; 0 without one, and for an invalid one, which the server will refuse."""
    try:
        return quantity(str(text)) if text is not None else Fraction(0)
    except QuantityError:
        return Fraction(0)


@dataclass
class DataReference:
    """A config map or secret that the workflow refers to. keys: key → the first field that needs it. where: the first referring field."""

    name: str
    where: str
    keys: dict[str, str] = field(default_factory=dict)


@dataclass
class ClaimUse:
    """A claim that pods mount. at_once: how many may mount it at the same time. writes: whether any of them may write."""

    name: str
    where: str
    writes: bool = False
    at_once: int = 1


@dataclass(frozen=True)
class PodSize:
    """What a pod of a template requests, per container: resource (`cpu`, `memory`…) → quantity."""

    template: str
    containers: tuple[tuple[str, Json, Json], ...]  # (path, requests, limits)


@dataclass
class Needs:
    """The needs of a workflow. document: the workflow, None if only an environment is examined."""

    document: Json | None = None
    config_maps: dict[str, DataReference] = field(default_factory=dict)
    secrets: dict[str, DataReference] = field(default_factory=dict)
    claims: dict[str, ClaimUse] = field(default_factory=dict)
    host_paths: dict[str, tuple[str, str]] = field(default_factory=dict)  # path → (type, volume)
    pull_secrets: dict[str, str] = field(default_factory=dict)  # name → where
    service_accounts: dict[str, str] = field(default_factory=dict)  # of pods: name → where
    templates: dict[tuple[str, str], str] = field(default_factory=dict)  # (kind, name) → where
    images: dict[str, str] = field(default_factory=dict)
    sizes: list[PodSize] = field(default_factory=list)
    actions: list[tuple[str, str, str, str]] = field(default_factory=list)  # (apiVersion, kind, action, where)
    agents: bool = (
        False  # whether it has http or plugin templates, for which Argo runs an agent's pod with the same account
    )
    collects: bool = False  # whether it has artifact garbage collection
    pods_at_once: Width = Width(1, True)
    pinned: bool = False  # whether all pods go to one node

    @property
    def instance(self) -> str:
        """The controller instance that the workflow names, "" for none."""
        metadata = (self.document or {}).get("metadata") or {}
        return str((metadata.get("labels") or {}).get(INSTANCE_LABEL) or "")

    @property
    def deadline(self) -> int | None:
        """Seconds after which the run ends (activeDeadlineSeconds), None without a limit."""
        value = ((self.document or {}).get("spec") or {}).get("activeDeadlineSeconds")
        return value if isinstance(value, int) else None


def needs_of(document: Json | None) -> Needs:
    """The needs of a workflow, or of the runs of a CronWorkflow."""
    needs = Needs(document)
    if document is None:
        return needs
    spec, root = document.get("spec") or {}, "spec"
    if document.get("kind") == "CronWorkflow":
        spec, root = spec.get("workflowSpec") or {}, "spec.workflowSpec"
    for path, key, value in _read_references(spec, root):
        reader = _READERS.get(key)
        if reader is not None:
            reader(needs, path, value)
        elif key.endswith("Secret") and isinstance(value, dict) and "key" in value:
            _read_key(needs.secrets, path, value)  # accessKeySecret, passwordSecret… of artifact stores
    _read_volumes(needs, spec, root)
    needs.pods_at_once = count_pods(spec)
    needs.pinned = "kubernetes.io/hostname" in (spec.get("nodeSelector") or {})
    needs.collects = bool(spec.get("artifactGC"))
    return needs


def _read_references(value: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """(path, key, value) of every field, without recursion: documents may be deep and long."""
    waiting = [(path, value)]
    while waiting:
        where, inner_value = waiting.pop()
        if isinstance(inner_value, dict):
            for key, inner in inner_value.items():
                at = f"{where}.{key}"
                yield at, key, inner
                if isinstance(inner, dict | list) and key not in ("manifest", "withItems"):
                    waiting.append((at, inner))
        elif isinstance(inner_value, list):
            for index, inner in enumerate(inner_value):
                if isinstance(inner, dict | list):
                    waiting.append((f"{where}[{_label(inner, index)}]", inner))


def _label(item: Any, index: int) -> str:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) and name else str(index)


def fill_parameters_of(spec: Json) -> Callable[[str], str]:
    """A function that replaces the tags of the workflow's parameters in a text by their values, where they have one."""
    given = (spec.get("arguments") or {}).get("parameters") or ()
    values = {str(one.get("name")): str(one["value"]) for one in given if one.get("value") is not None}
    return lambda text: _WORKFLOW_PARAMETER.sub(lambda tag: values.get(tag[1], tag[0]), text)


def _is_fixed(name: Any) -> bool:
    return isinstance(name, str) and bool(name) and "{{" not in name


def _read_key(things: dict[str, DataReference], path: str, value: Any) -> None:
    if not isinstance(value, dict) or value.get("optional") or not _is_fixed(value.get("name")):
        return
    thing = things.setdefault(value["name"], DataReference(value["name"], path))
    if _is_fixed(value.get("key")):
        thing.keys.setdefault(value["key"], path)


def _read_whole_object(things: dict[str, DataReference], path: str, value: Any, name: str = "name") -> None:
    if not isinstance(value, dict) or value.get("optional") or not _is_fixed(value.get(name)):
        return
    thing = things.setdefault(value[name], DataReference(value[name], path))
    for item in value.get("items") or []:
        if isinstance(item, dict) and _is_fixed(item.get("key")):
            thing.keys.setdefault(item["key"], path)


def _read_repository(needs: Needs, path: str, value: Any) -> None:
    if isinstance(value, dict) and _is_fixed(value.get("configMap")):
        thing = needs.config_maps.setdefault(value["configMap"], DataReference(value["configMap"], path))
        if _is_fixed(value.get("key")):
            thing.keys.setdefault(value["key"], path)


def _read_template_reference(needs: Needs, path: str, value: Any) -> None:
    if isinstance(value, dict) and _is_fixed(value.get("name")):
        kind = "ClusterWorkflowTemplate" if value.get("clusterScope") else "WorkflowTemplate"
        needs.templates.setdefault((kind, value["name"]), path)


def _read_account(needs: Needs, path: str, value: Any) -> None:
    if _is_fixed(value):
        needs.service_accounts.setdefault(value, path)


def _read_pull_secrets(needs: Needs, path: str, value: Any) -> None:
    for reference in value if isinstance(value, list) else []:
        if isinstance(reference, dict) and _is_fixed(reference.get("name")):
            needs.pull_secrets.setdefault(reference["name"], path)


def _read_image(needs: Needs, path: str, value: Any) -> None:
    if _is_fixed(value):
        needs.images.setdefault(value, path)


def _read_resource(needs: Needs, path: str, value: Any) -> None:
    """A template that acts on a Kubernetes object (docs/resource-template.md): its account needs the permission."""
    import yaml

    from hera_utils.argo import yaml_limits

    if not isinstance(value, dict) or "action" not in value:
        return
    try:
        manifest = yaml_limits.parse_as_pyyaml(str(value.get("manifest") or "{}").replace("{{", "").replace("}}", ""))
    except yaml.YAMLError:
        return
    if isinstance(manifest, dict) and _is_fixed(manifest.get("kind")):
        needs.actions.append((str(manifest.get("apiVersion") or "v1"), manifest["kind"], str(value["action"]), path))


def _read_agent(needs: Needs, path: str, value: Any) -> None:
    needs.agents = needs.agents or (isinstance(value, dict) and "[" in path.rpartition(".")[0])


def _read_templates(needs: Needs, path: str, value: Any) -> None:
    for index, template in enumerate(value if isinstance(value, list) else []):
        if isinstance(template, dict) and any(part in template for part in _POD_PARTS):
            where = f"{path}[{_label(template, index)}]"
            needs.sizes.append(PodSize(str(template.get("name") or index), tuple(_containers(template, where))))


def _containers(template: Json, where: str) -> Iterator[tuple[str, Json, Json]]:
    for part in ("container", "script"):
        if isinstance(template.get(part), dict):
            yield _resources_of(template[part], f"{where}.{part}")
    inside = (template.get("containerSet") or {}).get("containers") or []
    for group, listed in (("sidecars", template.get("sidecars") or []), ("containerSet.containers", inside)):
        for index, container in enumerate(listed):
            yield _resources_of(container, f"{where}.{group}[{_label(container, index)}]")


def _resources_of(container: Json, path: str) -> tuple[str, Json, Json]:
    resources = container.get("resources") or {}
    return path, resources.get("requests") or {}, resources.get("limits") or {}


_READERS = {
    "configMapKeyRef": lambda needs, path, value: _read_key(needs.config_maps, path, value),
    "secretKeyRef": lambda needs, path, value: _read_key(needs.secrets, path, value),
    "configMapRef": lambda needs, path, value: _read_whole_object(needs.config_maps, path, value),
    "secretRef": lambda needs, path, value: _read_whole_object(needs.secrets, path, value),
    "artifactRepositoryRef": _read_repository,
    "templateRef": _read_template_reference,
    "workflowTemplateRef": _read_template_reference,
    "serviceAccountName": _read_account,
    "imagePullSecrets": _read_pull_secrets,
    "image": _read_image,
    "resource": _read_resource,
    "http": _read_agent,
    "plugin": _read_agent,
    "templates": _read_templates,
}


def _read_volumes(needs: Needs, spec: Json, root: str) -> None:
    """Volumes count where they are mounted: a claim's `at_once` is how many such pods may run at the same time."""
    of_templates = [
        (volume, f"{root}.templates[{_label(template, index)}].volumes[{_label(volume, at)}]")
        for index, template in enumerate(spec.get("templates") or [])
        for at, volume in enumerate(template.get("volumes") or [])
    ]
    own = [(volume, f"{root}.volumes[{_label(volume, at)}]") for at, volume in enumerate(spec.get("volumes") or [])]
    for volume, where in [*own, *of_templates]:
        _read_volume(needs, spec, volume, where)


def _read_volume(needs: Needs, spec: Json, volume: Json, where: str) -> None:
    sources = [volume, *((volume.get("projected") or {}).get("sources") or [])]
    for source in sources:
        _read_whole_object(needs.config_maps, f"{where}.configMap", source.get("configMap"))
        secret = source.get("secret")
        _read_whole_object(
            needs.secrets, f"{where}.secret", secret, "secretName" if "secretName" in (secret or {}) else "name"
        )
    host, name = volume.get("hostPath") or {}, str(volume.get("name"))
    if _is_fixed(host.get("path")) and any(_mounts(template, name) for template in spec.get("templates") or []):
        needs.host_paths.setdefault(host["path"], (str(host.get("type") or ""), name))
    claim = volume.get("persistentVolumeClaim") or {}
    claim_name = fill_parameters_of(spec)(str(claim.get("claimName") or ""))
    if not _is_fixed(claim_name):
        return
    width = count_pods(spec, lambda template: _mounts(template, name))
    use = needs.claims.setdefault(claim_name, ClaimUse(claim_name, f"{where}.persistentVolumeClaim"))
    use.at_once = max(use.at_once, width.count)
    use.writes = use.writes or (not claim.get("readOnly") and _writes(spec, name))


def _mounts(template: Json, volume: str) -> bool:
    return any(mount.get("name") == volume for mount in _mounts_of_template(template))


def _writes(spec: Json, volume: str) -> bool:
    mounts = [mount for template in spec.get("templates") or [] for mount in _mounts_of_template(template)]
    return any(mount.get("name") == volume and not mount.get("readOnly") for mount in mounts)


def _mounts_of_template(template: Json) -> Iterator[Json]:
    inside = template.get("containerSet") or {}
    parts = [template.get("container"), template.get("script"), inside, *(template.get("sidecars") or [])]
    parts += [*(template.get("initContainers") or []), *(inside.get("containers") or [])]
    for part in parts:
        yield from (part or {}).get("volumeMounts") or []
