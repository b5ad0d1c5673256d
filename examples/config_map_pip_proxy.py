"""What differs from cluster to cluster, in a config map: here the HTTP proxy that pip needs to reach its index.

On this machine the config map is made with the data below when it is missing; on a cluster it must exist, and
--k8s_configmap_name (or KUBECONFIGMAP) says what it is called there.
"""

from hera.workflows import ConfigMapEnvFrom, Script, Workflow

from hera_utils import ConfigMap, Environment, Experiment, main

environment = Environment(
    config_map=ConfigMap(
        "proxies",
        data={"HTTP_PROXY": "http://proxy.example.org:3128", "HTTPS_PROXY": "http://proxy.example.org:3128"},
    )
)


def show_proxies():
    import urllib.request

    # pip takes its proxy from the same variables as urllib
    for scheme, proxy in sorted(urllib.request.getproxies().items()):
        print(f"{scheme} goes through {proxy}")


def define(environment, inputs, layout):
    with Workflow(generate_name="pip-proxy-", entrypoint="show-proxies") as w:
        Script(
            name="show-proxies",
            image="python:3.11",
            source=show_proxies,
            env_from=[ConfigMapEnvFrom(name=environment.cluster.configmap)],
        )
    return w


experiment = Experiment(workflow=define, environment=environment)

if __name__ == "__main__":
    main(experiment)
