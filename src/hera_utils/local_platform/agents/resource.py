"""Runs a resource template: kubectl on the local platform's own objects. Source: Argo's workflow/executor/resource.go.

Argo runs `kubectl ACTION -f /tmp/manifest.yaml -o json` and shows kubectl's error messages; this file gives the same messages.
"""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hera_utils.argo import claim_folders, gojson, yaml_limits
from hera_utils.argo.annotations import OF_A_STAMP
from hera_utils.argo.names import join_messages
from hera_utils.argo.selectors import LabelSelector, label_selector
from hera_utils.argo.unknown_fields import format_path, unknown_fields
from hera_utils.errors import HeraUtilsError, InvalidWorkflow, Refused
from hera_utils.local_platform.agents import queries
from hera_utils.local_platform.agents.agents import Objects, Stop, TemplateFailed
from hera_utils.local_platform.agents.jq import jq
from hera_utils.local_platform.agents.object_paths import json_path
from hera_utils.local_platform.artifacts import remote_stores
from hera_utils.local_platform.artifacts.store import ArtifactStore
from hera_utils.local_platform.pods.runtime import Launch
from hera_utils.local_platform.storage import objects, services
from hera_utils.local_platform.storage.patches import apply_patch
from hera_utils.local_platform.storage.resources import RESOURCES, Resource

Json = dict[str, Any]
FILE = "/tmp/manifest.yaml"
_CLAIM = "PersistentVolumeClaim"
POLL_SECONDS = 0.2
_NO_NAME = "Kind and name are both required but at least one of them is missing from the manifest"
_INVALID_PATCH = "The request is invalid: the server rejected our request due to an error in our request"
_INVALID_DATA = (
    f'error: error validating "{FILE}": error validating data: {{}}; '
    "if you choose to ignore these errors, turn validation off with --validate=false"
)
_MEDIA = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}


_CAUSE = re.compile(
    r", (?=[\w.\[\]-]+: (?:Invalid|Unsupported|Required|Duplicate) value|[\w.\[\]-]+: (?:Forbidden|Too long|Too many))"
)
_CORE_FIELDS = {
    "ConfigMap": {"data", "binaryData", "immutable"},
    "Secret": {"data", "stringData", "type", "immutable"},
}
"""The fields that an object of the kind has besides apiVersion, kind and metadata."""
_KUBECTL_FLAGS = frozenset(
    re.findall(
        r"[\w-]+",
        """
all all-namespaces allow-missing-template-keys as as-group as-uid cache-dir cascade certificate-authority client-certificate
client-key cluster context disable-compression dry-run edit field-manager field-selector filename force force-conflicts grace-
period ignore-not-found insecure-skip-tls-verify kubeconfig kustomize label-columns log-flush-frequency match-server-version
namespace no-headers now openapi-patch output output-watch-events overwrite patch patch-file password profile profile-output prune
prune-allowlist raw record recursive request-timeout save-config selector server server-print server-side show-kind show-labels
show-managed-fields sort-by subresource template timeout tls-server-name token type user username v validate vmodule wait
warnings-as-errors watch watch-only windows-line-endings chunk-size
""",
    )
)


@dataclass
class _Flags:
    """The template's `flags`: kubectl's positional arguments and the options that have an effect here."""

    words: list[str] = field(default_factory=list)
    selector: str = ""
    namespace: str = ""
    ignore_not_found: bool = False

    @classmethod
    def read(cls, flags: list[str], action: str) -> _Flags:
        """Parse the flags. Raises Failed, with kubectl's message, for a flag that kubectl does not know."""
        parsed, rest = cls(), list(flags)
        while rest:
            word = rest.pop(0)
            name, equals, value = word.partition("=")
            if name.startswith("--") and name[2:] and name[2:] not in _KUBECTL_FLAGS:
                raise TemplateFailed(f"unknown flag: {name}\nSee 'kubectl {action} --help' for usage.")
            if name in ("--selector", "-l", "--namespace", "-n"):
                text = value if equals else (rest.pop(0) if rest else "")
                if name in ("--selector", "-l"):
                    parsed.selector = text
                else:
                    parsed.namespace = text
            elif name == "--ignore-not-found":
                parsed.ignore_not_found = value != "false"
            elif not word.startswith("-"):
                parsed.words.append(word)
        return parsed


