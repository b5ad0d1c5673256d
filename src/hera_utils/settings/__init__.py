"""Settings: what a run is told from outside, and who told it.

In: flags, environment variables, files, what a script gives. Out: a `CLIContext` (resolve.py) whose every value remembers its origin.
fields.py names each setting once; sources.py reads (the only I/O); resolve.py decides (pure); parser.py is a script's door.
"""
