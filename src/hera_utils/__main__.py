"""`python -m hera_utils` and the `hera-utils` command."""

from __future__ import annotations

import sys


def main() -> None:
    from hera_utils.cli.door import enter

    sys.exit(enter(sys.argv[1:]))


if __name__ == "__main__":
    main()
