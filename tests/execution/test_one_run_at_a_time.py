"""Runs do not mix: a resumed run is of one set of inputs, and two runs at once do not write each other's files."""

import json
import time
from types import SimpleNamespace

import pytest

from hera_utils import ExecutionEngine, Experiment, Inputs, Layout, SettingsError, grid
from hera_utils.errors import ResourceError
from hera_utils.execution import write_conflicts
from hera_utils.execution.write_conflicts import Writes, writes_of
from hera_utils.experiment.declarations import writes
from hera_utils.experiment.environment import Environment, PersistedVolume
from hera_utils.runs.record import RunRecord, is_driven, records


class Files(Layout):
    @writes
    def area(self, n):
        return self.path("areas", n)

    @writes
    def table(self):
        return self.path("table")


class FilesByRadius(Layout):
    @writes
    def area(self, n, radius):
        return self.path("areas", radius, n)

    @writes
    def table(self, radius):
        return self.path("table", radius)


def document(environment, name, command, tasks=None):
    run = {
        "image": "alpine:3",
        "command": ["sh", "-c"],
        "args": [command],
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    }
    inputs = {"parameters": [{"name": "n"}, {"name": "radius"}]} if tasks else {}
    templates = [{"name": name, "container": run, "inputs": inputs}]
    templates += [{"name": "dag", "dag": {"tasks": tasks}}] if tasks else []
    claim = {"claimName": environment.persisted_volume.claim_name}
    volumes = [{"name": "v", "persistentVolumeClaim": claim}]
    return {
        "metadata": {"generateName": "area-"},
        "spec": {"entrypoint": "dag" if tasks else name, "templates": templates, "volumes": volumes},
    }


def define(environment, inputs, layout):
    radius = inputs.constants.radius
    tasks = []
    for point in inputs.points:
        given = [{"name": "n", "value": str(point.n)}, {"name": "radius", "value": str(radius)}]
        tasks.append({"name": f"t{point.n}", "template": "throw", "arguments": {"parameters": given}})
    wait = inputs.constants.wait
    write = "mkdir -p /v/areas; echo {{inputs.parameters.radius}} >> /v/areas/{{inputs.parameters.n}}"
    return document(environment, "throw", f"sleep {wait}; {write}", tasks)


def gather(environment, inputs, layout):
    return document(environment, "table", "cat /v/areas/* > /v/table; echo >> /v/table")


@pytest.fixture
def lab(local_platform, tmp_path):
    local_platform.context.runs = str(tmp_path / "runs")
    where = local_platform.context
    lines = []

    class Teller:
        def __getattr__(self, name):
            return lines.extend if name == "lines" else lambda *given: None

    def experiment(radius=1, n=(1, 2), wait=0, layout=Files):
        constants = SimpleNamespace(radius=radius, wait=wait)
        environment = Environment(persisted_volume=PersistedVolume("areas", mount_path="/v"))
        inputs = Inputs(constants, grid(n=list(n)))
        return Experiment(
            workflow=define, gather=gather, inputs=inputs, layout=layout, environment=environment, name="areas"
        )

    return SimpleNamespace(
        engine=ExecutionEngine(where, reporter=Teller()),
        experiment=experiment,
        lines=lines,
        runs=tmp_path / "runs",
        client=local_platform.client,
        claim=local_platform.claim("areas"),
    )


def facts(folder):
    return json.loads((folder / "run.json").read_text())


def test_other_constants_are_another_run(lab):
    first = lab.engine.submit(lab.experiment(radius=2))
    lab.client.wait(first)
    before = (lab.runs / first / "points.sqlite").read_bytes()
    run = lab.engine.run(lab.experiment(radius=1), resume=True)
    assert run.succeeded
    assert run.name != first
    assert facts(lab.runs / run.name)["inputs"]["constants"]["radius"] == 1
    assert facts(lab.runs / first)["inputs"]["constants"]["radius"] == 2
    assert facts(lab.runs / first)["phase"] == "Failed", "its gather never ran"
    assert {row.workflow for row in RunRecord.open(lab.runs / first).points()} == {first}
    assert {row.run for row in RunRecord.open(lab.runs / run.name).points()} == {""}, "nothing is taken over"
    assert before  # the record of the first run still exists and is unchanged
    assert (lab.claim / "table").read_text().split() == ["2", "1", "2", "1"], "the files are of the newest run"
    assert any(f"{first} stays unfinished, because its inputs differ (constant radius)" in line for line in lab.lines)


def test_a_run_with_other_inputs_that_goes_on_is_waited_for_or_stopped(lab):
    first = lab.engine.submit(lab.experiment(radius=2, wait=20))
    with pytest.raises(
        SettingsError, match=rf"{first} of this experiment is still going, with other inputs"
    ) as refused:
        lab.engine.run(lab.experiment(radius=1), resume=True)
    assert "constant radius" in str(refused.value)
    assert f"hera-utils stop {first}" in refused.value.fix
    lab.engine.stop(first)
    assert len(records(lab.runs)) == 1


