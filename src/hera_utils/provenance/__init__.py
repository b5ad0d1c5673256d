"""The origin of a run, recorded in enough detail to repeat it.

In: a whole run, its results, the script's folder. Out: an RO-Crate (a manifest, the script, the workflows, the packages) that other
tools read and `hera-utils rerun` repeats; digests of the user's modules, by which a resumed run knows that code has changed.

Begin with crate.py, which collects; manifest.py is the JSON-LD, rerun.py reads it again. modules.py finds the user's modules that
a script imports, python_source.py reads source, python.py lists packages, git.py the commit.
"""
