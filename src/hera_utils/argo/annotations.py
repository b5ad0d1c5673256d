"""What hera_utils adds to documents of Argo and Kubernetes: annotations on a run's workflow and on a claim, a field of a node."""

POINTS = "hera-utils/points"
"""How many points the workflow computes; 0 for a gather."""
RUN_POINTS = "hera-utils/run-points"
"""How many points the workflows of its run compute together."""
GATHER = "hera-utils/gather"
"""That a gather follows the points of its run."""
RAN = "hera-utils/ran"
"""The field of a pod's node: when its main containers ran, {startedAt, finishedAt} in microseconds. Argo's own times are whole seconds, and
begin when the node is made: waiting for a free place counts in them.
"""
FOLDER = "hera-utils/folder"
"""On a claim of the local platform: the folder of this machine that it stands for (see claims.folder)."""