def test_points_of_the_same_inputs_are_taken_over_by_a_run_of_more_points(lab):
    first = lab.engine.submit(lab.experiment(n=(1, 2)))
    lab.client.wait(first)
    run = lab.engine.run(lab.experiment(n=(1, 2, 3)), resume=True)
    assert run.name != first
    by_run = {row.values["n"]: row.run for row in RunRecord.open(lab.runs / run.name).points()}
    assert by_run == {1: first, 2: first, 3: ""}
    assert (lab.claim / "areas" / "1").read_text() == "1\n"


@pytest.mark.parametrize("resume", [False, True])
def test_a_second_run_does_not_write_the_files_of_one_that_goes_on(lab, resume):
    first = lab.engine.submit(lab.experiment(radius=2, n=(1, 2), wait=20))
    other = lab.experiment(radius=1, n=(2, 3))
    with pytest.raises(SettingsError) as refused:
        lab.engine.run(other, resume=resume)
    if not resume:
        assert f"the run {first} is still going, and this one would write `table` and 1 more as well" in str(
            refused.value
        )
    assert f"hera-utils watch {first}" in refused.value.fix
    assert len(records(lab.runs)) == 1, "nothing of the refused run is left"
    lab.engine.stop(first)


def test_the_same_run_once_more_is_told_how_to_join_it(lab):
    first = lab.engine.submit(lab.experiment(wait=5))
    with pytest.raises(SettingsError) as refused:
        lab.engine.run(lab.experiment(wait=5))
    assert refused.value.fix.startswith("join it: engine.run(experiment, resume=True); or ")
    run = lab.engine.run(lab.experiment(wait=5), resume=True)
    assert (run.name, run.succeeded) == (first, True)


def test_runs_whose_paths_differ_go_on_at_once(lab):
    first = lab.engine.submit(lab.experiment(radius=2, wait=20, layout=FilesByRadius))
    assert lab.engine.run(lab.experiment(radius=1, layout=FilesByRadius)).succeeded
    lab.engine.stop(first)


def test_a_run_between_its_points_and_its_gather_still_goes_on(lab):
    """Nothing of it runs on the platform just then; the process that drives it has locked its record."""
    first = lab.engine.submit(lab.experiment(radius=2))
    lab.client.wait(first)
    with RunRecord.open(lab.runs / first) as driven:
        driven.drive()
        with pytest.raises(SettingsError, match=f"the run {first} is still going"):
            lab.engine.run(lab.experiment(radius=1))
    assert lab.engine.run(lab.experiment(radius=1)).succeeded


def test_paths_that_are_too_many_to_be_listed_are_all_of_the_experiment(monkeypatch):
    monkeypatch.setattr(write_conflicts, "MOST_PATHS", 5)
    layout = Files(SimpleNamespace(radius=1))
    few = writes_of(layout, grid(n=[1, 2]), "volume", "areas")
    many = writes_of(layout, grid(n=range(20)), "volume", "areas")
    assert (len(few.paths), many.paths) == (3, None)
    assert few.paths_shared_with(many.annotations()["hera-utils/writes"]) == [""]
    assert many.paths_shared_with(Writes("volume", "other", None).annotations()["hera-utils/writes"]) == []
    assert writes_of(Layout(), grid(n=[1]), "volume", "areas") is None


def test_a_retry_does_not_put_older_results_in_the_place_of_newer_ones(lab, monkeypatch, capsys):
    from hera_utils.cli.main import run_command_line

    first = lab.engine.submit(lab.experiment(wait="not a number"))
    lab.client.wait(first)
    time.sleep(1.1)  # Kubernetes' times are whole seconds
    second = lab.engine.run(lab.experiment())
    monkeypatch.setenv("HERA_UTILS_STATE", lab.engine.context.state)
    monkeypatch.setenv("ARGO_NAMESPACE", lab.engine.context.argo_namespace)
    assert run_command_line(["retry", first]) == 2
    assert f"the run {second.name} has written since files that {first} would write again" in capsys.readouterr().err
    assert run_command_line(["retry", first, "--python", "/usr/bin/python3"]) == 2
    assert "--python is for a new run" in capsys.readouterr().err


def test_a_folder_without_locks_is_refused(tmp_path, monkeypatch):
    """As on NFS without its lock service: it was told that another process, which there was not, still runs the run."""
    import errno
    import fcntl

    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    with RunRecord.create(tmp_path / "runs", "sweep", {"run": "sweep", "format": 1}) as record:
        monkeypatch.setattr(fcntl, "flock", flock)
        assert not is_driven(record.folder)
        with pytest.raises(ResourceError, match=r"runs/sweep has no file locks \(no locks available\)"):
            record.drive()
