"""Decodes bodies in Kubernetes' protocol-buffer form, which kubectl's create commands (config maps, secrets, tokens…) send. Pure.

Only the messages in `_MESSAGES` are read; replies are JSON, which every client accepts. Field numbers are those of the
generated.proto files of k8s.io/api and k8s.io/apimachinery, where a number never changes its meaning.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cache
from typing import Any

from hera_utils.argo import timestamps

Json = dict[str, Any]

MAGIC = b"k8s\x00"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

# name=number:type; []type is repeated, {}type a map with text keys. Types: string, bytes, bool, int, time, quantity, or a message.
_MESSAGES = {
    "Unknown": "typeMeta=1:TypeMeta raw=2:bytes",
    "TypeMeta": "apiVersion=1:string kind=2:string",
    "ObjectMeta": "name=1:string generateName=2:string namespace=3:string uid=5:string resourceVersion=6:string generation=7:int "
    "creationTimestamp=8:time deletionTimestamp=9:time labels=11:{}string annotations=12:{}string "
    "ownerReferences=13:[]OwnerReference finalizers=14:[]string",
    "OwnerReference": "kind=1:string name=3:string uid=4:string apiVersion=5:string controller=6:bool blockOwnerDeletion=7:bool",
    "ObjectReference": "kind=1:string namespace=2:string name=3:string uid=4:string apiVersion=5:string fieldPath=7:string",
    "LocalObjectReference": "name=1:string",
    "LabelSelector": "matchLabels=1:{}string matchExpressions=2:[]LabelSelectorRequirement",
    "LabelSelectorRequirement": "key=1:string operator=2:string values=3:[]string",
    "ConfigMap": "metadata=1:ObjectMeta data=2:{}string binaryData=3:{}bytes immutable=4:bool",
    "Secret": "metadata=1:ObjectMeta data=2:{}bytes type=3:string stringData=4:{}string immutable=5:bool",
    "Namespace": "metadata=1:ObjectMeta spec=2:NamespaceSpec",
    "NamespaceSpec": "finalizers=1:[]string",
    "ServiceAccount": "metadata=1:ObjectMeta secrets=2:[]ObjectReference imagePullSecrets=3:[]LocalObjectReference "
    "automountServiceAccountToken=4:bool",
    "PersistentVolumeClaim": "metadata=1:ObjectMeta spec=2:PersistentVolumeClaimSpec",
    "PersistentVolumeClaimSpec": "accessModes=1:[]string resources=2:Resources volumeName=3:string selector=4:LabelSelector "
    "storageClassName=5:string volumeMode=6:string",
    "Resources": "limits=1:{}quantity requests=2:{}quantity",
    "Event": "metadata=1:ObjectMeta involvedObject=2:ObjectReference reason=3:string message=4:string firstTimestamp=6:time "
    "lastTimestamp=7:time count=8:int type=9:string",
    "SelfSubjectAccessReview": "metadata=1:ObjectMeta spec=2:AccessReviewSpec",
    "AccessReviewSpec": "resourceAttributes=1:ResourceAttributes nonResourceAttributes=2:NonResourceAttributes",
    "ResourceAttributes": "namespace=1:string verb=2:string group=3:string version=4:string resource=5:string subresource=6:string "
    "name=7:string",
    "NonResourceAttributes": "path=1:string verb=2:string",
    "SelfSubjectRulesReview": "metadata=1:ObjectMeta spec=2:RulesReviewSpec",
    "RulesReviewSpec": "namespace=1:string",
    "SelfSubjectReview": "metadata=1:ObjectMeta",
    "TokenRequest": "metadata=1:ObjectMeta spec=2:TokenRequestSpec",
    "TokenRequestSpec": "audiences=1:[]string boundObjectRef=3:BoundObjectReference expirationSeconds=4:int",
    "BoundObjectReference": "kind=1:string apiVersion=2:string name=3:string uid=4:string",
    "DeleteOptions": "gracePeriodSeconds=1:int preconditions=2:Preconditions orphanDependents=3:bool propagationPolicy=4:string "
    "dryRun=5:[]string",
    "Preconditions": "uid=1:string resourceVersion=2:string",
}
_TOP = frozenset({
    "ConfigMap", "Secret", "Namespace", "ServiceAccount", "PersistentVolumeClaim", "Event", "SelfSubjectAccessReview",
    "SelfSubjectRulesReview", "SelfSubjectReview", "TokenRequest", "DeleteOptions",
})  # fmt: skip


def decode(data: bytes) -> Json:
    """The object in a body. Raises ValueError when it is damaged or of a kind that is not read here."""
    if not data.startswith(MAGIC):
        raise ValueError("it does not begin like a Kubernetes protocol buffer")
    wrapper = {number: value for number, _, value in _fields(data[len(MAGIC) :])}
    kind = _message("TypeMeta", _bytes(wrapper.get(1) or b""))
    raw = wrapper.get(2) or b""
    if kind.get("kind") not in _TOP or not isinstance(raw, bytes):
        raise ValueError(f"objects of kind {kind.get('kind')} are read as JSON only")
    return {**kind, **_message(kind["kind"], raw)}


@cache
def _layout(message: str) -> dict[int, tuple[str, str]]:
    layout = {}
    for field in _MESSAGES[message].split():
        name, _, rest = field.partition("=")
        number, _, kind = rest.partition(":")
        layout[int(number)] = (name, kind)
    return layout


def _message(message: str, data: bytes) -> Json:
    layout = _layout(message)
    document: Json = {}
    for number, wire, value in _fields(data):
        if number not in layout:
            continue
        name, kind = layout[number]
        if kind.startswith("{}"):
            entry = {n: v for n, _, v in _fields(_bytes(value))}
            document.setdefault(name, {})[_bytes(entry.get(1, b"")).decode()] = _value(kind[2:], 2, entry.get(2, b""))
        elif kind.startswith("[]"):
            document.setdefault(name, []).append(_value(kind[2:], wire, value))
        else:
            read = _value(kind, wire, value)
            # Go writes fields that are not pointers even when they are empty.
            if read not in ("", {}, None) and not (kind == "int" and read == 0):
                document[name] = read
    return document


def _value(kind: str, wire: int, value: int | bytes) -> Any:
    if kind in ("int", "bool"):
        if not isinstance(value, int):
            raise ValueError(f"wire type {wire} for a number")
        return bool(value) if kind == "bool" else value - (1 << 64) if value >> 63 else value
    data = _bytes(value)
    if kind == "string":
        return data.decode()
    if kind == "bytes":
        return base64.b64encode(data).decode()
    if kind == "quantity":
        return next((_bytes(v).decode() for n, _, v in _fields(data) if n == 1), "")
    if kind == "time":
        seconds = next((v for n, _, v in _fields(data) if n == 1), 0)
        return timestamps.text(int(seconds)) if seconds else None
    return _message(kind, data)


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number where text is expected")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(field number, wire type, value) of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, wire, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if at + size > len(data):
            raise ValueError("it ends too early")
        yield number, wire, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("it ends too early")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
