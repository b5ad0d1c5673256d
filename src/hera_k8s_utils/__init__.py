"""The names of the first users' second package, hera_k8s_utils, so that scripts that import it run unmodified.

All of it is hera_utils under other names: `parser`, `k8s_cluster`, and `num_exp_environment`, from which scripts derive the environment
of their experiment. New scripts import hera_utils alone.
"""

from hera_k8s_utils.k8s_cluster import k8s_cluster
from hera_k8s_utils.num_exp_environment import num_exp_environment
from hera_k8s_utils.parser import parser
from hera_k8s_utils.version import version

__version__ = version
__title__ = "hera_k8s_utils"
__all__ = ["k8s_cluster", "num_exp_environment", "parser"]
