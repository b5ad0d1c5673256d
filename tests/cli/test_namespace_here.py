"""Settings that name a cluster's namespace run on this machine as well: the namespace is made, and that is said."""

import pytest

BUILT = """
from hera.workflows import Container, Workflow
with Workflow(generate_name="here-", entrypoint="c") as w:
    Container(name="c", image="alpine:3", command=["true"])
"""


@pytest.fixture
def elsewhere(user, request):
    """The name of a namespace that this machine does not have."""
    name = f"elsewhere-{abs(hash(request.node.name)) % 10**8}"
    yield name
    user.platform.cluster.delete("Namespace", name)


def test_of_a_variable(user, monkeypatch, elsewhere):
    monkeypatch.setenv("ARGO_NAMESPACE", elsewhere)
    user.file("built.py", BUILT)
    said = user.type("run", "built.py")
    assert f"namespace {elsewhere} (variable ARGO_NAMESPACE) is created on this machine" in said
    assert "is made" not in user.type("run", "built.py")
    assert user.type("ls").count("here-") == 2


def test_of_a_profile_for_a_cluster(user, monkeypatch, elsewhere):
    monkeypatch.delenv("ARGO_NAMESPACE")
    user.file(
        "hera-utils.toml",
        f'[profiles.lab]\nargo_server = "https://argo.lab.example"\nargo_namespace = "{elsewhere}"\n',
    )
    user.file("built.py", BUILT)
    said = user.type("run", "built.py", "--profile", "lab", "--platform", "local")
    assert f"namespace {elsewhere} (profile lab in " in said
    assert "Succeeded" in said


def test_a_name_that_is_typed_for_this_machine_must_be_there(user):
    user.file("built.py", BUILT)
    said = user.type("run", "built.py", "--argo_namespace", "nowhere", status=2)
    assert "there is no namespace `nowhere` on this machine" in said
