"""What an Argo workflow means: `advance(run, event) -> commands`. Pure.

In: a run and an event (events.py). Out: the run, updated in place, and commands to carry out (commands.py). Open advance.py first.
Meaning, names, phases and messages are those of Argo 4.1.2.
"""
