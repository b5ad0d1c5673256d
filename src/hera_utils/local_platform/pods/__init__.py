"""Pods as processes of this machine: what a kubelet, its scheduler and Argo's executor are on a cluster.

In: orders of the controller, each a pod and its template (`launcher.py`, open it first). What the pod refers to is looked up
(`references.py`), then a runtime (`runtime.py` says what one can do) has it: an agent, or the processes of this machine (`process.py`).
Out: the events PodStarted, PodProgressed, PodWaiting and at last one PodFinished, the pod's document and status as Kubernetes shows them
(`pod_object.py`), and the lines of its logs (`log_lines.py`).

Whether and when a pod may start: `node_fit.py`, `resource_queue.py`, `disk_pressure.py`; why it is pending: `waiting.py`, alone.
What happens to an image: `image_choice.py`; one that is pulled: `image_pulls.py`. What runs beside the server: the package `pod`,
which `workers.py` starts.
"""
