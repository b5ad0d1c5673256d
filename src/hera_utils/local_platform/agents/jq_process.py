"""The process that runs one jq filter: jq itself has no limits of time and memory, a process can have them.

jq.py runs it as a file, so that it imports only the standard library and jq. Its input: {"program", "document" (JSON text),
"library" (the folder of jq)}; its output: {"values": [JSON text, …]} or {"error": text}.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys

SECONDS = 2
"""Seconds of processor time."""
MEMORY = 512 << 20
"""Bytes of the whole process."""
LONGEST = 16 << 20
"""Characters of all values together."""


def main() -> None:
    request = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    # macOS does not support this limit.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # Python itself sets a locale variable, and a filter can read the environment.
    os.environ.clear()
    sys.path.append(request["library"])
    import jq

    try:
        values = jq.compile(request["program"]).input_text(request["document"]).text()
    except ValueError as error:
        answer: dict[str, object] = {"error": str(error)}
    else:
        answer = {"values": values.split("\n") if values else []}
        if len(values) > LONGEST:
            answer = {"error": "the result is too long"}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
