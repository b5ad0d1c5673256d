"""An object as the local platform stores it, and a change of one: what readers and listeners are given."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stored:
    """An object as stored. kind: Workflow, WorkflowTemplate, ClusterWorkflowTemplate, CronWorkflow, ConfigMap, Secret,
    PersistentVolumeClaim, ServiceAccount, Namespace, Pod, Event… `namespace` is "" for cluster-wide kinds.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: int
    text: str
    """The object as JSON text, metadata.resourceVersion included (no apiVersion/kind for Argo's kinds)."""


@dataclass(frozen=True)
class Change:
    """type: ADDED, MODIFIED or DELETED; `stored` is the state after it (before it for DELETED).

    A workflow's `stored.text` may be empty: ask `get` for the latest state (changes of a run are coalesced).
    """

    type: str
    stored: Stored