class ResourceAgent:
    def __init__(self, platform: Objects) -> None:
        self._platform = platform

    def __call__(self, launch: Launch, stop: Stop) -> Json:
        """Returns the outputs: the parameters that the template reads from the object."""
        template: Json = launch.template["resource"]
        try:
            place = _perform(self._platform, launch, template)
            if place is not None:
                self._wait(template, place, stop)
            return {"parameters": self._parameters(launch, place)}
        except TemplateFailed as failed:
            raise TemplateFailed(f"no more retries {failed}") from failed
        except HeraUtilsError as error:
            raise TemplateFailed(error.message) from error

    def _wait(self, template: Json, place: tuple[str, str, str], stop: Stop) -> None:
        """Wait until a success condition holds. Raises InvalidWorkflow when a failure condition holds, or none ever can."""
        success, failure = str(template.get("successCondition") or ""), str(template.get("failureCondition") or "")
        if not success and not failure:
            return
        conditions = _condition("success", success), _condition("fail", failure)
        while True:
            try:
                document = json.loads(self._platform.get(*place).text)
            except Refused as refused:
                text = "The resource has been deleted while its status was still being checked. Will not be retried: "
                raise InvalidWorkflow(text + refused.message) from refused
            if queries.check_conditions(document, *conditions):
                return
            if place[0] in services.KINDS and any(
                requirement.key.startswith("status.")
                for condition in conditions
                for requirement in condition.requirements
            ):
                raise InvalidWorkflow(
                    f"the conditions of {place[0]} {place[2]} can never hold on this machine, which runs no pods of a {place[0]}: "
                    "leave them out, or run the workflow on a cluster"
                )
            if stop.wait(POLL_SECONDS):
                raise InvalidWorkflow("context canceled")  # in Go's words

    def _parameters(self, launch: Launch, place: tuple[str, str, str] | None) -> list[Json]:
        outputs = (launch.template.get("outputs") or {}).get("parameters") or ()
        parameters = []
        document: Json = {}
        if place is not None and outputs:
            stored = self._platform.get(*place)
            document = {**_type_of(place[0]), **json.loads(stored.text)}
        for parameter in outputs:
            source = parameter.get("valueFrom") or {}
            if place is None:
                value = str(source.get("default") or "")
            elif source.get("jsonPath"):
                value = json_path(document, str(source["jsonPath"]))
            elif source.get("jqFilter"):
                value = jq(document, str(source["jqFilter"]))
            else:
                continue
            parameters.append({**parameter, "value": value})
        return parameters


def _perform(platform: Objects, launch: Launch, template: Json) -> tuple[str, str, str] | None:
    """Run the action for each object of the manifest, also after one failed. Gives (kind, namespace, name) of a single object.

    Argo cannot read kubectl's answer about several objects: the action is done, and the template fails.
    """
    action = str(template.get("action", ""))
    manifests = _Manifest(platform, launch, template).objects()
    flags = _Flags.read([str(flag) for flag in template.get("flags") or ()], action)
    places, refused = [], []
    for manifest in manifests:
        try:
            places.append(_Action(platform, launch, (template, flags), manifest).perform())
        except TemplateFailed as failed:
            refused.append(failed)
    if refused:
        raise refused[0] if len(refused) == 1 else TemplateFailed("\n".join(map(str, refused)))
    if len(places) == 1 or action == "delete":
        return places[0] if places else None
    if action in ("apply", "get"):  # kubectl answers with a list
        raise InvalidWorkflow(_NO_NAME)
    raise InvalidWorkflow("invalid character '{' after top-level value")


def _condition(word: str, text: str) -> LabelSelector:
    try:
        return label_selector(text)
    except Refused as refused:
        raise InvalidWorkflow(f"{word} condition '{text}' failed to parse: {refused.message}") from refused


def _type_of(kind: str) -> Json:
    resource = next(resource for resource in RESOURCES if resource.kind == kind)
    return {"apiVersion": resource.group_version, "kind": kind}


