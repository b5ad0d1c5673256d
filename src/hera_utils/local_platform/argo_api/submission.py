"""Submits a workflow from a stored workflow template, cluster workflow template or cron workflow.

Source: Argo's server (SubmitWorkflow). interpreter/submission.py builds the workflow.
"""

from __future__ import annotations

import json
from typing import Any

from hera_utils.argo.faults import INTERNAL
from hera_utils.argo.schema import decode
from hera_utils.errors import Refused
from hera_utils.interpreter.submission import submitted_kind, with_options, workflow_from
from hera_utils.local_platform.argo_api.answers import Reply, Text
from hera_utils.local_platform.argo_api.request import ArgoRequest
from hera_utils.local_platform.clock import now
from hera_utils.local_platform.platform import LocalPlatform

Json = dict[str, Any]


def submit(request: ArgoRequest) -> Reply:
    """Body: {"resourceKind", "resourceName", "submitOptions": {name, generateName, labels, parameters, …}}."""
    options = decode(request.document("submitOptions") or {}, "SubmitOpts", at="submitOptions")
    kind, name = submitted_kind(request.option("resourceKind")), request.option("resourceName")
    # Argo reads a cron workflow here. A template is only referred to, and validation checks whether it exists.
    resource = (
        _find_stored(request.platform, kind, request.namespace, name)
        if kind == "CronWorkflow"
        else {"metadata": {"name": name}}
    )
    document = workflow_from(resource, kind, at=now())
    template = None
    if options.get("artifacts") and document["spec"].get("workflowTemplateRef"):
        template = _template(request, kind, name)
    document = with_options(document, options, template)
    document.pop("status", None)
    if options.get("dryRun"):
        admitted = request.platform.admission.admit(request.namespace, document).document
        # With dryRun, Argo's answer has no namespace: its server sets it together with the name.
        del admitted["metadata"]["namespace"]
        return admitted
    return Text(request.platform.submit(request.namespace, document, dry_run=bool(options.get("serverDryRun"))).text)


def _find_stored(platform: LocalPlatform, kind: str, namespace: str, name: str) -> Json:
    if not name:
        raise Refused(INTERNAL, "resource name may not be empty")
    document: Json = json.loads(platform.get(kind, namespace, name).text)
    return document


def _template(request: ArgoRequest, kind: str, name: str) -> Json:
    """The template whose artifacts are overridden; Argo fetches it only for this, and the message is Argo's."""
    try:
        return _find_stored(request.platform, kind, request.namespace, name)
    except Refused as refused:
        raise Refused(INTERNAL, f"failed to get {kind} for artifact override: {refused.message}") from refused
