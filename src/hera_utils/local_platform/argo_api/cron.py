"""Cron workflows. Source: Argo's server/cronworkflow."""

from __future__ import annotations

import json

from hera_utils.local_platform.argo_api.answers import Reply, Text
from hera_utils.local_platform.argo_api.request import Call
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


def enumerate(call: Call) -> Reply:
    return enumerate_kind(call, _KIND)


def create(call: Call) -> Reply:
    return create_kind(call, _KIND, _KEY, _MISSING)


def lint(call: Call) -> Reply:
    return lint_kind(call, _KIND, _KEY)


def get(call: Call) -> Reply:
    return Text(find_kind(call, _KIND).text)


def update(call: Call) -> Reply:
    return update_kind(call, _KIND, _KEY, _MISSING)


def delete(call: Call) -> Reply:
    return delete_kind(call, _KIND)


def suspend(call: Call) -> Reply:
    return _set_suspended(call, True)


def resume(call: Call) -> Reply:
    return _set_suspended(call, False)


def _set_suspended(call: Call, suspended: bool) -> Reply:
    document = json.loads(find_kind(call, _KIND).text)
    document["spec"]["suspend"] = suspended
    return Text(call.platform.update(_KIND, call.namespace, document).text)
