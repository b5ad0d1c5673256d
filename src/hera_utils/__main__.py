"""`python -m hera_utils` and the `hera-utils` command."""

from __future__ import annotations

import sys


def main() -> None:
    if any("token" in word or "proxy" in word for word in sys.argv):
        from hera_utils.settings.hide_argv import hide_typed_secrets

        hide_typed_secrets(sys.argv)  # before anything else is imported: others may read it meanwhile

    from hera_utils.cli.main import enter

    sys.exit(enter(sys.argv[1:]))


if __name__ == "__main__":
    main()
