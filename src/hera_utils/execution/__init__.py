"""The execution engine: plan, provision, submit, follow and collect an experiment (docs/sweeps.md).

In: an Experiment and settings. Out: a `Run`. Open execution_engine.py first: what users call (`main`, `ExecutionEngine`). flags.py
reads the flags of a script. plan.py says what would run: definition.py calls the user's functions, fingerprints.py has the digests on
which a point depends, history.py what earlier runs computed, decisions.py which points run again and why, batches.py the split into
workflows. session.py is the order of one run, earlier_runs.py finds the one to continue, dispatcher.py submits and follows workflows,
write_conflicts.py keeps two runs apart; run.py is the result. reporter.py shows a script's reader what happens, advice.py says what to do
next.
"""
