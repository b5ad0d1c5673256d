"""What hera_utils adds to Argo's documents: annotations on a workflow of a run, and a field of a node on the local platform."""

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
