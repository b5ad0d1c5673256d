"""What Argo and Kubernetes say on the wire: names, routes, faults, schema, selectors. Pure; knows nothing of running."""
