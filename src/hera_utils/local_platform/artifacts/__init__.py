"""Artifacts on the local platform: where each one is, and what the server does with it.

In: artifacts and archive locations as Argo writes them in templates and nodes, and the secrets of a namespace. Out: places (`locations.py`,
open it first), paths in the platform's own store (`store.py`), downloads, lists of keys and removals from other stores (`remote_stores.py`,
`removal.py`), what is deleted when a run ends or is deleted (`gc.py`), and remarks about stores that the platform's own one replaces
(`substitutes.py`). `object_stores.py` is a program: a separate process that transfers one artifact from or to a store on the network.

Pods read and write artifacts themselves: `pods/pod` has the keys, and the one module that calls `object_stores.py`.
"""
