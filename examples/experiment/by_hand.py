"""The same experiment without the execution engine: each step in the open."""

if __name__ == "__main__":
    from hera_utils import argo_server, k8s_cluster, parse_arguments

    # The parsed arguments and environment variables designate
    #   1. a Kubernetes cluster
    #   2. an Argo server on it
    # With none named, both are this machine.
    args = parse_arguments()
    # Assert that they can be reached:
    cluster = k8s_cluster(args)
    server = argo_server(cluster, args)
    # Hera submits there from now on (address, token, namespace):
    server.define_argo_server_part_of_environment()

    # The environment of execution (what must be changed when the cluster changes):
    from environment import construct_environment

    environment = cluster.provision(construct_environment(args))

    # The inputs (what must be changed when the experiment changes):
    from inputs import inputs

    # How the experiment names its inputs and outputs and organizes them:
    from layout import ExperimentLayout

    layout = ExperimentLayout(inputs.constants)

    # The computation, solely from these three:
    from workflow import define, gather

    points = define(environment, inputs, layout)
    points.create()
    print(points.get_workflow_link())
    # The table needs every point:
    if points.wait(poll_interval=1).status.phase == "Succeeded":
        gather(environment, inputs, layout).create()
