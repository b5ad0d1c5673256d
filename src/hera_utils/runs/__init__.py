"""The data of a run: the record that its script writes on this machine, and the documents of its workflows on the platform.

In: a run's name, an Argo client, the folders that may have records. Out: a `WholeRun` (documents, points, facts), an `Outcome` (how it
ended and what failed), and what is still to be submitted.

Begin with record.py, the folder `runs/<run>/`, and with whole_run.py, which joins record and platform. remaining.py says what is not
submitted yet, point_status.py how the points of a workflow stand; outcome.py reads how a workflow ended, failure_cause.py classifies a
failure, failure_summary.py describes it for users; come_back.py says how to come back to a run. catalogue.py has all runs: conditions.py
searches it, comparison_table.py compares runs, file_digests.py knows which files a run read and wrote, notes.py has the user's notes,
record_folders.py the folders of the records.
"""
