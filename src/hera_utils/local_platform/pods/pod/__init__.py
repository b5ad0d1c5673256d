"""What runs beside the server: one spawner, some workers, and in each of them the supervisor of one pod after another.

    server ──socket──▶ spawner ──clone──▶ worker with its supervisor ──spawn──▶ first process of a container
                                          own session, own process ids         own mounts
                                          in: the launch (launch_socket.py); out: pods/<uid>/supervisor.jsonl (pod_folder.py)

A Python task is a fork of its worker's fork server, and that one of the preloader, which the spawner makes (`preloader.py`).

In: a launch, by a socket. Out: the pod's folder with its logs and its outcome, and messages on the way (`wire.py`). Open `supervisor.py`
first: it walks from input artifacts (`inputs.py`) through the containers (`plan.py`, `containers.py`, `root_fs.py`) to the outputs
(`outputs.py`).

Only the standard library and this folder are imported here (`python -I -S`): a fork of a small process costs one or two milliseconds,
a fresh Python with site-packages fourteen. Nothing here outlives its pod, and a pod outlives the server. A house test says which files
the server and the client may import too: what both sides know of a pod's folder, of keys, ports and processes, and how files that tasks
can change are opened.
"""
