"""Flip a coin until it falls on heads: a script task whose printed result decides what comes next, and a template that calls itself."""

from hera.workflows import Container, Step, Steps, Workflow, script

import hera_utils

args = hera_utils.parse_arguments()
cluster = hera_utils.k8s_cluster(args)
hera_utils.argo_server(cluster, args).define_argo_server_part_of_environment()


@script(image="python:3.11")
def flip():
    import random

    print(random.choice(["heads", "tails"]))


with Workflow(generate_name="coin-flip-", entrypoint="game") as w:
    heads = Container(name="heads", image="busybox", command=["echo"], args=["it was heads"])
    with Steps(name="game") as game:
        coin = flip(name="flip")
        with game.parallel():
            Step(name="heads", template=heads, when=f"{coin.result} == heads")
            Step(name="tails", template="game", when=f"{coin.result} == tails")

w.create()
print(w.get_workflow_link())
