"""What runs beside the server: one spawner, one supervisor per pod, one first process per container.

    server ──socket──▶ spawner ──fork──▶ supervisor (own session) ──clone──▶ first process of a container ──▶ the command
                                          pods/<uid>/supervisor.jsonl          own mounts, own process ids
                                          pods/<uid>/outcome.json

Only the standard library and this folder are imported here (`python -I -S`): a fork of a small process costs about a
millisecond, a fresh Python with site-packages fourteen. Nothing here outlives its pod, and a pod outlives the server.
"""
