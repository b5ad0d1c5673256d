"""Following a run until it ends, and showing its progress.

In: the states of a workflow as an Argo client streams them, or the documents of all workflows of a run; the caller's console.
Out: the drawing on that console (or in a notebook), and the last state.

Begin with follow.py, the loop. progress.py folds a document into counts and rows, run_progress.py those of several workflows;
progress_text.py puts them into words, terminal.py and notebook.py show them, display.py chooses between the two.
waits.py says why tasks cannot start, deadline.py limits the waiting.
"""
