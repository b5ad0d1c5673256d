"""Argo's validation of a workflow: all checks of workflow/validate, with their messages. Pure.

In: a document and the stored templates that it refers to. Out: nothing, or InvalidWorkflow. Open workflow.py first; templates.py walks
from the entrypoint down, leaf.py, graph.py and fields.py check the parts, variables.py and template_scope.py know what may be named,
stored.py has the checks of Kubernetes' own schema.
"""
