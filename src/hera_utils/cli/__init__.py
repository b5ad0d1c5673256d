"""The commands: the only place that prints and exits.

In: the words of a command line. Out: the answer on stdout, everything else on stderr, and an exit status: 0 done, 1 the run failed or a
check found a problem, 2 the command line, the settings or the platform are wrong, 130 Ctrl-C, 124 --timeout has passed.
Open main.py first: it turns errors into sentences; commands.py lists the commands, each in a file of its name, imported when it is called.
Commands on runs share run_names.py (which run a name means), run_catalogue.py (the recorded runs), following.py, outcome.py (how a run
ended and what to do) and run_actions.py (what stop, retry, resume… do to each workflow of a run).
"""
