"""Before a run: would it work? Nothing is changed.

In: settings, an experiment's environment, workflows. Out: all findings (finding.py) at once, each problem with its fix.
Open run.py first: it asks everything (`doctor`); ready.py asks what a run needs before it begins.
This machine: machine.py, local_workflow.py (what a workflow needs here), reachable_templates.py, imports.py, validity.py.
A cluster: connectivity.py (who answers, clocks, token), service.py (namespace, controller, the server's own answer), rights.py,
objects.py (claims, config maps, secrets…), capacity.py (quotas, limit ranges); inquiry.py asks in parallel.
Pure: needs.py and concurrency.py (what a workflow refers to, how much of it runs at once), limits.py (what no cluster accepts),
findings_text.py.
"""
