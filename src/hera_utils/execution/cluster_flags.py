"""What a command line asks of the cluster that an experiment runs on: `--doctor`, `--provision`, and what belongs to them."""

from __future__ import annotations

from typing import Any


def add_cluster_flags(group: Any) -> None:
    """group: of an argument parser."""
    for spellings, text in (
        (("--doctor",), "check everything that the run needs; run nothing"),
        (
            ("--provision",),
            "create what the experiment's environment describes and the cluster does not have, then run",
        ),
        (("--dry_run", "--dry-run"), "with --provision: show what would be created or changed; run nothing"),
        (("--force",), "with --provision: take over fields that others have set to other values"),
        (("--no_preflight", "--no-preflight"), "submit without checking first"),
    ):
        group.add_argument(*spellings, action="store_true", help=text)
    group.add_argument(
        "--role",
        metavar="FILE",
        help="as --doctor, and write the missing permissions as a Role, for the owner of the cluster",
    )
