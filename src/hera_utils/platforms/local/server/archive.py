"""Archived workflows: this platform keeps its runs itself and has no second archive, so Argo's answers without a database hold."""

from __future__ import annotations

from hera_utils.argo.faults import NOT_FOUND
from hera_utils.errors import Refused
from hera_utils.platforms.local.server.answers import Reply
from hera_utils.platforms.local.server.call import Call


def enumerate(call: Call) -> Reply:
    return {"metadata": {}, "items": None}


def label_keys(call: Call) -> Reply:
    return {}


def label_values(call: Call) -> Reply:
    return {}


def get(call: Call) -> Reply:
    raise Refused(NOT_FOUND, "not found")


def delete(call: Call) -> Reply:
    raise Refused(NOT_FOUND, "not found")


def resubmit(call: Call) -> Reply:
    raise Refused(NOT_FOUND, "not found")


def retry(call: Call) -> Reply:
    raise Refused(NOT_FOUND, "not found")
