"""The experiment: environment, inputs, layout and workflow together. `python experiment.py --help` tells where it can run."""

from environment import construct_environment
from inputs import inputs
from layout import ExperimentLayout
from workflow import define, gather

from hera_utils import Experiment, main

experiment = Experiment(
    workflow=define,
    gather=gather,
    inputs=inputs,
    layout=ExperimentLayout,
    environment=construct_environment,
)

if __name__ == "__main__":
    run = main(experiment)
    print(run["table"].outputs["table"])
