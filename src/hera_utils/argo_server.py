"""`from hera_utils.argo_server import argo_server`, as scripts write it."""

from hera_utils.seed.argo_server import argo_server as argo_server
