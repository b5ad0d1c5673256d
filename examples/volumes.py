"""A volume that outlives the run: one task writes a file to it, the next one reads it.

On this machine the claim is a folder, made when it is missing and named at the start (--volume notes=./notes chooses it); take files
out of it with `hera-utils cp notes:/ ./here`. On a cluster the claim must exist.
"""

from hera.workflows import DAG, ExistingVolume, Script, Workflow

from hera_utils import Environment, Experiment, PersistedVolume, main

environment = Environment(persisted_volume=PersistedVolume("notes", size="10Mi", mount_path="/notes"))


def write():
    with open("/notes/note.txt", "a") as file:
        file.write("one more line\n")


def read():
    with open("/notes/note.txt") as file:
        print(file.read(), end="")


def define(environment, inputs, layout):
    persisted = environment.persisted_volume
    volume = ExistingVolume(name="notes", claim_name=persisted.claim_name, mount_path=persisted.mount_path)
    with Workflow(generate_name="volumes-", entrypoint="dag") as w:
        writer = Script(name="write", image="python:3.11", source=write, volumes=[volume])
        reader = Script(name="read", image="python:3.11", source=read, volumes=[volume])
        with DAG(name="dag"):
            writer(name="write") >> reader(name="read")
    return w


experiment = Experiment(workflow=define, environment=environment)

if __name__ == "__main__":
    main(experiment)
