"""`from hera_utils.version import version`, as scripts write it."""

from hera_utils.installed import version_of

version = version_of("hera_utils")
