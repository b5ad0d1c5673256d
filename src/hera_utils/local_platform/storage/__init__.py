"""What the local platform remembers. Turns of the controller come in, each as one transaction; any thread reads what is committed.

Open `journal.py` first, and `journal.sql` beside it: the tables and every statement, by name.

journal.py      the SQLite file, and the only module that opens it; reserve.py keeps room for it on a full disk
records.py      objects, runs and pods as they are stored; read_model.py: what readers and listeners see of them
objects.py      what Kubernetes does to an object before it stores it; patches.py: how a patch changes one
resources.py    the kinds that are served, each once; services.py: what is completed and refused of services and sets of pods
archive.py      runs that ended, after they are deleted too; disk.py: what the state folder takes on the disk
"""
