"""What a task sees: its Python, its working directory, its variables. Useful to find out where a platform runs things."""

from hera.workflows import DAG, Env, Parameter, Script, Workflow

import hera_utils

args = hera_utils.parse_arguments()
cluster = hera_utils.k8s_cluster(args)
hera_utils.argo_server(cluster, args).define_argo_server_part_of_environment()


def print_environment(greeting):
    import os
    import platform
    import sys

    print(greeting, "from Python", platform.python_version(), "on", platform.node())
    print("interpreter:", sys.executable)
    print("directory:", os.getcwd())
    for name in sorted(os.environ):
        print(f"{name}={os.environ[name]}")


with Workflow(
    generate_name="print-environment-",
    entrypoint="dag",
    arguments=Parameter(name="greeting", value="hello"),
) as w:
    show = Script(
        name="show",
        image="python:3.11",
        source=print_environment,
        inputs=[Parameter(name="greeting")],
        env=[Env(name="EXPERIMENT", value="print-environment"), Env(name="WORKFLOW", value="{{workflow.name}}")],
    )
    with DAG(name="dag"):
        show(name="show", arguments={"greeting": "{{workflow.parameters.greeting}}"})

w.create()
print(w.get_workflow_link())
