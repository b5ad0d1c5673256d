"""The additions of hera_utils to documents of Argo and Kubernetes: annotations on workflows and claims, and a field of nodes."""

POINTS = "hera-utils/points"
"""The number of points that the workflow computes; 0 for a gather."""
RUN_POINTS = "hera-utils/run-points"
"""The number of points of all workflows of the run."""
GATHER = "hera-utils/gather"
"""Present if a gather follows the points of the run."""
SEARCH = "hera-utils/search"
"""Present if a search chooses the points of the run: a failed or stopped workflow of a search is no failure of the run."""
RAN = "hera-utils/ran"
"""A field of a pod's node with the times of its main containers, {startedAt, finishedAt} in microseconds. Argo's own times are whole
seconds and begin when the node is created, so they include the wait for a free place. Further entries:

python: of a Python task, "warm" if it was forked from a running interpreter, else "new: " and the reason.
errorLine: of a failed task, the exception of its Python or else its last line, or the memory limit that it exceeded, because Argo's
message gives only an exit code (error_lines.py joins the two).
cpuSeconds, peakMemory, readBytes, writtenBytes, diskReadBytes, diskWrittenBytes: the use of its processes (docs/resources.md).
startDelay: the seconds from the order of the pod to the start of its first container.
requestedCpu (cores), requestedMemory (bytes): if its template states them.
"""
FOLDER = "hera-utils/folder"
"""On a claim of the local platform: the folder of this machine that it represents (see claim_folders.py)."""
PYTHON = "hera-utils/python"
"""The interpreter of the script that submitted a workflow; on this machine it runs the workflow's `@script()` tasks."""
DIRECTORY = "hera-utils/directory"
"""The working directory of that script."""
SCRIPT = "hera-utils/script"
"""The path of that script. (pods/pod/python.py reads these three annotations but cannot import their names from this package.)"""
IMAGES = "hera-utils/images"
"""A workflow's own table of images, as JSON."""
IMAGE_DECISIONS = "hera-utils/image-decisions"
"""The decisions of the submitting client on the workflow's images, as JSON (see images/decision_texts.py)."""
OF_A_STAMP = (PYTHON, DIRECTORY, SCRIPT, IMAGES, IMAGE_DECISIONS)
"""What is written on a workflow for this machine alone."""
SUBMISSION = "hera-utils/submission"
"""A mark with which the client finds its submission if the server's answer was lost."""
