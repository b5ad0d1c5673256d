"""`python -m hera_utils` and the `hera-utils` command."""

from __future__ import annotations

import gc
import os
import sys

_BETWEEN_COLLECTIONS = 100_000
"""Number of objects. It is large because commands are short and most of their objects live until the end."""

_INTERRUPTED = 130


def main() -> None:
    gc.set_threshold(_BETWEEN_COLLECTIONS)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed: the next file or pipe would take the descriptor and be mistaken for it
            setattr(sys, name, open(os.devnull, "r+", encoding="utf-8"))  # noqa: SIM115  used until the end
    try:
        from hera_utils.local_platform import server_process

        server_process.start_early(sys.argv[1:], os.environ)
        from hera_utils.bytecode_cache import cached_bytecode

        with cached_bytecode("commands"):
            from hera_utils.cli.main import run_command_line

        status = run_command_line(sys.argv[1:])
        server_process.end_waiting()
    except KeyboardInterrupt:  # Ctrl-C during the imports of the command line; nothing has begun
        sys.exit(_INTERRUPTED)
    gc.freeze()  # the interpreter then does not search for cycles at its end, as the system frees the memory anyway
    sys.exit(status)


if __name__ == "__main__":
    main()
