"""This machine as a platform: one loopback server that speaks Argo's and Kubernetes' APIs and executes workflows itself.

    request → argo_api/ or kubernetes_api/ → platform.py → controller/ → interpreter.advance → storage/ (one transaction)
                                                                       → pods/ or agents/ → events → controller/ …

Clients use HTTP only; of this package they import only `daemon.py`, which starts, finds and stops the server. Open `platform.py`
first: the two APIs use nothing else.

daemon.py, server.py       one server per state folder; its sockets, applications and end (server_process.py: its process, before its order)
argo_api/, kubernetes_api/ the two APIs; serving/ is what they share, page/ the page for browsers
platform.py                objects, runs and pods: reads them here, changes them through the controller
controller/                the only writer: one thread, one inbox, one transaction per turn
storage/                   the journal (SQLite), what readers see of it, what Kubernetes does to an object
pods/, agents/             what runs a template: processes of this machine, or threads of the server
artifacts/                 the artifact store of this machine, and stores on the network
"""
