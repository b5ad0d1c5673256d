"""Behaves as a worker does for Python tasks: runs commands one after the other as forks, and prints how each ended as JSON.

python -c "exec(open('forking_worker.py').read())" FOLDER COMMANDS      FOLDER: the package `pod`'s; COMMANDS: JSON, see below
"""

# ruff: noqa: E402
import sys

started_with = frozenset(sys.modules)
sys.path[0] = sys.argv[1]

import _thread
import json
import os
import signal
import time

from pod.preloader import Preloader
from pod.warm_python import WarmPython

asked = json.loads(sys.argv[2])  # {"runs": [[program, argument…]…], "env": {}, "folder": the tasks'}
preloader = Preloader(started_with)
preloader.ensure()
warm = WarmPython(preloader, os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
signal.signal(signal.SIGTERM, lambda *_: None)  # a worker handles signals, and has a thread that answers requests
_thread.start_new_thread(time.sleep, (1000,))
os.chdir(asked["folder"])
ends = []
for argv in asked["runs"]:
    end = {"forked": not warm.obstacle(argv[0], argv, asked["env"])}
    if end["forked"]:
        nothing, out, err = os.open("/dev/null", os.O_RDONLY), os.memfd_create("out"), os.memfd_create("err")
        pid = warm.start(argv[0], argv, asked["env"], {0: nothing, 1: out, 2: err})
        while not (told := warm.hear()):  # the first message may be about its imports
            pass
        ((ended, end["code"], _),) = told
        assert ended == pid
        for name, fd in (("out", out), ("err", err)):
            end[name] = os.pread(fd, 1 << 20, 0).decode()
        for fd in (nothing, out, err):
            os.close(fd)
    ends.append(end)
    warm.learn()
    warm.end()
    warm.prepare()  # when it returns, the preloader has handled all earlier messages
    while preloader.importing:
        time.sleep(0.001)
print(json.dumps(ends), flush=True)
os._exit(0)
