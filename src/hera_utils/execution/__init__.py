"""The execution engine: the order of things. In: an Experiment and settings. Out: a `Run`.

definition.py calls the user's functions; fingerprints.py what a point depends on; standing.py what
earlier runs have done; plan.py and parts.py what will be sent; campaign.py sends and follows it; realization.py is the order of all
that; execution_engine.py is what a user calls; screen.py what a script's reader sees; run.py what remains. docs/sweeps.md is the meaning.
"""
