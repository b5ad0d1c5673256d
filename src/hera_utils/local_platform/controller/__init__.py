"""The only writer. Requests and events come in by the inbox; each turn becomes one transaction, and then effects go out.

    inbox.py → controller.py: advance each run → effects.py: commands become rows and actions → turn.py: write all in one transaction
             → readers see the turn → pods are launched or killed

Open `controller.py` first: its loop runs all steps.

turn.py         what one transaction writes; a run as rows, and back from its rows
effects.py      carries out the interpreter's commands; it keeps the timers, lock_table.py (who holds a lock, who is next), metrics.py
lifecycle.py    pods that no workflow created, and the deletion of runs, pods and objects; jobs.py is Kubernetes' Jobs
admission.py    checks a workflow before it becomes a run; edits.py: what a user may change afterwards
cron_clock.py   a second thread, which starts the due runs of cron workflows
"""
