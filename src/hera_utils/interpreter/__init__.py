"""The execution of an Argo workflow as a pure function: `advance(run, event) -> commands`.

In: a run and an event (events.py). Out: the run, updated in place, and commands to carry out (commands.py). Open advance.py first.
Meaning, names, phases and messages are those of Argo 4.1.2.

walk    walk.py recurses over the frames (frames.py) with what context.py lets planners know; nodes/ has a planner per type of node
run     state.py, start.py, finish.py, gc.py, stall.py; user_events.py (stop, suspend, resume, set), deadlines.py, killed.py,
        answers.py (of the controller), retry_in_place.py
nodes   ledger.py, templates.py (which one is called), open_node.py, new_nodes.py, close_node.py, unopened.py, outbound.py (edges)
when    depends.py, loops.py, items.py, node_hooks.py (of steps and tasks; the workflow's own: nodes/workflow.py), limits.py,
        lock_requests.py (the controller grants them), cache.py
values  arguments.py, substitution.py, scope.py, variables.py, outputs.py, values.py, sprintf.py, faults.py
pods    pods.py, podspec.py, artifact_repository.py (where artifacts go), outcomes.py, progress.py, metrics.py
before  document.py, submission.py, resubmit.py, event_binding.py, remarks.py; validation/ (what Argo would refuse), cron/
"""
