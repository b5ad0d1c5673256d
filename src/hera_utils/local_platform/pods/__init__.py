"""Pods as processes of this machine: the work of a kubelet, the scheduler and Argo's executor on a cluster.

In: orders of the controller, each a pod and its template (`launcher.py`, open it first). `references.py` looks up the objects that
the pod refers to, then a runtime (`runtime.py` defines its interface) runs it: an agent, or processes of this machine (`process.py`;
`launch_texts.py` writes what a process gets).
Out: the events PodStarted, PodProgressed, PodWaiting and at last one PodFinished, the pod's document and status as Kubernetes shows them
(`pod_object.py`), and the lines of its logs (`log_lines.py`).

Whether and when a pod may start: `node_fit.py`, `resource_queue.py`, `disk_pressure.py`; all sentences about why it is pending:
`waiting.py`. What happens to an image: `image_choice.py`; pulls: `image_pulls.py`. Processes beside the server: the package `pod`,
which `workers.py` starts.
"""
