"""What is known of a run: the record that its script writes on this machine, and the documents of its workflows on the platform.

In: a run's name, an Argo client, the folders in which records may be. Out: a `WholeRun` (documents, points, facts), an `Outcome`
(how it ended and what failed), what of it is still to come.

Begin with record.py, the folder `runs/<run>/`, and with whole_run.py, which brings record and platform together. remaining.py says
what is not submitted yet; outcome.py reads how a workflow ended, failure_kind.py of which kind a failure is, failure_summary.py what a
person is told of it; come_back.py says how to come back to a run that was left. catalogue.py is all runs together: conditions.py
searches it, comparison_table.py compares, file_digests.py says which files a run read and wrote, notes.py what its user says of it,
record_folders.py where records are.
"""
