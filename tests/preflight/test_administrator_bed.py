"""The rights that docs/administrator.md gives to a group suffice: for the checks, and for a run."""

import json
from pathlib import Path

import yaml

from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connect import connect
from hera_utils.preflight.run import examine
from hera_utils.settings.sources import Surroundings, read_settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "administrator.md"
RUN = {
    "metadata": {"generateName": "hello-"},
    "spec": {"entrypoint": "m", "templates": [{"name": "m", "container": {"image": "busybox", "command": ["true"]}}]},
}


def test_a_group_gets_what_the_page_gives(place, tmp_path):
    group = f"{place.name}-lyon"
    written = PAGE.read_text().split("```yaml\n")[1].split("```")[0]
    for document in yaml.safe_load(json.dumps(yaml.safe_load(written)).replace('"lyon"', json.dumps(group)))["items"]:
        place.bed.apply(document)
    token = place.bed.token(group, "researcher")
    kubeconfig = yaml.safe_load(place.kubeconfig().read_text())
    kubeconfig |= {
        "users": [{"name": "me", "user": {"token": token}}],
        "contexts": [{"name": "me", "context": {"cluster": "bed", "user": "me", "namespace": group}}],
        "current-context": "me",
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    flags = {"argo_server": place.bed.argo_server, "ca_file": str(place.bed.authority), "argo_token": token}
    flags |= {"k8s_config_file": str(tmp_path / "kubeconfig"), "argo_service_account": "collector"}
    context = read_settings(flags, around=Surroundings(environ={}, directory=tmp_path, home=tmp_path))
    try:
        findings = examine(context, None, RUN).findings
        assert [one for one in findings if one.verdict in ("problem", "warning")] == []
        assert {one.check for one in findings if one.verdict == "unknown"} <= {"controller"}
        with ArgoClient(connect(context)) as client:
            name = client.create(RUN)["metadata"]["name"]
            assert client.wait(name, timeout=60)["status"]["phase"] == "Succeeded"
    finally:
        place.bed.admin.delete("Namespace", group)
