"""The RO-Crate of a run: valid by its own validator, complete, and without any secret."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from documents import pod, run, sweep
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hera_utils.errors import HeraUtilsError, ResourceError, SettingsError
from hera_utils.provenance import rerun
from hera_utils.provenance.crate import CrateContext, submittable, write_crate, write_zip
from hera_utils.provenance.git import remove_credentials
from hera_utils.provenance.manifest import KnownFile
from hera_utils.provenance.modules import sources_of
from hera_utils.results.results import Results
from hera_utils.runs.record import PointRow
from hera_utils.runs.whole_run import WholeRun

HERE = Path(__file__).parent
# Its pins (rich 13) fit no environment but its own. The package rocrate in it ships the JSON-LD context that the crates name.
VALIDATOR = HERE / "validator.txt"
TOKEN = "planted-t0ken-8c1f"
KEY = "gh9_xK2mQ7vB4nT1zR8w"
# What the validator would like and cannot be given: addresses of files that are nowhere on the web, a name outside a repository…
WISHES = (
    "SHOULD have a url",
    "organization SHOULD have a URL",
    "SHOULD be an absolute URI",
    "README.md",
    "affiliation",
    "publisher",
    "File as its additionalType",
    "author",
    "an agent",
)


@pytest.fixture(scope="session")
def validator():
    """The Python of the validator's own environment, made once beside that of the tests."""
    folder = Path(sys.prefix) / "tools" / f"roc-validator-{hashlib.sha256(VALIDATOR.read_bytes()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, with_pip=True, clear=True)
        install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "-r",
            VALIDATOR,
        ]
        done = subprocess.run([python, *install], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"the validator cannot be installed: {done.stderr[-200:]}")
        (folder / "complete").touch()
    return python


def verdict(validator, folder, severity="REQUIRED", profile="provenance-run-crate"):
    told = subprocess.run(
        [validator, HERE / "validate_crate.py", folder, severity, profile], capture_output=True, text=True, check=True
    )
    return json.loads(told.stdout)


@pytest.fixture
def script(tmp_path):
    (tmp_path / "experiment.py").write_text("from inputs import years\nimport json\nprint(years)\n")
    (tmp_path / "inputs.py").write_text("years = [1, 2]\n")
    return tmp_path / "experiment.py"


def whole(script, *documents, **more):
    facts = {
        "run": "wf",
        "experiment": "incomes",
        "script": str(script),
        "arguments": ["--set", "years=1,2"],
        "inputs": {"constants": {"city": "Lyon", "size": 2.5}, "parameters": {"years": [1, 2]}},
    }
    points = tuple(PointRow(f"p{n}", n, f"y{n}", {"years": n}) for n in (1, 2))
    return WholeRun("wf", "default", documents, facts=facts, points=points, **more)


def swept(name="wf", phase="Succeeded"):
    document = sweep([({"years": str(n)}, phase, {"mean": str(n / 3)}) for n in (1, 2)], name)
    document["spec"] = {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "api_token", "value": "none"}, {"name": "n", "value": "1"}]},
        "templates": [
            {"name": "collect", "container": {"image": "registry.example.org/lab/x:1@sha256:" + "a" * 64, "env": [
                {"name": "DB_PASSWORD", "value": "Succeeded"}, {"name": "PWD", "value": "/home/a"}]}},
            {"name": "other", "script": {"image": "python:3.11", "source": "print(1)"}},
        ],
    }  # fmt: skip
    document["status"]["phase"] = phase
    return document


def around(**more):
    known = (KnownFile("data/in put.csv", 3, "b" * 64, False), KnownFile("out/1.json", 5, "c" * 64, True))
    return CrateContext(argo="v4.1.2", secrets=(TOKEN,), outside=known, **more)


def written(tmp_path, given):
    folder = tmp_path / "runs" / "wf"
    write_crate(given, Results.of_run(given), folder, around())
    return folder


def entities(folder):
    return {one["@id"]: one for one in json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]}


