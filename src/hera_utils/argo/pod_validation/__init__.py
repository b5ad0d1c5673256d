"""Kubernetes' validation of pods, with its messages: `pods.py` is the entry, each other module checks one part. Pure."""
