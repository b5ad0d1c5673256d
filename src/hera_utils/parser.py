"""`from hera_utils.parser import parser`, as scripts write it."""

from hera_utils.seed.parser import parser as parser
