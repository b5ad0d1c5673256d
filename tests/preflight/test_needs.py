"""What a workflow needs, and how many pods of it may run at the same time: from the document alone."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.experiment.environment import Environment, PersistedVolume
from hera_utils.platforms.diff import difference
from hera_utils.platforms.manifests import objects_of_environment
from hera_utils.platforms.roles import Right, executor, is_allowed, rights_for_resource_action, role, rules
from hera_utils.platforms.token import read_token
from hera_utils.preflight.finding import Finding
from hera_utils.preflight.findings_text import lines_of_findings
from hera_utils.preflight.needs import needs_of
from hera_utils.preflight.task_counts import count_pods

POD = {"name": "p", "container": {"image": "busybox"}}


def workflow(*templates, **spec):
    return {"spec": {"entrypoint": "main", "templates": list(templates), **spec}}


# --- references ----------------------------------------------------------------------------------------------------------


def test_everything_that_is_referred_to_is_found_with_its_path():
    container = {
        "image": "registry.example.org/a:1",
        "env": [
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s1", "key": "k"}}},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "m1", "key": "k", "optional": True}}},
            {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "{{inputs.parameters.map}}", "key": "k"}}},
        ],
        "envFrom": [{"configMapRef": {"name": "m2"}}, {"secretRef": {"name": "s2"}}],
    }
    artifact = {"name": "a", "s3": {"accessKeySecret": {"name": "s3", "key": "id"}, "key": "x"}}
    document = workflow(
        {"name": "main", "container": container, "outputs": {"artifacts": [artifact]}, "serviceAccountName": "other"},
        {"name": "h", "http": {"url": "http://x"}},
        {"name": "r", "resource": {"action": "create", "manifest": "apiVersion: batch/v1\nkind: Job\n"}},
        {"name": "d", "dag": {"tasks": [{"name": "t", "templateRef": {"name": "wt", "template": "x"}}]}},
        volumes=[
            {"name": "v", "secret": {"secretName": "s4", "items": [{"key": "one", "path": "o"}]}},
            {"name": "w", "projected": {"sources": [{"configMap": {"name": "m3"}}, {"secret": {"name": "s5"}}]}},
        ],
        serviceAccountName="main-account",
        imagePullSecrets=[{"name": "pull"}],
        synchronization={"semaphores": [{"configMapKeyRef": {"name": "m4", "key": "limit"}}]},
        artifactRepositoryRef={"configMap": "m5", "key": "store"},
        workflowTemplateRef={"name": "cwt", "clusterScope": True},
        artifactGC={"strategy": "OnWorkflowDeletion"},
        activeDeadlineSeconds=600,
    )
    needs = needs_of(document)
    assert {name: set(one.keys) for name, one in needs.secrets.items()} == {
        "s1": {"k"}, "s2": set(), "s3": {"id"}, "s4": {"one"}, "s5": set(),
    }  # fmt: skip
    assert {name: set(one.keys) for name, one in needs.config_maps.items()} == {
        "m2": set(), "m3": set(), "m4": {"limit"}, "m5": {"store"},
    }  # fmt: skip
    assert needs.secrets["s1"].keys["k"] == "spec.templates[main].container.env[A].valueFrom.secretKeyRef"
    assert set(needs.service_accounts) == {"main-account", "other"}
    assert set(needs.pull_secrets) == {"pull"}
    assert set(needs.templates) == {("WorkflowTemplate", "wt"), ("ClusterWorkflowTemplate", "cwt")}
    assert needs.actions == [("batch/v1", "Job", "create", "spec.templates[r].resource")]
    assert (needs.agents, needs.collects, needs.deadline) == (True, True, 600)


def test_a_claim_that_a_parameter_names():
    document = workflow(
        {"name": "main"},
        arguments={"parameters": [{"name": "data", "value": "gaia"}]},
        volumes=[
            {"name": name, "persistentVolumeClaim": {"claimName": f"{{{{workflow.parameters.{name}}}}}-claim"}}
            for name in ("data", "other")
        ],
    )
    assert set(needs_of(document).claims) == {"gaia-claim"}


def test_a_claim_that_is_read_only_and_one_that_nobody_mounts():
    document = workflow(
        {"name": "main", "container": {"volumeMounts": [{"name": "a", "mountPath": "/a", "readOnly": True}]}},
        volumes=[
            {"name": "a", "persistentVolumeClaim": {"claimName": "ca"}},
            {"name": "b", "persistentVolumeClaim": {"claimName": "cb", "readOnly": True}},
        ],
    )
    claims = needs_of(document).claims
    assert (claims["ca"].writes, claims["ca"].at_once) == (False, 1)
    assert (claims["cb"].writes, claims["cb"].at_once) == (False, 1)


def test_of_nothing_and_of_a_cron_workflow():
    assert needs_of(None).secrets == {}
    cron = {"kind": "CronWorkflow", "spec": {"workflowSpec": workflow(POD, serviceAccountName="x")["spec"]}}
    assert set(needs_of(cron).service_accounts) == {"x"}


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["name", "key", "secretKeyRef", "configMapKeyRef", "volumes", "resource", "manifest", "image", "http", "passwordSecret"]
    ), inner, max_size=3),
    max_leaves=20,
)  # fmt: skip


@given(json_like)
def test_no_document_is_too_strange(value):
    needs_of({"spec": {"templates": [{"name": "main", "container": {"env": value}}], "arguments": {"x": value}}})


# --- how many at once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tasks", "count", "exact"),
    [
        ([{"name": "a", "template": "p"}], 1, True),
        ([{"name": "a", "template": "p"}, {"name": "b", "template": "p"}], 2, True),
        ([{"name": "a", "template": "p"}, {"name": "b", "template": "p", "depends": "a.Succeeded"}], 1, True),
        ([{"name": "b", "template": "p", "dependencies": ["a"]}, {"name": "a", "template": "p"}], 1, True),
        ([{"name": "a", "template": "p", "withItems": [1, 2, 3]}], 3, True),
        ([{"name": "a", "template": "p", "withSequence": {"count": "5"}}], 5, True),
        ([{"name": "a", "template": "p", "withParam": "{{x}}"}], 2, False),
        ([{"name": "a", "templateRef": {"name": "x"}}], 1, False),
        ([{"name": "a", "template": "p", "depends": "b"}, {"name": "b", "template": "p", "depends": "a"}], 2, True),
    ],
)
def test_tasks_at_the_same_time(tasks, count, exact):
    found = count_pods(workflow({"name": "main", "dag": {"tasks": tasks}}, POD)["spec"])
    assert (found.count, found.exact) == (count, exact)


def test_steps_come_one_after_the_other_and_parallelism_limits():
    steps = [[{"name": "a", "template": "p"}], [{"name": "b", "template": "p"}, {"name": "c", "template": "p"}]]
    spec = workflow({"name": "main", "steps": steps}, POD)["spec"]
    assert count_pods(spec).count == 2
    assert count_pods({**spec, "parallelism": 1}).count == 1
    nested = workflow({"name": "main", "dag": {"tasks": [{"name": n, "template": "s"} for n in "ab"]}},
                      {"name": "s", "steps": steps, "parallelism": 1}, POD)["spec"]  # fmt: skip
    assert count_pods(nested).count == 2
    itself = workflow(
        {"name": "main", "dag": {"tasks": [{"name": "a", "template": "main"}, {"name": "b", "template": "p"}]}}, POD
    )
    assert count_pods(itself["spec"]).count == 1


@given(st.integers(1, 60), st.data())
def test_the_width_lies_between_one_and_all(count, data):
    tasks = [{"name": f"t{n}", "template": "p", "dependencies": [f"t{d}" for d in data.draw(st.sets(st.integers(0, n - 1), max_size=3))]
              if n else []} for n in range(count)]  # fmt: skip
    assert 1 <= count_pods(workflow({"name": "main", "dag": {"tasks": tasks}}, POD)["spec"]).count <= count


# --- tokens --------------------------------------------------------------------------------------------------------------


def jwt(**claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'RS256'})}.{part(claims)}.sig"


def test_what_tokens_say():
    token = read_token(jwt(exp=2000, iat=1000, sub="system:serviceaccount:lyon:ana"))
    assert (token.kind, token.expires, token.of_kubernetes, token.defect) == ("jwt", 2000.0, True, "")
    assert read_token("v2:abc").kind == "sso"
    assert read_token("abcdef").kind == "opaque"
    for text, words in (
        (jwt()[:-6], "2 of a JWT's 3 parts"), ("a b", "a space or a line break"), ('"abc"', "quotation marks"), ("é", "characters"),
        ("eyJh.!!.x", "cannot be read"),
    ):  # fmt: skip
        assert words in read_token(text).defect, text


@given(st.text(max_size=40))
def test_no_token_is_repeated_in_what_is_said_of_it(text):
    said = read_token(text)
    assert len(text) < 12 or text not in said.defect


# --- rights --------------------------------------------------------------------------------------------------------------


def test_rules_and_whom_they_allow():
    made = rules(
        [
            *executor(agents=True),
            *rights_for_resource_action("batch/v1", "Job", "delete"),
            *rights_for_resource_action("v1", "Pod", "get"),
        ]
    )
    assert {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "delete"]} in made
    assert {"apiGroups": ["argoproj.io"], "resources": ["workflowtasksets/status"], "verbs": ["patch"]} in made
    assert role("x", executor())["rules"] == [
        {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    ]
    every = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    log = Right("get", "pods/log")
    assert is_allowed(every, log)
    assert is_allowed([{"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}], log)
    assert not is_allowed([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}], log)
    assert not is_allowed(
        [{"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"], "resourceNames": ["a"]}], log
    )
    assert rights_for_resource_action("example.org/v1", "Thing", "get")[0].sure is False


# --- differences and lines -----------------------------------------------------------------------------------------------


def test_differences_by_field_and_nothing_of_a_secret():
    before = {"kind": "Secret", "data": {"a": "cGxhbnRlZA==", "b": "eA=="}, "metadata": {"resourceVersion": "1"}}
    after = {"kind": "Secret", "data": {"a": "b3RoZXI=", "c": "eQ=="}, "metadata": {"resourceVersion": "2"}}
    assert [one.line() for one in difference(before, after)] == [
        "~ data.a: (not shown) → (another value, not shown)", "- data.b: (not shown)", "+ data.c: (not shown)",
    ]  # fmt: skip
    plain = difference({"spec": {"a": 1}}, {"spec": {"a": 2, "b": {"c": "x" * 100}}})
    assert [one.path for one in plain] == ["spec.a", "spec.b.c"]
    assert len(plain[1].after) == 60


def test_the_claim_of_an_environment_says_whose_it_is():
    (claim,) = objects_of_environment(Environment(persisted_volume=PersistedVolume("results")), "lyon")
    assert claim.document["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "hera-utils"}


findings_like = st.builds(
    Finding,
    st.sampled_from(["claim", "token", "new"]),
    st.sampled_from(["good", "problem"]),
    st.text("ab ", min_size=1, max_size=200),
    st.none() | st.just("do it"),
)


@given(st.lists(findings_like, max_size=5), st.integers(30, 200))
def test_every_finding_is_told_in_lines_of_the_terminal(findings, width):
    shown = lines_of_findings(findings, width)
    assert sum(line.mark > 0 for line in shown) == len(findings)
    assert all(len(line.text) <= width or " " not in line.text.strip()[8:] for line in shown)
