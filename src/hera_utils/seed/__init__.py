"""The names of the first hera_utils and hera_k8s_utils, for the scripts that were written for them.

All code that exists only to run those scripts unmodified is in this folder, in the four one-line modules `argo_server`, `parser`,
`utils`, `version` beside it, which those scripts import by name, and in the package hera_k8s_utils. Each name is a thin layer over
today's objects; decision 0020 gives the differences from the originals and their reasons.
"""
