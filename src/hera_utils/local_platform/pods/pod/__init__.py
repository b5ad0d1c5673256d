"""The processes beside the server: one spawner, some workers, and in each worker the supervisor of one pod after another.

    server ──socket──▶ spawner ──clone──▶ worker with its supervisor ──spawn──▶ first process of a container
                                          own session, own process ids         own mounts
                                          in: the launch (launch_socket.py); out: pods/<uid>/supervisor.jsonl (pod_folder.py)

A Python task is a fork of its worker's fork server, which is a fork of the preloader, which the spawner starts (`preloader.py`).

In: a launch, by a socket. Out: the pod's folder with its logs and its outcome, and messages on the way (`wire.py`). Open `supervisor.py`
first: it goes from input artifacts (`inputs.py`) through the containers (`plan.py`, `containers.py`, `root_fs.py`) to the outputs
(`outputs.py`).

Only the standard library and this folder are imported here (`python -I -S`): a fork of a small process costs one or two milliseconds,
a new Python with site-packages fourteen. No process here outlives its pod, and a pod outlives the server. A house test lists the files
that the server and the client may import too: those about a pod's folder, keys, ports and processes, and about opening files that
tasks can change.
"""
