"""The wire formats of Argo and Kubernetes: names, routes, faults, schema, selectors. Pure, and independent of running workflows."""
