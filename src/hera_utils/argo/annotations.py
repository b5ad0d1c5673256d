"""What hera_utils adds to documents of Argo and Kubernetes: annotations on a run's workflow and on a claim, a field of a node."""

POINTS = "hera-utils/points"
"""How many points the workflow computes; 0 for a gather."""
RUN_POINTS = "hera-utils/run-points"
"""How many points the workflows of its run compute together."""
GATHER = "hera-utils/gather"
"""That a gather follows the points of its run."""
SEARCH = "hera-utils/search"
"""That the points of its run are chosen on the way: a workflow of it that fails, or is stopped, makes no failure of the run."""
RAN = "hera-utils/ran"
"""The field of a pod's node: when its main containers ran, {startedAt, finishedAt} in microseconds. Argo's own times are whole seconds, and
begin when the node is made: waiting for a free place counts in them. `python`, of a task in Python: "warm" when it was a fork of an
interpreter that ran already, else "new: " and why not. `errorLine`, of a task that failed: the exception of its Python, else the last
line that it wrote; Argo's message gives an exit code only (error_lines.py puts the two together). Beside them what the pod's processes used
(docs/resources.md): cpuSeconds, peakMemory, readBytes, writtenBytes, diskReadBytes, diskWrittenBytes; startDelay, the seconds from its
order to the start of its first container; requestedCpu (cores) and requestedMemory (bytes), where its template says them.
"""
FOLDER = "hera-utils/folder"
"""On a claim of the local platform: the folder of this machine that it stands for (see claim_folders.py)."""
PYTHON = "hera-utils/python"
"""The interpreter of the script that submitted a workflow: its `@script()` tasks run with it on this machine."""
DIRECTORY = "hera-utils/directory"
"""The working directory of that script."""
SCRIPT = "hera-utils/script"
"""That script. (pods/pod/python.py reads these three; what runs beside the server imports nothing of this package.)"""
IMAGES = "hera-utils/images"
"""A workflow's own table of images, as JSON."""
IMAGE_DECISIONS = "hera-utils/image-decisions"
"""What the client that submitted a workflow decided of its images, as JSON (see images/decision_texts.py)."""
SUBMISSION = "hera-utils/submission"
"""The mark by which a submission is known again when its answer was lost."""
