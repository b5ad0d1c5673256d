"""The only writer. Requests and events come in by the inbox; each turn becomes one transaction, and then effects go out.

    inbox.py → controller.py: advance each run → effects.py: commands become rows and things to do → turn.py: written at once
             → readers see the turn → pods are launched or killed

Open `controller.py` first: its loop is the walk.

turn.py         what one transaction writes; a run as rows, and back from its rows
effects.py      what each of the interpreter's commands means; it keeps lock_table.py (who holds a lock, who is next), timers.py, metrics.py
lifecycle.py    pods that no workflow created, and the end of runs, pods and objects; jobs.py is Kubernetes' Jobs
admission.py    before a workflow becomes a run; edits.py: what a user may do to one afterwards
cron_clock.py   a second thread, which starts what is due of cron workflows
"""
