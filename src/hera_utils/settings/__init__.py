"""Settings: the values that a run receives from outside, and their origins.

In: flags, environment variables, files, values of the script. Out: a `CLIContext` (resolve.py) with the origin of each value.
fields.py defines each setting once; sources.py reads flags, variables and files, strongest first (files.py: TOML files; values.py:
single values; table_values.py: tables); resolve.py picks the winner (pure); parser.py is what scripts call. profiles.py changes the
files of profiles (toml_text.py: their text, pure); kubeconfig.py reads kubeconfigs.
"""
