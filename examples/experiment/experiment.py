"""The experiment: environment, inputs, layout and workflow together. `python experiment.py --help` tells where it can run."""

from environment import construct_environment
from inputs import inputs
from layout import ExperimentLayout
from workflow import define, gather

from hera_utils import ExecutionEngine, Experiment

experiment = Experiment(
    workflow=define,
    gather=gather,
    inputs=inputs,
    layout=ExperimentLayout,
    environment=construct_environment,
)

if __name__ == "__main__":
    run = ExecutionEngine.from_command_line().run(experiment)
    if run is not None:  # None: it was only planned, examined, or left to go on
        print(run["table"].outputs["table"])
