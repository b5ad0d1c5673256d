"""The door: the only place that prints and exits.

In: what was typed. Out: text on stdout (what was asked for) and stderr (all the rest), an exit status: 0 done, 1 the run failed or a check
found a problem, 2 the user's input, settings or platform, 130 Ctrl-C, 124 the limit of a wait. door.py turns errors into
sentences; commands.py lists the commands, each in a file of its name, imported when it is called.
"""
