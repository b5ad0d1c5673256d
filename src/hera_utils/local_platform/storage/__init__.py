"""The local platform's storage. The controller writes each turn as one transaction; any thread reads the committed state.

Open `journal.py` first, and `journal.sql` beside it: the tables and every statement, by name.

journal.py      the SQLite file, and the only module that opens it; reserve.py keeps space for it on a full disk
records.py      objects, runs and pods as they are stored; read_model.py: what readers and listeners see of them
objects.py      what Kubernetes does to an object before it stores it; patches.py: how a patch changes an object
resources.py    the kinds that are served; services.py: defaults and validation of services and sets of pods
archive.py      runs that ended, also after they are deleted; disk.py: the disk space that the state folder takes
"""
