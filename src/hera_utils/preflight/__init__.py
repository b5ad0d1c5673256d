"""Before a run: would it work? In: settings, an experiment's environment, a workflow. Out: all findings at once, each with its fix.

run.py asks everything (doctor), ready.py what a run asks before it begins. checks.py are the questions to this machine, here.py what a
workflow needs of it (called.py: of which of its templates; imports.py: of packages; validity.py: whether Argo would take it). Of a cluster:
contact.py (who answers, clocks, token), service.py (namespace, controller, the server's own word), rights.py,
objects.py (claims, config maps, secrets…), capacity.py (quotas, limit ranges);
asking.py puts the questions in parallel. Pure: needs.py and width.py (what a workflow refers to, how much of it runs at once), tokens.py,
limits.py (what no cluster takes), told.py (as people read it). Nothing is changed.
"""
