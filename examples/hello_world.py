"""Hello, world: the smallest workflow, on the platform that the command line, the environment or a profile names (else this machine).

python examples/hello_world.py                                # or: hera-utils run examples/hello_world.py
python examples/hello_world.py --argo_server https://argo.example.org --argo_namespace lab
"""

from hera.workflows import Container, Workflow

import hera_utils

# What designates the platform: flags, environment variables, files.
args = hera_utils.parse_arguments()
# Assert that the cluster and its Argo server can be reached; with none named both are this machine.
cluster = hera_utils.k8s_cluster(args)
argo_server = hera_utils.argo_server(cluster, args)
# Tell Hera: address, token, namespace, service account.
argo_server.define_argo_server_part_of_environment()

with Workflow(generate_name="hello-world-", entrypoint="hello") as w:
    Container(name="hello", image="busybox", command=["echo"], args=["hello world"])

w.create()
print(w.get_workflow_link())
