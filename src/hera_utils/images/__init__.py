"""Container images without Docker: from a registry or a file into the store of this machine, where pods find their layers.

In: the name of an image as a workflow writes it (reference.py), and the logins of registries. Out: layers, one folder each, and what
the image says of its command and environment. Open first: reference.py, which explains what a name means; pull.py, which brings an
image here by way of registry.py (the questions), tokens.py (who asks) and transport.py (HTTP); then store.py, which says what lies where,
and unpack.py, which makes a layer's tar a folder. choice.py decides: a stand-in, a pull, or a refusal.
"""
