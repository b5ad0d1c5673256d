"""Cron workflows: their times, and their actions at these times. Pure.

In: a cron workflow, its history and a time. Out: the next time, and the workflow to start, if any. Open cron_workflow.py first;
schedules.py reads and checks schedules as robfig/cron does.
"""
