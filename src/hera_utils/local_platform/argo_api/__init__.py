"""Argo's REST API for the local platform: `argo_app`. One file for each of Argo's services; `argo.routes` says who answers what."""

from hera_utils.local_platform.argo_api.app import argo_app

__all__ = ["argo_app"]
