"""Where workflows run, seen from outside: the same for a cluster and for this machine.

In: settings. Out: a `Connection` (connection.py) and clients that use it. Open connect.py first, where settings become a connection.
This machine's own platform is the package local_platform, a server like any other.

way         connect.py, remote_server.py, discovery.py, port_forward.py, cluster_access.py, exec_plugin.py,
            namespace_creation.py (a missing one, on this machine)
this machine own_server.py (whose a connection is), own_server_session.py; own_server_adapter.py (the same check for requests)
tokens      token_sources.py (where one comes from), token.py (what it says)
Argo        argo_client.py (what one asks), argo_http.py, reconnect.py (broken streams), conflate.py (slow readers), idempotent_submit.py,
            artifact_downloads.py (the bytes for `hera-utils cp`), ranged_download.py, archived_logs.py
Kubernetes  cluster.py, cluster_messages.py, kubernetes_http.py, kubernetes_session.py, server_side_apply.py;
            provision.py with manifests.py, diff.py, roles.py: what an experiment needs; claim_folders.py, volumes.py: the files of a claim
Hera        hera_binding.py, hera_classes.py, hera_upgrades.py, hera_errors.py, versions.py, run_images.py (what a run says of its images)
errors      http_errors.py, http_session.py
researcher  execution_platform.py, argo_server.py, environment_of_submission.py
"""
