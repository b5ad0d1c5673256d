"""This machine as a platform: one loopback server that speaks Argo's and Kubernetes' APIs and executes workflows itself.

    request → argo_api/ or kubernetes_api/ → platform.py → controller/ → interpreter.advance → storage/ (one transaction)
                                                                       → pods/ or agents/ → events → controller/ …

Clients come in by HTTP alone; they know of this package only `daemon.py`, which starts, finds and stops the server. Open `platform.py`
first: it is all that the two APIs see.

daemon.py, server.py       one server a state folder; its sockets, applications and end
argo_api/, kubernetes_api/ the two APIs; serving/ is what they share, page/ the page for browsers
platform.py                objects, runs and pods: read here, change through the controller
controller/                the only writer: one thread, one inbox, one transaction a turn
storage/                   the journal (SQLite), what readers see of it, what Kubernetes does to an object
pods/, agents/             what runs a template: processes of this machine, or threads of the server
artifacts/                 the artifact store of this machine, and stores on the network
"""
