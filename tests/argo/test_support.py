"""Every field has a verdict; what is used is found; the page of verdicts is up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hera_utils.argo import schema, support
from hera_utils.argo.support_table import EXECUTED, REFUSED, WARNED
from hera_utils.errors import UnsupportedError

ROOT = Path(__file__).resolve().parents[2]


def spec(**fields: Any) -> dict[str, Any]:
    return schema.decode({"metadata": {"name": "w"}, "spec": fields}, "Workflow")


def test_every_field_that_can_be_used_has_a_verdict() -> None:
    structs = {one for root in support.ROOTS.values() for one in support.reachable_structs(root)}
    assert not [
        f"{one}.{field}" for one in structs for field in schema.fields(one) if field not in support.verdicts(one)
    ]


@pytest.mark.parametrize("table", [EXECUTED, WARNED, REFUSED], ids=["executed", "warned", "refused"])
def test_the_table_speaks_of_fields_that_there_are(table: dict[str, dict[str, str]]) -> None:
    gone = [
        f"{struct}.{field}"
        for struct, fields in table.items()
        for field in fields
        if field not in schema.fields(struct)
    ]
    assert gone == []


def test_a_field_has_one_verdict() -> None:
    tables = (EXECUTED, WARNED, REFUSED)
    twice = [
        f"{struct}.{field}"
        for table in tables
        for struct, fields in table.items()
        for field in fields
        if sum(field in other.get(struct, {}) for other in tables) > 1
    ]
    assert twice == []


def test_what_is_warned_about_and_refused_says_why() -> None:
    silent = [
        (struct, field) for t in (WARNED, REFUSED) for struct, fs in t.items() for field, why in fs.items() if not why
    ]
    assert silent == []


def test_the_page_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "tools/generate_coverage.py"), "--check"], check=False)
    assert done.returncode == 0, "run tools/generate_coverage.py"


def test_findings_name_the_field() -> None:
    document = spec(
        entrypoint="main",
        nodeSelector={"a": "b"},
        tolerations=[],
        templates=[
            {"name": "a", "container": {"image": "i", "securityContext": {"runAsUser": 1}}},
            {"name": "b", "steps": [[{"name": "s", "inline": {"script": {"source": "1", "stdin": True}, "plugin": {"x": {}}}}]]},
            {"name": "c", "dag": {"tasks": [{"name": "t", "hooks": {"exit": {"template": "a", "arguments": {
                "artifacts": [{"name": "x", "oss": {"key": "k", "securityToken": "b"}}]}}}}]}},
        ],
        volumes=[{"name": "v", "nfs": {"server": "s", "path": "/"}}],
    )  # fmt: skip
    assert {(one.path, one.verdict) for one in support.findings(document)} == {
        ("spec.nodeSelector", "warned"),
        ("spec.templates[0].container.securityContext", "warned"),
        ("spec.templates[1].steps[0][0].inline.script.stdin", "warned"),
        ("spec.templates[1].steps[0][0].inline.plugin", "refused"),
        ("spec.templates[2].dag.tasks[0].hooks.exit.arguments.artifacts[0].oss.securityToken", "warned"),
        ("spec.volumes[0].nfs", "refused"),
    }


def test_a_plain_workflow_has_no_findings() -> None:
    document = spec(
        entrypoint="a",
        templates=[{"name": "a", "container": {"image": "i", "args": ["x"], "imagePullPolicy": "Always"}}],
    )
    assert support.findings(document) == []
    support.refuse_unsupported(support.findings(document))


def test_what_cannot_be_meant_is_refused_with_its_path() -> None:
    document = spec(entrypoint="a", templates=[{"name": "a", "plugin": {"x": {}}}])
    with pytest.raises(UnsupportedError) as refused:
        support.refuse_unsupported(support.findings(document))
    assert refused.value.message.startswith("spec.templates[0].plugin cannot be executed on this machine: ")
    assert refused.value.fix


def test_a_warning_is_said_once() -> None:
    templates = [{"name": n, "container": {"image": "i"}, "nodeSelector": {"a": "b"}} for n in "abc"]
    said = support.warnings(support.findings(spec(entrypoint="a", templates=templates)))
    assert said == [
        "spec.templates[0].nodeSelector (and 2 more) has no effect here: there is one machine: "
        "a pod runs on it unless it names another processor or system"
    ]


def test_warnings_of_one_reason_are_one_sentence() -> None:
    templates = [{"name": n, "container": {"image": "i"}, "affinity": {"nodeAffinity": {}}} for n in "ab"]
    said = support.warnings(support.findings(spec(entrypoint="a", templates=templates, tolerations=[{"key": "x"}])))
    assert said == [
        "spec.templates[0].affinity (and 1 more), spec.tolerations have no effect here: there is one machine: every pod runs on it"
    ]


def test_cron_workflows() -> None:
    document = schema.decode(
        {"spec": {"schedules": ["* * * * *"], "workflowSpec": {"dnsPolicy": "Default"}}}, "CronWorkflow"
    )
    found = [one.path for one in support.findings(document, "CronWorkflow")]
    assert found == ["spec.workflowSpec.dnsPolicy"]


def stored(name: str, *templates: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "WorkflowTemplate", **spec(templates=list(templates)), "metadata": {"name": name}}


def test_what_a_run_calls_elsewhere_is_looked_at_too() -> None:
    plugin = {"name": "p", "plugin": {"x": {}}}
    calls_p = {"name": "c", "steps": [[{"name": "s", "template": "p"}]]}
    shared = stored("t", calls_p, plugin, {"name": "plain", "container": {"image": "i"}})

    def paths(**fields: Any) -> list[str]:
        return [one.path for one in support.findings_of_run(spec(**fields), [shared])]

    def calls(template: str) -> list[str]:
        reference = {"name": "t", "template": template}
        return paths(templates=[{"name": "m", "dag": {"tasks": [{"name": "a", "templateRef": reference}]}}])

    found = ["WorkflowTemplate/t spec.templates[1].plugin"]
    assert calls("c") == calls("p") == found
    assert calls("plain") == calls("none") == []  # templates that are not called have no effect
    assert paths(workflowTemplateRef={"name": "t"}, nodeSelector={"a": "b"}) == ["spec.nodeSelector", *found]
    assert paths(hooks={"exit": {"templateRef": {"name": "t", "template": "p"}}}) == found