class _Manifest:
    """The manifest, from the template itself or from an artifact."""

    def __init__(self, platform: Objects, launch: Launch, template: Json) -> None:
        self._platform, self._launch, self._template = platform, launch, template

    def objects(self) -> list[Any]:
        """The objects of all documents, and of lists in them; [None] when there is no manifest.

        Where Argo sets an owner reference, it uses only the first document.
        """
        text = str(self._template.get("manifest") or "")
        source = ((self._template.get("manifestFrom") or {}).get("artifact") or {}).get("name")
        if source:
            text = self._from_artifact(str(source))
        if not text.strip():
            return [None]
        if self._template.get("action") == "patch":
            _check_patch(text)
        try:
            documents = yaml_limits.parse_all(text)
        except (yaml.YAMLError, ValueError) as error:
            raise TemplateFailed(f"error: error parsing {FILE}: {' '.join(str(error).split())}") from error
        if self._template.get("setOwnerReference") and documents and isinstance(documents[0], dict):
            documents = [self._with_owner(documents[0])]
        objects = [item for document in documents for item in _flat(document)]
        if not objects:
            raise TemplateFailed(f"error: no objects passed to {self._template.get('action', '')}")
        return objects

    def _from_artifact(self, name: str) -> str:
        inputs = (self._launch.template.get("inputs") or {}).get("artifacts") or ()
        artifact: Json = next((item for item in inputs if item.get("name") == name), {})
        if artifact.get("raw"):
            return str(artifact["raw"].get("data") or "")
        place = self._launch.places.get("inputs", {}).get(name)
        if place is not None:
            with tempfile.TemporaryDirectory(prefix="hera-utils-manifest-") as folder:
                remote_stores.fetch(place, Path(folder) / "manifest")
                return (Path(folder) / "manifest").read_text()
        path = ArtifactStore(self._platform.state, str(self._launch.pod["metadata"]["namespace"])).find(artifact)
        if path is None or path.is_dir():
            raise TemplateFailed(f"the manifest artifact {name} is not in the artifact store")
        return path.read_text(encoding="utf-8", errors="replace")

    def _with_owner(self, manifest: Json) -> Json:
        metadata = dict(manifest.get("metadata") or {})
        references = list(metadata.get("ownerReferences") or ())
        owners = self._launch.pod["metadata"].get("ownerReferences") or ()
        owner_uids = {reference.get("uid") for reference in references}
        metadata["ownerReferences"] = references + [owner for owner in owners if owner.get("uid") not in owner_uids]
        return {**manifest, "metadata": metadata}


def _check_patch(text: str) -> None:
    """Raise Failed for a patch that begins like JSON and is not: kubectl reads only other text as YAML."""
    if text.lstrip().startswith("{"):
        try:
            gojson.check(text)
        except gojson.InvalidJson as error:
            raise TemplateFailed(f"Error from server (BadRequest): error decoding patch: {error}") from error


def _flat(document: Any) -> list[Any]:
    """The objects of a list, at any depth, or the object itself."""
    items = document.get("items") if isinstance(document, dict) else None
    return [inner for item in items for inner in _flat(item)] if isinstance(items, list) else [document]


