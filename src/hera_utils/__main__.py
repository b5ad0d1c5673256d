"""`python -m hera_utils` and the `hera-utils` command."""
