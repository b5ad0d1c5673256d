"""Before a run: would it work? In: settings (and an experiment's environment). Out: all findings at once, each with its fix.

checks.py has one function a question, run.py asks them all; limits.py knows what an Argo server will not take. Nothing is changed.
"""
