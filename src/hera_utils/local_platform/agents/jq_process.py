"""The process that carries out one jq filter: jq knows no bounds, a process does.

Run by jq.py as a file, so that it imports nothing but the standard library and jq. On its input: {"program", "document" (text of JSON),
"library" (the folder of jq)}; on its output: {"values": [text of JSON, …]} or {"error": text}.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys

SECONDS = 2
"""Of computing."""
MEMORY = 512 << 20
"""Bytes of the process as a whole."""
LONGEST = 16 << 20
"""Characters of all values."""


def main() -> None:
    request = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    # macOS knows no such limit
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # the locale that Python sets for itself; a filter may ask for the environment
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
