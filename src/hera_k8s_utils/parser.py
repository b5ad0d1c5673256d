"""The command line of a script that needs the cluster as well as the Argo server."""

from __future__ import annotations

from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.connection import Connection
from hera_utils.seed.arguments import context_of
from hera_utils.seed.parser import parser as hera_utils_parser


class parser(hera_utils_parser):
    """hera_utils' parser, which knows `--k8s_config_file` as well.

    hera_utils_parser: one that is extended already, or its `.get_parser()`.
    """

    def __init__(self, hera_utils_parser: object = None) -> None:
        super().__init__(hera_utils_parser)
        if "--k8s_config_file" not in self.parser._option_string_actions:
            self.parser.add_argument("--k8s_config_file", help="the kubeconfig of the cluster (KUBECONFIG)")

    @staticmethod
    def verify_args(args: object) -> None:
        """Nothing when the settings lead to a cluster (this machine is one), else an error that says what to name."""
        context = context_of(args)
        if context.platform != "local":
            Cluster(Connection("", kubeconfig=context.k8s_config_file, context=context.k8s_context)).kubeconfig()
