"""The version, which is that of hera_utils."""

from hera_utils.version import version as version
