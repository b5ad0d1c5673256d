"""Write docs/apis.md: what the local platform answers of Argo's and Kubernetes' APIs, from the tables that the servers use.

.venv/bin/python tools/generate_apis.py            # write the file
.venv/bin/python tools/generate_apis.py --check    # exit status 1 when it is not up to date
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from hera_utils.argo.routes import ROUTES
from hera_utils.local_platform.storage.resources import RESOURCES

TARGET = Path(__file__).resolve().parent.parent / "docs/apis.md"

HEAD = """\
# The two APIs of the local platform

Made by `tools/generate_apis.py` from `argo/routes.py` and `local_platform/storage/resources.py`; edit these, not this page.

Both listen on 127.0.0.1 only. Every call needs the bearer token (`hera-utils connection`), except from the platform's own page in this
user's browser (`docs/decisions/0002-page-without-token.md`). Foreign clients that are tested against them: Hera, the official
`argo-workflows` client, lightkube, the official `kubernetes` client, kubectl, and by hand the `argo` CLI 4.1.2.

## Where they differ from a cluster, on purpose

| what | on a cluster | here |
| --- | --- | --- |
| list of workflows with a limit | `continue` is set only when an archive has more | set whenever more remain |
| `stream/events` | 500 (it cannot write core/v1 events) | streams them |
| watch of workflows | an event for each change | the latest state, up to ten times a second, large ones every few seconds |
| archived workflows | those of the database | every run that ended; other calls never fall back to them |
| `artifacts-by-uid` | archived workflows | any workflow by its uid |
| logs | a pod's lines, the emissary's included, while the pod exists | the task's own lines, as long as the run is kept |
| creating an invalid workflow or template through Kubernetes | stored; the run fails later | refused with Argo's message |
| changing a workflow through Kubernetes | anything | labels, annotations, `spec.suspend`, `spec.shutdown` |
| server-side apply | each field has an owner | the same; a list is one field, and owners are those who apply |
| message of a pending node | as it was written | why its pod waits at this moment, with numbers (decision 0017) |
| a pod's address | its own, for everything | its own of 127.64.0.0/10 for TCP servers; else the machine's network (decision 0016) |
| who may do what | roles | whoever holds the token may do everything served here |
| how large a request may be | see [limits](limits.md) | see there |

"""


NOTES = """

Lists come in pages (`limit`, `continue`) and as tables; label and field selectors, `dryRun=All`, resource versions, watches with
bookmarks and 410 for versions that are too old. Patches: JSON patch, merge patch, strategic merge patch, apply. Bodies: JSON, YAML,
and protocol buffers of the kinds that kubectl sends so. Besides: `/version`, `/api`, `/apis`, `/openapi/v3` (just enough for
kubectl), `/healthz`, `/livez`, `/readyz`.
"""


def argo() -> str:
    """One table a service."""
    parts = ["## Argo's REST API\n\n"]
    for service, found in itertools.groupby(ROUTES, lambda route: route.operation.partition("_")[0]):
        rows = [
            f"| {route.operation.partition('_')[2]} | {route.method} | `{route.path}` | {_answer(route.supported, route.stream)} |"
            for route in found
        ]
        parts.append(
            f"### {service}\n\n| operation | method | path | |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n\n"
        )
    return "".join(parts)


def _answer(supported: bool, stream: bool) -> str:
    if not supported:
        return "501 Not Implemented"
    return "stream" if stream else ""


def kubernetes() -> str:
    rows = [
        f"| {resource.kind} | {resource.group_version} | {'a namespace' if resource.namespaced else 'the whole platform'} | "
        f"{', '.join(resource.verbs)} | {', '.join(resource.subresources)} |"
        for resource in RESOURCES
    ]
    head = "## Kubernetes' API\n\n| kind | group | belongs to | verbs | also |\n| --- | --- | --- | --- | --- |\n"
    return head + "\n".join(rows) + NOTES


def page() -> str:
    return HEAD + argo() + kubernetes()


def main() -> int:
    if "--check" in sys.argv:
        if TARGET.read_text() != page():
            print("docs/apis.md is not up to date: run tools/generate_apis.py")
            return 1
        return 0
    TARGET.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