def test_each_task_is_an_action(script, tmp_path):
    folder = written(tmp_path, whole(script, swept()))
    found = entities(folder)
    tasks = [one for one in found.values() if one["@id"].startswith("#task-")]
    assert len(tasks) == 2
    tool = found["workflows/wf.json"]["hasPart"]["@id"]
    assert {one["instrument"]["@id"] for one in tasks} == {tool}
    values = [
        (
            found[one["object"]["@id"]]["name"],
            found[one["object"]["@id"]]["value"],
            found[one["result"]["@id"]]["value"],
        )
        for one in tasks
    ]
    assert values == [("years", "1", str(1 / 3)), ("years", "2", str(2 / 3))]
    (control,) = [
        one
        for one in found.values()
        if one["@type"] == "ControlAction" and "wf-" in one["@id"] and one["instrument"]["@id"] != "#step-wf"
    ]
    assert {one["@id"] for one in control["object"]} == {one["@id"] for one in tasks}
    assert found[control["instrument"]["@id"]]["workExample"] == {"@id": tool}
    assert found["#engine-wf"]["result"] == {"@id": "#run-wf"}
    assert found["#engine-script"]["result"] == {"@id": "#run"}
    assert "https://w3id.org/ro/wfrun/provenance/0.5" in {one["@id"] for one in found["./"]["conformsTo"]}


def test_an_archive_is_the_crate_and_always_the_same(script, tmp_path):
    folder = written(tmp_path, whole(script, swept()))
    (folder / "lock").write_text("not a part")
    for name in ("a.zip", "b.zip"):
        write_zip(folder / "ro-crate-metadata.json", folder / name)
    assert (folder / "a.zip").read_bytes() == (folder / "b.zip").read_bytes()
    with zipfile.ZipFile(folder / "a.zip") as archive:
        names = set(archive.namelist())
        assert archive.testzip() is None
        assert archive.read("results.csv") == (folder / "results.csv").read_bytes()
    assert names == {one["@id"] for one in entities(folder)["./"]["hasPart"]} | {"ro-crate-metadata.json"}
    with pytest.raises(ResourceError, match="cannot write"):
        write_zip(folder / "ro-crate-metadata.json", tmp_path / "nowhere" / "a.zip")


def test_a_link_in_a_record_is_no_part(script, tmp_path):
    (tmp_path / "private").write_text("not to be published")
    folder = tmp_path / "runs" / "wf"
    folder.mkdir(parents=True)
    (folder / "points.sqlite").symlink_to(tmp_path / "private")
    (folder / "methods.md").write_text("what was run\n")
    written(tmp_path, whole(script, swept()))
    assert {"points.sqlite", "methods.md"} & set(entities(folder)) == {"methods.md"}


REAL = """
from hera.workflows import DAG, Task, Workflow, script
from hera_utils import Author, Experiment, grid, main

@script(image="python:3")
def square(n: int):
    print(n * n)

def define(environment, inputs, layout):
    with Workflow(generate_name="squares-", entrypoint="points") as w, DAG(name="points"):
        for point in inputs.points:
            square(name=f"square-{point.name}", arguments=point.arguments)
    return w

main(Experiment(workflow=define, inputs=grid(n=[1, 2]), license="MIT", authors=[Author("Ada Lovelace", "0000-0002-1825-0097")]))
"""


