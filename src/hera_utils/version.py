"""`from hera_utils.version import version`, as scripts write it."""

from importlib import metadata

version = metadata.version("hera_utils")
