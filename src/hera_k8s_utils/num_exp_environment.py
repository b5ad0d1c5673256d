"""The environment of a numerical experiment, from which scripts derive their own."""

from __future__ import annotations

import json
import types

from hera_k8s_utils.k8s_cluster import k8s_cluster
from hera_utils.seed.argo_server import argo_server


class Struct:
    """Whatever attributes a script gives it; `toJSON()` shows them, and theirs."""

    def toJSON(self) -> str:
        return json.dumps(self, default=_attributes, sort_keys=True, indent=4)


class num_exp_environment(Struct):
    """Hera is configured and the cluster answers when this is made. A script adds what its tasks need, mostly in `.cluster`.

    args: what a parser gave. verbose: print the configuration. k8s: the cluster.
    """

    def __init__(self, args: object, verbose: bool = False) -> None:
        argo = argo_server(args)
        if verbose:
            argo.print_config()
            print("Argo server looks ok.")  # noqa: T201 - a script asks for it by `verbose`
        self.k8s = k8s_cluster(args)
        self.k8s.assert_cluster()
        if verbose:
            self.k8s.print_config()
            print("Kubernetes cluster seems ok.")  # noqa: T201
        self.cluster = types.SimpleNamespace()

    def print_config(self) -> None:
        print("Environment of numerical experiment (at Python level):")  # noqa: T201
        print(self.toJSON())  # noqa: T201


def _attributes(value: object) -> object:
    """An object by its attributes; ours, and what has none, by what it is called: a connection holds a token."""
    if type(value).__module__.partition(".")[0] in ("hera_utils", "kubernetes") or not hasattr(value, "__dict__"):
        return repr(value)
    return vars(value)
