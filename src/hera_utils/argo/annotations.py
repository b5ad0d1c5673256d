"""Annotations of ours on a workflow of a run: what the run is, told to who has nothing but its workflows."""

POINTS = "hera-utils/points"
"""How many points the workflow computes; 0 for a gather."""
RUN_POINTS = "hera-utils/run-points"
"""How many points the workflows of its run compute together."""
GATHER = "hera-utils/gather"
"""That a gather follows the points of its run."""
