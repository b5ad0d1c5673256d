"""Whether Kubernetes' API server would take a pod, in its own words: `pods.py` begins, one module looks at one part. Pure."""
