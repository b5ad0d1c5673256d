"""Settings: what a run is told from outside, and who told it.

In: flags, environment variables, files, what a script gives. Out: a `CLIContext` (resolve.py) whose every value remembers its origin.
fields.py names each setting once; sources.py asks flags, variables and files, strongest first (files.py: TOML files; values.py: values,
table_values.py: those that are tables); resolve.py decides (pure); parser.py is a script's door. profiles.py changes the files of
profiles (toml_text.py: their text, pure); kubeconfig.py reads kubeconfigs.
"""
