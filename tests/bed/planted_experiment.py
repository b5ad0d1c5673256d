"""An experiment whose tasks are given a secret and use it; what they say of it is its digest. One more fails when asked to."""

from hera.workflows import DAG, ExistingVolume, Parameter, Script, SecretEnv, Task, Workflow

from hera_utils import Environment, ExecutionEngine, Experiment, Inputs, Layout, PersistedVolume, Secret, grid


def use(number):
    import hashlib
    import os

    password = os.environ["PASSWORD"]
    with open("/tmp/digest", "w") as file:
        file.write(hashlib.sha256(password.encode()).hexdigest())
    print("used", hashlib.sha256(password.encode()).hexdigest())
    if int(number) > 1:
        raise RuntimeError("this point fails")


def construct_environment(args):
    return Environment(
        persisted_volume=PersistedVolume("inequality", mount_path="/results"),
        secrets=[Secret("credentials", from_variables={"password": "PLANTED_PASSWORD"})],
    )


def define(environment, inputs, layout):
    with Workflow(generate_name="planted-", entrypoint="dag") as w:
        template = Script(
            name="use",
            image="python:3.11",
            source=use,
            inputs=[Parameter(name="number")],
            env=[SecretEnv(name="PASSWORD", secret_name="credentials", secret_key="password")],
            volumes=[ExistingVolume(name="results", claim_name="inequality", mount_path="/results")],
        )
        with DAG(name="dag"):
            for number in inputs.parameters.number:
                Task(name=f"use-{number}", template=template, arguments={"number": number})
    return w


experiment = Experiment(
    workflow=define, inputs=Inputs(parameters=grid(number=[1, 2])), layout=Layout, environment=construct_environment
)

if __name__ == "__main__":
    ExecutionEngine.from_command_line().run(experiment)
