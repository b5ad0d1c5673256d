"""Names: ids of nodes, names of pods, random suffixes, and Kubernetes' messages about illegal names.

Sources: Argo's NodeID and its v2 pod names; apimachinery's util/validation and util/rand (their messages are part of the wire).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from hera_utils.memoised import memoised

LABEL_LENGTH = 63
_MOST_ANNOTATIONS = 256 * 1024
"""Bytes of all keys and values of an object's annotations."""
SUBDOMAIN_LENGTH = 253
# Argo: a pod name is its prefix, "-" and a hash of up to ten digits; the prefix is cut so that all stay below 253.
_POD_PREFIX_LENGTH = SUBDOMAIN_LENGTH - 10 - 1

# Kubernetes' alphabet of generated names: no vowels, no digits that look like letters.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
# A generated name's base is cut so that the suffix fits (apiserver, names.SimpleNameGenerator).
_RANDOM_LENGTH = 5
_GENERATED_BASE_LENGTH = 63 - _RANDOM_LENGTH

POD_NAME_FORMAT = "workflows.argoproj.io/pod-name-format"
"""The annotation with the version of the names of a workflow's pods."""

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = r"[-._a-zA-Z0-9]+"

_label_match = re.compile(_LABEL + r"\Z").match
_subdomain_match = re.compile(_SUBDOMAIN + r"\Z").match
_qualified_match = re.compile(_QUALIFIED + r"\Z").match
_value_match = re.compile(_VALUE + r"\Z").match
_config_key_match = re.compile(_CONFIG_KEY + r"\Z").match


def fnv1a32(text: str) -> int:
    """The 32 bit FNV-1a hash of the text's UTF-8 bytes."""
    value = 0x811C9DC5
    for byte in text.encode("utf-8", "surrogatepass"):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def node_id(workflow: str, node_name: str) -> str:
    """The id of a node: the workflow's name for its root, else `<workflow>-<FNV-1a of the node's name>`."""
    if node_name == workflow:
        return workflow
    return f"{workflow}-{fnv1a32(node_name)}"


def pod_name(workflow: str, node_name: str, template: str, node_id: str = "", *, version: str = "v2") -> str:
    """The name of a node's pod: `<workflow>-<template>-<hash of the node's name>`, cut to Kubernetes' length. The hash is that of its id.

    version "v1" (annotation POD_NAME_FORMAT): the node's id. An unknown version means v2.
    """
    if version == "v1" and node_id:
        return node_id
    if node_name == workflow:
        return workflow
    prefix = f"{workflow}-{template}" if template else workflow
    _, _, hashed = node_id.rpartition("-")
    return f"{prefix[:_POD_PREFIX_LENGTH]}-{hashed if hashed.isdecimal() else fnv1a32(node_name)}"


def pod_name_format(workflow: Mapping[str, Any]) -> str:
    """The version of the names of a workflow's pods."""
    annotations = (workflow.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(POD_NAME_FORMAT, "v2"))


def pod_of(workflow: Mapping[str, Any], node: Mapping[str, Any]) -> str:
    """The name of the pod of a workflow's node; both as in Argo's status."""
    template = node.get("templateName") or (node.get("templateRef") or {}).get("template") or ""
    version = pod_name_format(workflow)
    return pod_name(str(workflow["metadata"]["name"]), str(node["name"]), template, str(node["id"]), version=version)


def short_name(node_name: str, workflow: str) -> str:
    """A node's name without the workflow's: `A.collect(3:value)`; the entry template's own node keeps its name."""
    return node_name.removeprefix(workflow).lstrip(".") or node_name


def reference_kind(reference: Mapping[str, Any]) -> str:
    """The kind of object that a workflowTemplateRef or a templateRef names."""
    return "ClusterWorkflowTemplate" if reference.get("clusterScope") else "WorkflowTemplate"


