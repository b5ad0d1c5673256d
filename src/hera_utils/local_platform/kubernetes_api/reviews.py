"""Requests that create an object to ask a question: may I do this, who am I, give me a token for a service account."""

from __future__ import annotations

import time
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.argo.faults import INVALID_ARGUMENT
from hera_utils.errors import Refused
from hera_utils.local_platform.kubernetes_api.request import KubernetesRequest
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.credentials import issue_token
from hera_utils.local_platform.storage.resources import ALL, ARGO_GROUP, STORED

Json = dict[str, Any]

USER = "hera-utils"
SHORTEST_TOKEN = 600
"""Seconds; Kubernetes refuses shorter ones."""
LONGEST_TOKEN = 1 << 32


def review_access(request: KubernetesRequest) -> Json:
    """A client with the token may do everything that is served. Anything else is denied, so that a client's check fails early."""
    spec = request.part("spec")
    attributes = spec.get("resourceAttributes")
    if not isinstance(attributes or {}, dict):
        message = "spec.resourceAttributes: Invalid value: it is not an object"
        raise Refused(INVALID_ARGUMENT, message, reason="BadRequest")
    allowed = True
    if attributes:
        plural, group = attributes.get("resource", ""), attributes.get("group", "")
        verb, sub = attributes.get("verb", ""), attributes.get("subresource", "")
        resources = [r for r in STORED if plural in ("*", r.plural) and group in ("*", r.group)]
        allowed = any(verb in ("*", *r.verbs) or sub in r.subresources for r in resources)
        if request.target.resource.kind == "SubjectAccessReview" and group == ARGO_GROUP:
            allowed = True  # asked for an executor's service account; executors here need no permission
    status: Json = {"allowed": allowed}
    status["reason"] = (
        "the local platform belongs to whoever holds its token"
        if allowed
        else "the local platform has no such resource"
    )
    kind = request.target.resource.kind
    return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "metadata": {"creationTimestamp": None},
            "spec": spec, "status": status}  # fmt: skip


def review_rules(request: KubernetesRequest) -> Json:
    resource_rules = [
        {
            "verbs": list(resource.verbs if resource.verbs != ALL else ALL),
            "apiGroups": [resource.group],
            "resources": [resource.plural],
        }
        for resource in STORED
    ]
    status = {
        "resourceRules": resource_rules,
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["*"]}],
        "incomplete": False,
    }
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "metadata": {"creationTimestamp": None},
            "spec": request.part("spec"), "status": status}  # fmt: skip


def review_subject(request: KubernetesRequest) -> Json:
    status = {"userInfo": {"username": USER, "groups": ["system:authenticated"]}}
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {"creationTimestamp": None},
            "status": status}  # fmt: skip


REVIEWS = {
    "SelfSubjectAccessReview": review_access,
    "SubjectAccessReview": review_access,
    "SelfSubjectRulesReview": review_rules,
    "SelfSubjectReview": review_subject,
}


def create_token(platform: LocalPlatform, request: KubernetesRequest, key: str) -> Json:
    """Answer a TokenRequest: both APIs accept the token until it expires."""
    target = request.target
    account = platform.get("ServiceAccount", target.namespace, target.name)
    spec = request.part("spec")
    seconds = spec.get("expirationSeconds") or 3600
    if not isinstance(seconds, int) or not SHORTEST_TOKEN <= seconds <= LONGEST_TOKEN:
        long = isinstance(seconds, int) and seconds > LONGEST_TOKEN
        message = (
            f'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: {seconds}: '
            + (
                "may not specify a duration larger than 2^32 seconds"
                if long
                else "may not specify a duration less than 10 minutes"
            )
        )
        raise Refused(INVALID_ARGUMENT, message, reason="Invalid")
    now = time.time()
    audiences = spec.get("audiences") or ["https://kubernetes.default.svc"]
    claims: Json = {
        "aud": audiences,
        "exp": int(now) + seconds,
        "iat": int(now),
        "iss": "hera-utils",
        "sub": f"system:serviceaccount:{target.namespace}:{target.name}",
        "kubernetes.io": {"namespace": target.namespace, "serviceaccount": {"name": target.name, "uid": account.uid}},
    }
    status = {"token": issue_token(claims, key), "expirationTimestamp": timestamps.text(claims["exp"])}
    return {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {"name": target.name, "namespace": target.namespace, "creationTimestamp": timestamps.text(now)},
        "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": None},
        "status": status,
    }
