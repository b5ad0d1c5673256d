"""Argo's REST API for the local platform. HTTP requests come in; JSON, files and streams of events go out.

hera_utils.argo.routes names the handler of each operation, as `module.function` of this folder. A handler is a plain function
ArgoRequest → Reply. Open `app.py` first.

app.py, request.py, answers.py   from HTTP to a handler, and back
workflows.py, actions.py         list, get, create, delete; stop, resume, retry…
watches.py, logs.py, following.py   streams: events of changes, lines of logs
templates.py, submission.py, archive.py, artifacts.py, events.py, sync.py, metrics.py, info.py   the other services
"""

from hera_utils.local_platform.argo_api.app import argo_app

__all__ = ["argo_app"]
