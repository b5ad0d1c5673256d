"""hera_utils: numerical experiments as Hera scripts that run anywhere."""
