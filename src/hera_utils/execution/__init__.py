"""The execution engine: the order of things. In: an Experiment and settings. Out: a `Run`.

plan (plan.py) → provision, submit, follow (execution_engine.py) → collect (run.py). screen.py is what a script's reader sees of it.
"""
