"""Loaded dice for a task of a recorded case (see dice.py): Python reads this file when it starts.

Beside it lies one file a case, named by its generateName: lines of the node's name, TAB, the seed (-: none), TAB, the seconds by which
the task comes later than another that the recording has first. Beside it, `sh` does the same for shells.
"""

import os
import time


def draw(folder):
    """(seed, seconds) of the task that this is, ("", 0) when nothing is recorded of it."""
    workflow = os.environ.get("ARGO_WORKFLOW_NAME", "")
    node_id = os.environ.get("ARGO_NODE_ID", "")
    try:
        with open(os.path.join(folder, workflow[:-5]), encoding="utf-8") as file:  # generateName and five characters
            lines = file.read().splitlines()
    except OSError:
        return "", 0.0
    for line in lines:
        name, seed, seconds = line.split("\t")
        name = name.replace("<wf>", workflow)
        if node_id == (workflow if name == workflow else f"{workflow}-{_fnv1a32(name)}"):
            return seed.strip("-"), float(seconds)
    return "", 0.0


def _fnv1a32(text):
    """Argo's ids of nodes: the workflow's name and this hash of the node's name."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


_seed, _seconds = draw(os.path.dirname(os.path.abspath(__file__)))
time.sleep(_seconds)
if _seed:
    import random

    random.seed(int(_seed))
