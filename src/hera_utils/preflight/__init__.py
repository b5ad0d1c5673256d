"""Checks before a run whether it would work, without changing anything.

In: settings, an experiment's environment, workflows. Out: all findings (finding.py) at once, each problem with its fix.
Open run.py first: it runs all checks (`hera-utils doctor`); ready.py runs only those that a run needs before it begins.
This machine: machine.py (whether it can run anything), local_workflow.py (whether it can run this workflow), reachable_templates.py,
local_images.py (what happens to its images), imports.py, validity.py.
A cluster: connectivity.py (who answers, clocks, the token, the registry), controller.py (whether Argo's controller is alive), dry_run.py
(whether the server would accept the workflow), rights.py, objects.py (the namespace, claims, config maps, secrets…), quotas.py
(quotas, limit ranges); inquiry.py asks in parallel.
Pure: needs.py (what a workflow refers to), task_counts.py (its tasks and pods, and how many run at once), size_limits.py (what no
cluster accepts), findings_text.py (findings as text).
"""
