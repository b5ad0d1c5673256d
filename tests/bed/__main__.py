"""`python -m tests.bed up | down | show`: a bed by hand. `up` prints what to export; it stands until `down`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .build import Unavailable
from .handle import Bed, Place
from .joining import down, known_of, up, usual_folder

NAMESPACE = "experiments"


def show(bed: Bed) -> None:
    place = Place(bed, NAMESPACE)
    print(f"# Kubernetes {bed.kubernetes}, Argo {bed.argo_server}, files {bed.folder}")
    for user in ("admin", "owner", "researcher", "reader", "nobody"):
        print(f"# {user:<11} kubeconfig {place.kubeconfig(user)}")
    print(f"export KUBECONFIG={place.kubeconfig('researcher')}")
    print(f"export ARGO_SERVER={bed.argo_server} ARGO_NAMESPACE={NAMESPACE}")
    print(f"export REQUESTS_CA_BUNDLE={bed.authority} SSL_CERT_FILE={bed.authority}")
    print(f"export ARGO_TOKEN=$(cat {bed.folder}/kubeconfigs/tokens/{NAMESPACE}-researcher)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bed", description=__doc__)
    parser.add_argument("what", choices=("up", "down", "show"))
    parser.add_argument("--folder", type=Path, help="where it stands (else the usual one, which tests share)")
    args = parser.parse_args()
    try:
        if args.what == "up":
            show(up(args.folder))
        elif args.what == "down":
            print("ended" if down(args.folder) else "no bed stands")
        else:
            known = known_of(args.folder or usual_folder())
            if known is None:
                sys.exit("no bed stands: python -m tests.bed up")
            show(Bed(known))
    except (Unavailable, RuntimeError) as why:
        sys.exit(str(why))


if __name__ == "__main__":
    main()