def random_suffix(seed: str) -> str:
    """Five characters of Kubernetes' alphabet, drawn from the seed."""
    digest = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()
    number = int.from_bytes(digest, "big")
    letters = []
    for _ in range(_RANDOM_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    return "".join(letters)


def generated_name(base: str, seed: str) -> str:
    """Kubernetes' name for a generateName: the base, cut to 58 characters, and five random characters."""
    return base[:_GENERATED_BASE_LENGTH] + random_suffix(seed)


# -- validation of names -----------------------------------------------------------------------------------------------


def _regex_error(message: str, pattern: str, *examples: str) -> str:
    quoted = " or ".join(f"'{example}', " for example in examples)  # Kubernetes leaves the comma before "or" in
    return f"{message} (e.g. {quoted}regex used for validation is '{pattern}')"


_SUBDOMAIN_MESSAGE = _regex_error(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_LABEL_MESSAGE = _regex_error(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_QUALIFIED_MESSAGE = _regex_error(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    _QUALIFIED,
    "MyName",
    "my.name",
    "123-abc",
)
_VALUE_MESSAGE = _regex_error(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    _VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_CONFIG_KEY_MESSAGE = _regex_error(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)


def _faults(text: str, longest: int, match: Callable[[str], object], message: str) -> tuple[str, ...]:
    too_long = () if len(text.encode()) <= longest else (f"must be no more than {longest} bytes",)
    return too_long if match(text) else (*too_long, message)


@memoised(256)
def subdomain_faults(name: str) -> tuple[str, ...]:
    """Kubernetes' complaints about a name that must be an RFC 1123 subdomain (most objects); empty if it is legal."""
    return _faults(name, SUBDOMAIN_LENGTH, _subdomain_match, _SUBDOMAIN_MESSAGE)


@memoised(256)
def label_faults(name: str) -> tuple[str, ...]:
    """Kubernetes' complaints about a name that must be an RFC 1123 label (namespaces, containers, volumes)."""
    return _faults(name, LABEL_LENGTH, _label_match, _LABEL_MESSAGE)


@memoised(256)
def label_key_faults(key: str) -> tuple[str, ...]:
    """Kubernetes' complaints about the key of a label or an annotation: `[prefix/]name`."""
    prefix, slash, name = key.rpartition("/")
    faults: list[str] = []
    if slash and "/" in prefix:
        return (
            "a valid label key "
            + _QUALIFIED_MESSAGE
            + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        )
    if slash:
        if not prefix:
            faults.append("prefix part must be non-empty")
        else:
            faults.extend(f"prefix part {fault}" for fault in subdomain_faults(prefix))
    if not name:
        faults.append("name part must be non-empty")
    elif len(name.encode()) > LABEL_LENGTH:
        faults.append(f"name part must be no more than {LABEL_LENGTH} bytes")
    if not _qualified_match(name):
        faults.append(f"name part {_QUALIFIED_MESSAGE}")
    return tuple(faults)


@memoised(256)
def label_value_faults(value: str) -> tuple[str, ...]:
    """Kubernetes' complaints about the value of a label."""
    return _faults(value, LABEL_LENGTH, _value_match, _VALUE_MESSAGE)


@memoised(1024)
def config_key_faults(key: str) -> tuple[str, ...]:
    """Kubernetes' complaints about a key in the data of a config map or a secret."""
    faults = _faults(key, SUBDOMAIN_LENGTH, _config_key_match, _CONFIG_KEY_MESSAGE)
    if key.startswith("..") or key == ".":
        faults += (f"must not be '{key}'" if key in (".", "..") else "must not start with '..'",)
    return faults


def metadata_faults(metadata: Mapping[str, Any], *, label_name: bool = False) -> list[str]:
    """Kubernetes' complaints about an object's metadata: `metadata.name: Invalid value: …`.

    label_name: the name must be an RFC 1123 label (a namespace) instead of a subdomain.
    """
    faults = _name_faults(metadata, label_faults if label_name else subdomain_faults)
    for key, value in (metadata.get("labels") or {}).items():
        faults += [invalid_value("metadata.labels", str(key), fault) for fault in label_key_faults(str(key))]
        faults += [invalid_value("metadata.labels", str(value), fault) for fault in label_value_faults(str(value))]
    faults += _annotation_faults(metadata.get("annotations") or {})
    return faults + _owner_faults([owner or {} for owner in metadata.get("ownerReferences") or ()])


_OWNER = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")


def _owner_faults(owners: list[Mapping[str, Any]]) -> list[str]:
    faults, controller = [], ""
    for owner in owners:
        for field in _OWNER[:4]:
            if not owner.get(field):
                what = "version must not be empty" if field == "apiVersion" else "must not be empty"
                faults.append(invalid_value(f"metadata.ownerReferences.{field}", "", what))
        if owner.get("controller"):
            name = f"{owner.get('kind')}/{owner.get('name')}"
            if controller:
                written = [{field: reference[field] for field in _OWNER if field in reference} for reference in owners]
                found = f'Found "true" in references for {controller} and {name}'
                what = f"Only one reference can have Controller set to true. {found}"
                faults.append(invalid_value("metadata.ownerReferences", written, what))
            else:
                controller = name
    return faults


def _name_faults(metadata: Mapping[str, Any], rule: Callable[[str], tuple[str, ...]]) -> list[str]:
    name, generate = str(metadata.get("name") or ""), str(metadata.get("generateName") or "")
    # A generateName is checked as if it had a suffix.
    faults = (
        [invalid_value("metadata.generateName", generate, fault) for fault in rule(generate.removesuffix("-"))]
        if generate
        else []
    )
    if name:
        return faults + [invalid_value("metadata.name", name, fault) for fault in rule(name)]
    return faults if generate else ["metadata.name: Required value: name or generateName is required"]


def _annotation_faults(annotations: Mapping[str, Any]) -> list[str]:
    faults = [
        invalid_value("metadata.annotations", str(key), fault)
        for key in annotations
        for fault in label_key_faults(str(key).lower())
    ]
    size = sum(len(str(key).encode()) + len(str(value).encode()) for key, value in annotations.items())
    if size > _MOST_ANNOTATIONS:
        faults.append(f"metadata.annotations: Too long: may not be more than {_MOST_ANNOTATIONS} bytes")
    return faults


def invalid_value(field: str, value: object, fault: str) -> str:
    """Kubernetes' message about an invalid value of a field."""
    return f"{field}: Invalid value: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}: {fault}"


def join_messages(messages: list[str]) -> str:
    unique = list(dict.fromkeys(messages))
    return unique[0] if len(unique) == 1 else "[" + ", ".join(unique) + "]"
