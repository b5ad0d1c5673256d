"""What an Argo workflow means: `advance(run, event) -> commands`. Pure.

In: a run and what happened to it (events.py). Out: the run, updated in place, and what it wants done (commands.py).
Meaning, names, phases and messages are those of Argo 4.1.2.
"""
