"""The API of cron workflows. Source: Argo's server/cronworkflow."""

from __future__ import annotations

import json

from hera_utils.local_platform.argo_api.answers import Reply, Text
from hera_utils.local_platform.argo_api.request import ArgoRequest
from hera_utils.local_platform.argo_api.templates import (
    create_kind,
    delete_kind,
    enumerate_kind,
    find_kind,
    lint_kind,
    update_kind,
)

_KIND, _KEY = "CronWorkflow", "cronWorkflow"
_MISSING = "cron workflow was not found in the request body"


def enumerate(request: ArgoRequest) -> Reply:
    return enumerate_kind(request, _KIND)


def create(request: ArgoRequest) -> Reply:
    return create_kind(request, _KIND, _KEY, _MISSING)


def lint(request: ArgoRequest) -> Reply:
    return lint_kind(request, _KIND, _KEY)


def get(request: ArgoRequest) -> Reply:
    return Text(find_kind(request, _KIND).text)


def update(request: ArgoRequest) -> Reply:
    return update_kind(request, _KIND, _KEY, _MISSING)


def delete(request: ArgoRequest) -> Reply:
    return delete_kind(request, _KIND)


def suspend(request: ArgoRequest) -> Reply:
    return _set_suspended(request, True)


def resume(request: ArgoRequest) -> Reply:
    return _set_suspended(request, False)


def _set_suspended(request: ArgoRequest, suspended: bool) -> Reply:
    document = json.loads(find_kind(request, _KIND).text)
    document["spec"].pop("suspend", None)
    if suspended:
        document["spec"]["suspend"] = True
    return Text(request.platform.update(_KIND, request.namespace, document).text)