@pytest.mark.slow
def test_its_own_validator_passes_a_real_run(validator, local_platform, tmp_path):
    (tmp_path / "squares.py").write_text(REAL)
    environment = os.environ | {"HOME": str(tmp_path), "HERA_UTILS_STATE": local_platform.context.state}
    subprocess.run([sys.executable, "squares.py"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    (folder,) = (tmp_path / "runs").iterdir()
    assert verdict(validator, folder)["issues"] == []
    tasks = [one for one in entities(folder).values() if one["@id"].startswith("#task-")]
    assert sorted(one["name"] for one in tasks) == ["square-1", "square-2"]


def test_where_no_task_began_nothing_is_said_of_tasks(script, tmp_path):
    document = swept(phase="Pending")
    document["status"].pop("nodes")
    found = entities(written(tmp_path, whole(script, document)))
    assert "https://w3id.org/ro/wfrun/provenance/0.5" not in {one["@id"] for one in found["./"]["conformsTo"]}
    assert not {"ControlAction", "OrganizeAction", "HowToStep"} & {
        one["@type"] for one in found.values() if isinstance(one["@type"], str)
    }


def test_authors_and_licence(script, tmp_path):
    given = whole(script, swept())
    given.facts.update(
        authors=["Ada Lovelace 0000-0002-1825-0097 (Université de Lyon)", "Charles Babbage"], license="CC-BY-4.0"
    )
    found = entities(written(tmp_path, given))
    assert found["./"]["license"] == {"@id": "https://spdx.org/licenses/CC-BY-4.0"}
    assert found["./"]["author"] == [
        {"@id": "https://orcid.org/0000-0002-1825-0097"},
        {"@id": "#person-Charles_20_Babbage"},
    ]
    ada = found["https://orcid.org/0000-0002-1825-0097"]
    assert (ada["@type"], ada["name"], found[ada["affiliation"]["@id"]]["name"]) == (
        "Person",
        "Ada Lovelace",
        "Université de Lyon",
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", ["a script", "several workflows", "no script", "failed", "running"])
def test_its_own_validator_passes_it(case, validator, script, tmp_path):
    documents = {
        "several workflows": (swept("wf-1"), swept("wf-2")),
        "failed": (swept(phase="Failed"),),
        "running": (swept(phase="Running"),),
    }.get(case, (swept(),))
    given = whole("" if case == "no script" else script, *documents)
    given.facts.update(authors=["Ada Lovelace 0000-0002-1825-0097 (Université de Lyon)"], license="CC-BY-4.0")
    folder = written(tmp_path, given)
    assert verdict(validator, folder)["issues"] == []
    if case == "a script":
        wishes = [
            one for one in verdict(validator, folder, "RECOMMENDED")["issues"] if not any(w in one for w in WISHES)
        ]
        assert wishes == []
        (folder / "results.csv").unlink()  # shows that the validator checks the files
        assert not verdict(validator, folder)["passed"]


def test_what_it_tells(script, tmp_path):
    folder = written(tmp_path, whole(script, swept()))
    found = entities(folder)
    assert found["./"]["mainEntity"] == {"@id": "script/experiment.py"}
    assert found["script/experiment.py"]["hasPart"] == {"@id": "workflows/wf.json"}
    assert found["script/inputs.py"]["isPartOf"] == {"@id": "script/experiment.py"}
    assert found["#value-years"]["value"] == ["1", "2"]
    assert found["#value-size"]["value"] == "2.5"
    assert found["#run"]["startTime"] == "2026-01-01T00:00:00+00:00"
    assert found["#run"]["actionStatus"] == "http://schema.org/CompletedActionStatus"
    checked = {one["name"]: (key, one["value"]) for key, one in found.items() if key.startswith("#file-")}
    assert set(checked) == {"data/in put.csv", "out/1.json"}
    assert {"@id": checked["data/in put.csv"][0]} in found["#run"]["object"]
    assert {"@id": checked["out/1.json"][0]} in found["#run"]["result"]
    images = [one for one in found.values() if one.get("@type") == "ContainerImage"]
    assert [(one["registry"], one["name"], one["tag"], one.get("sha256")) for one in images] == [
        ("registry.example.org", "lab/x", "1", "a" * 64),
        ("docker.io", "python", "3.11", None),
    ]
    software = {
        one["name"]: one["softwareVersion"]
        for one in found.values()
        if one.get("@type") == "SoftwareApplication" and "url" in one
    }
    assert software["Argo"] == "v4.1.2"
    assert set(software) == {"Python", "Hera", "Argo", "hera_utils"}
    for path, one in found.items():
        if "File" in one["@type"]:
            content = (folder / path).read_bytes()
            assert (one["contentSize"], one["sha256"]) == (str(len(content)), hashlib.sha256(content).hexdigest())
    assert "pytest==" in (folder / "requirements.txt").read_text()


def test_no_program_that_only_a_workflow_names_is_run(script, tmp_path):
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\necho '[\"3.0\", []]'\n")
    program.chmod(0o755)
    document = swept()
    document["metadata"]["annotations"] = {"hera-utils/python": str(program)}
    run = whole(script, document)
    for local in (False, True):  # the program could have been written by a task
        write_crate(run, Results.of_run(run), tmp_path / "theirs", around(local=local))
    assert not (tmp_path / "ran").exists()
    write_crate(run, Results.of_run(run), tmp_path / "ours", around(pythons=(str(program),)))
    assert (tmp_path / "ran").exists()


def with_value(document, name, value):
    document["spec"]["templates"][0]["container"]["env"].append({"name": name, "value": value})
    return document


@pytest.mark.parametrize("value", [TOKEN, f"--header=Bearer {TOKEN}"])
def test_a_workflow_that_holds_a_secret_is_not_written(value, script, tmp_path):
    given = whole(script, with_value(swept(), "SEEN", value))
    with pytest.raises(ResourceError, match=r"workflows/wf.json of the manifest would contain a secret") as error:
        written(tmp_path, given)
    assert "SecretEnv" in error.value.fix
    assert not (tmp_path / "runs").exists()


def test_a_script_or_a_result_that_holds_a_secret_is_not_written(script, tmp_path):
    before = script.read_text()
    script.write_text(f"{before}TOKEN = '{TOKEN}'\n")
    with pytest.raises(ResourceError, match=r"script/experiment.py"):
        written(tmp_path, whole(script, swept()))
    script.write_text(before)
    document = swept()
    node = next(one for one in document["status"]["nodes"].values() if one["type"] == "Pod")
    node["outputs"]["parameters"].append({"name": "said", "value": TOKEN})
    with pytest.raises(ResourceError, match=r"results.csv|tasks.csv"):
        written(tmp_path, whole(script, document))


def test_a_key_in_plain_text_is_not_written(script, tmp_path):
    given = whole(script, with_value(swept(), "DB_API_KEY", KEY))
    with pytest.raises(ResourceError, match="the workflow wf contains the secret `DB_API_KEY` as plain text"):
        written(tmp_path, given)


COMMON = {"DB_PASSWORD": "Succeeded", "API_KEY": "python", "SECRET": "i", "ACCESS_KEY": "value", "TOKEN": "experiment"}


def test_common_words_and_paths_change_no_file(script, tmp_path, monkeypatch):
    for name, value in COMMON.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PWD", str(script.parent))
    document = swept()
    document["metadata"]["annotations"] = {"hera-utils/directory": str(script.parent)}
    folder = written(tmp_path, whole(script, document))
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()).decode()
    assert "****" not in everything
    assert "Succeeded" in (folder / "results.csv").read_text()
    kept = json.loads((folder / "workflows" / "wf.json").read_text())
    assert kept["metadata"]["annotations"] == {"hera-utils/directory": str(script.parent)}
    assert kept["spec"] == document["spec"]
    assert rerun.prepare_new_workflow(rerun.read_manifest(folder).workflows[0], {})["spec"] == document["spec"]


def test_a_workflow_can_be_submitted_again():
    document = swept()
    document["metadata"] |= {
        "uid": "u", "resourceVersion": "3", "generateName": "wf-",
        "labels": {"mine": "yes", "workflows.argoproj.io/phase": "Succeeded"},
    }  # fmt: skip
    made = submittable(document)
    assert "status" not in made
    assert made["metadata"] == {
        "name": "wf", "namespace": "default", "generateName": "wf-", "labels": {"mine": "yes"},
    }  # fmt: skip
    made["spec"]["arguments"]["parameters"][0]["value"] = "********"  # an older version masked values
    with pytest.raises(SettingsError, match="api_token"):
        rerun.prepare_new_workflow(made, {})
    again = rerun.prepare_new_workflow(made, {"api_token": "x"})
    assert "name" not in again["metadata"]
    assert again["spec"]["arguments"]["parameters"][0] == {"name": "api_token", "value": "x"}


def test_it_is_read_again(script, tmp_path):
    folder = written(tmp_path, whole(script, swept()))
    recorded = rerun.read_manifest(folder)
    assert recorded == rerun.read_manifest(folder / "ro-crate-metadata.json")
    assert (recorded.run, recorded.script, recorded.arguments) == ("wf", script.resolve(), ("--set", "years=1,2"))
    leading = [
        "--argo_server",
        "https://evil.example",
        "--no_verify_tls",
        "--python=./evil",
        "--notify_command",
        "./evil",
    ]
    given = whole(script, swept())
    given.facts["arguments"] = [*leading, "--set", "years=1,2"]
    assert rerun.read_manifest(written(tmp_path / "theirs", given)).arguments == ("--set", "years=1,2")
    assert rerun.changed_sources(recorded) == []
    (script.parent / "inputs.py").write_text("years = [3]\n")
    assert rerun.changed_sources(recorded) == ["inputs.py"]
    script.unlink()
    assert sorted(rerun.changed_sources(recorded)) == ["experiment.py", "inputs.py"]
    versions = dict(recorded.versions) | {"Argo": "v4.2.0"}
    told = rerun.differences(recorded, versions, dict(recorded.packages) | {"pytest": "1"})
    assert told[0] == "Argo v4.2.0, recorded with v4.1.2"
    assert told[1].startswith("other packages: pytest ")


def test_what_is_no_manifest_is_refused(tmp_path):
    with pytest.raises(ResourceError, match="cannot be read"):
        rerun.read_manifest(tmp_path / "nothing")
    for text in ("[]", '{"@graph": 5}', '{"@graph": {"a": 1}}'):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(SettingsError, match="not a manifest"):
            rerun.read_manifest(tmp_path / "x.json")


JSON = st.one_of(
    st.none(), st.booleans(), st.text(), st.lists(st.text()), st.dictionaries(st.text(), st.none() | st.text())
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["#run", "#fact-script", "#fact-arguments", "script/x.py", "workflows/x.json", "#x"]),
            st.dictionaries(
                st.sampled_from(["@type", "instrument", "name", "value", "sha256", "softwareVersion"]), JSON
            ),
        )
    )
)
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_manifest_is_a_sentence(tmp_path, entities):
    graph = [{"@id": key, **value} for key, value in [*entities, ("#run", {})]]
    (tmp_path / "ro-crate-metadata.json").write_text(json.dumps({"@graph": graph}))
    with contextlib.suppress(HeraUtilsError):  # any other exception would be a traceback for the user
        rerun.changed_sources(rerun.read_manifest(tmp_path))


def test_sources_are_the_modules_beside_the_script(tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("from .inner import x\n")
    (tmp_path / "pack" / "inner.py").write_text("import json\n")
    (tmp_path / "unused.py").write_text("")
    (tmp_path / "main.py").write_text("import pack\nimport numpy\nfrom other import y\n")
    (tmp_path / "other.py").write_text("import main\n")
    assert set(sources_of(tmp_path / "main.py")) == {"main.py", "pack/__init__.py", "pack/inner.py", "other.py"}


def test_credentials_stay_out():
    assert remove_credentials("https://me:tok@host.example/x.git") == "https://host.example/x.git"
    assert remove_credentials("git@host.example:x.git") == "git@host.example:x.git"


def test_a_run_without_a_task_can_be_told(tmp_path):
    given = WholeRun("wf", "default", (run(pod("wf.a")),))
    assert (written(tmp_path, given) / "ro-crate-metadata.json").is_file()
