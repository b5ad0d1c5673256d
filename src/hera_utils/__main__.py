"""`python -m hera_utils` and the `hera-utils` command."""

from __future__ import annotations

import gc
import sys

_BETWEEN_COLLECTIONS = 100_000
"""Objects: the commands are short, and most of what they make stays."""

_INTERRUPTED = 130


def main() -> None:
    gc.set_threshold(_BETWEEN_COLLECTIONS)
    try:
        from hera_utils.bytecode_cache import cached_bytecode

        with cached_bytecode("commands"):
            from hera_utils.cli.main import enter

        status = enter(sys.argv[1:])
    except KeyboardInterrupt:  # while the command line itself is imported: nothing has begun
        sys.exit(_INTERRUPTED)
    gc.freeze()  # the system takes the memory back anyway: the interpreter need not search it for cycles at its end
    sys.exit(status)


if __name__ == "__main__":
    main()