class _Action:
    """One kubectl call. `perform` gives (kind, namespace, name) of the object, None when there is no object afterwards."""

    def __init__(self, platform: Objects, launch: Launch, call: tuple[Json, _Flags], manifest: Any) -> None:
        self._platform, self._launch = platform, launch
        self._template, self.flags = call
        self.action = str(self._template.get("action", ""))
        self.manifest = manifest
        self.namespace = self.flags.namespace or str(launch.pod["metadata"]["namespace"])
        if isinstance(self.manifest, dict):
            self.namespace = str((self.manifest.get("metadata") or {}).get("namespace") or self.namespace)

    def perform(self) -> tuple[str, str, str] | None:
        if self.manifest is None and not self.flags.words and not self.flags.selector:
            raise InvalidWorkflow("Must provide at least one of flags or manifest.")
        actions = {
            "create": self._create,
            "apply": self._apply,
            "replace": self._replace,
            "patch": self._patch,
            "get": self._get,
            "delete": self._delete,
        }
        if self.action not in actions:
            raise TemplateFailed(f'error: unknown command "{self.action}" for "kubectl"')
        if self.action in ("get", "delete", "patch"):
            self._check_namespace()
        return actions[self.action]()

    def _check_namespace(self) -> None:
        try:
            self._platform.get("Namespace", "", self.namespace)
        except Refused as refused:
            raise TemplateFailed(_refusal(refused)) from refused

    # --- kind and name of the object ---------------------------------------------------------------------------------------------
    def _resource(self) -> Resource:
        """The kind of the manifest, or of the first word of the flags."""
        if (
            self.manifest is not None
            and not isinstance(self.manifest, dict)
            and self.action in ("create", "apply", "replace")
        ):
            raise TemplateFailed(_INVALID_DATA.format("invalid object to validate"))
        manifest: Json = self.manifest if isinstance(self.manifest, dict) else {}
        kind, version = str(manifest.get("kind") or ""), str(manifest.get("apiVersion") or "")
        if not kind and self.flags.words:
            word = self.flags.words[0].partition("/")[0].partition(".")[0].lower()
            for resource in RESOURCES:
                if word in (resource.plural, resource.singular, *resource.short):
                    return resource
            raise TemplateFailed(f'error: the server doesn\'t have a resource type "{word}"')
        if not kind or not version:
            raise TemplateFailed(self._undecodable(manifest))
        for resource in RESOURCES:
            if (resource.kind, resource.group_version) == (kind, version):
                return resource
        name = str((manifest.get("metadata") or {}).get("name") or "")
        namespace = str((manifest.get("metadata") or {}).get("namespace") or "")
        raise TemplateFailed(
            f'error: resource mapping not found for name: "{name}" namespace: "{namespace}" from "{FILE}": '
            f'no matches for kind "{kind}" in version "{version}"\nensure CRDs are installed first'
        )

    def _undecodable(self, manifest: Json) -> str:
        """kubectl's message for a manifest without apiVersion or kind: create, apply and replace validate it first."""
        missing = [f"{field} not set" for field in ("apiVersion", "kind") if manifest.get(field) is None]
        if missing and self.action in ("create", "apply", "replace"):
            return _INVALID_DATA.format(join_messages(missing))
        field = "apiVersion" if manifest.get("kind") else "Kind"
        text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return f"error: unable to decode \"{FILE}\": Object '{field}' is missing in '{text}'"

    def _name(self) -> str:
        if isinstance(self.manifest, dict) and (self.manifest.get("metadata") or {}).get("name"):
            return str(self.manifest["metadata"]["name"])
        if self.flags.words and "/" in self.flags.words[0]:
            return self.flags.words[0].partition("/")[2]
        return self.flags.words[1] if len(self.flags.words) > 1 else ""

    def _document(self) -> Json:
        manifest: Json = self.manifest if isinstance(self.manifest, dict) else {}
        return manifest

    # --- the actions --------------------------------------------------------------------------------------------------
    def _create(self) -> tuple[str, str, str]:
        resource = self._resource()
        self._check_strictly(resource)
        try:
            if resource.kind == "Workflow":
                stored = self._platform.submit(self.namespace, self._child())
            elif "list" not in resource.verbs:
                raise TemplateFailed(f"error: the local platform creates no {resource.plural} by itself")
            else:
                document = self._document()
                if resource.kind == _CLAIM:
                    document = claim_folders.without_new_folder(document)
                stored = self._platform.create(resource.kind, self.namespace, document)
        except HeraUtilsError as error:
            raise TemplateFailed(_refusal(error, f'error when creating "{FILE}": ')) from error
        return resource.kind, stored.namespace, stored.name

    def _child(self) -> Json:
        """The new workflow, with what the client wrote on this one for this machine: its Python and its decisions about images."""
        inherited = {name: text for name, text in self._launch.annotations.items() if name in OF_A_STAMP}
        document = self._document()
        metadata = document.get("metadata")
        own = metadata.get("annotations") if isinstance(metadata, dict) else metadata
        if not inherited or not isinstance(own or {}, dict):
            return document  # annotations of another type are refused
        return {**document, "metadata": {**(metadata or {}), "annotations": {**inherited, **(own or {})}}}

    def _check_strictly(self, resource: Resource) -> None:
        """Refuse unknown fields: kubectl asks Kubernetes for strict decoding."""
        checked = {key: value for key, value in self._document().items() if key not in ("apiVersion", "kind", "status")}
        if resource.kind in objects.ARGO_KINDS:
            unknown = [format_path(field.path) for field in unknown_fields(checked, resource.kind, any_case=False)]
        else:
            own = _CORE_FIELDS.get(resource.kind, set(checked)) | {"metadata"}
            unknown = sorted(field for field in checked if field not in own)
        if unknown:
            complaint = ", ".join(f'unknown field "{path}"' for path in unknown)
            raise TemplateFailed(
                f'Error from server (BadRequest): error when creating "{FILE}": {resource.kind} in version '
                f'"{resource.version}" cannot be handled as a {resource.kind}: strict decoding error: {complaint}'
            )

    def _apply(self) -> tuple[str, str, str]:
        resource, name = self._resource(), self._name()
        generated = (self._document().get("metadata") or {}).get("generateName")
        if generated and not name:
            raise TemplateFailed(f"error: from {generated}: cannot use generate name with apply")
        try:
            old = json.loads(self._platform.get(resource.kind, self.namespace, name).text)
        except Refused as refused:
            if refused.reason != "NotFound":
                raise
            return self._create()
        return self._store(
            resource,
            apply_patch(old, self._document(), _MEDIA["strategic"], resource.kind),
            f'error when applying "{FILE}": ',
        )

    def _replace(self) -> tuple[str, str, str]:
        return self._store(self._resource(), self._document(), f'error when replacing "{FILE}": ')

    def _patch(self) -> tuple[str, str, str]:
        strategy = str(self._template.get("mergeStrategy") or "strategic")
        resource, name = self._resource(), self._name()
        try:
            old = json.loads(self._platform.get(resource.kind, self.namespace, name).text)
        except Refused as refused:
            raise TemplateFailed(_refusal(refused)) from refused
        patch: Json = {"patch": self.manifest} if strategy == "json" else self._document()
        patch = {key: value for key, value in patch.items() if key not in ("apiVersion", "kind")}
        try:
            new = apply_patch(old, patch, _MEDIA.get(strategy, strategy), resource.kind)
        except Refused as refused:
            if strategy != "json":
                raise
            raise TemplateFailed(_INVALID_PATCH) from refused
        (new.get("metadata") or {}).pop("resourceVersion", None)
        return self._store(resource, new, "")

    def _store(self, resource: Resource, document: Json, where: str) -> tuple[str, str, str]:
        try:
            if resource.kind == _CLAIM:
                old = json.loads(self._platform.get(_CLAIM, self.namespace, self._name()).text)
                document = claim_folders.without_new_folder(document, old)
            stored = self._platform.update(resource.kind, self.namespace, document)
        except HeraUtilsError as error:
            raise TemplateFailed(_refusal(error, where)) from error
        return resource.kind, stored.namespace, stored.name

    def _get(self) -> tuple[str, str, str] | None:
        resource = self._resource()
        if self.flags.selector or not self._name():  # kubectl answers with a list, and a list has no name
            raise InvalidWorkflow(_NO_NAME)
        try:
            stored = self._platform.get(resource.kind, self.namespace, self._name())
        except Refused as refused:
            if self.flags.ignore_not_found and refused.reason == "NotFound":
                return None
            raise TemplateFailed(_refusal(refused)) from refused
        return resource.kind, stored.namespace, stored.name

    def _delete(self) -> None:
        resource = self._resource()
        names = [stored.name for stored in self._selected(resource)] if self.flags.selector else [self._name()]
        for name in names:
            try:
                self._platform.delete(resource.kind, self.namespace, name)
            except Refused as refused:
                if refused.reason != "NotFound":  # Argo runs kubectl delete --ignore-not-found
                    raise TemplateFailed(_refusal(refused)) from refused

    def _selected(self, resource: Resource) -> list[Any]:
        selector = _condition("selector", self.flags.selector)
        namespace = "" if resource.kind in objects.CLUSTER_WIDE else self.namespace
        every = self._platform.list(resource.kind, namespace)[0]
        return [s for s in every if selector.matches(json.loads(s.text)["metadata"].get("labels"))]


def _refusal(error: HeraUtilsError, where: str = "") -> str:
    """kubectl's message for a refusal of the API server."""
    if isinstance(error, Refused) and error.reason == "Invalid":
        kind, _, rest = error.message.partition(" ")
        about, _, text = rest.partition(" is invalid: ")
        listed = _CAUSE.split(text[1:-1]) if text.startswith("[") else [text]
        causes = f"{text}\n" if len(listed) == 1 else "\n" + "".join(f"* {cause}\n" for cause in listed)
        return f"The {kind.partition('.')[0]} {about} is invalid: {causes}"
    reason = error.reason if isinstance(error, Refused) and error.reason else "BadRequest"
    return f"Error from server ({reason}): {where}{error.message}"
