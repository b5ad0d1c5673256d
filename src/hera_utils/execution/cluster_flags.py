"""What a command line asks of the cluster that an experiment runs on: `--doctor`, `--provision`, and what belongs to them."""

from __future__ import annotations

from typing import Any


def add_cluster_flags(group: Any) -> None:
    """group: of an argument parser."""
    for spellings, text in (
        (("--doctor",), "check everything that the run needs, and run nothing"),
        (("--provision",), "make what the experiment's environment describes and the cluster lacks, then run"),
        (("--dry_run", "--dry-run"), "with --provision: show what would be made or changed, and run nothing"),
        (("--force",), "with --provision: take over what others have set otherwise"),
        (("--no_preflight", "--no-preflight"), "submit without checking before what it needs"),
    ):
        group.add_argument(*spellings, action="store_true", help=text)
    group.add_argument(
        "--role", metavar="FILE", help="as --doctor, and write the rights that lack, for the cluster's owner"
    )
