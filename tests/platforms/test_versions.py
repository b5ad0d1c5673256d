import pytest

import hera_utils
from hera_utils.errors import AccessError, SettingsError
from hera_utils.platforms.versions import fits, satisfies


@pytest.mark.parametrize(
    ("version", "demanded", "answer"),
    [
        ("7.1.0", "7.1.0", True),
        ("7.1.0", "5.6.0", False),
        ("7.1.0", "7.1", True),
        ("7.10.0", "7.1", False),
        ("7.1.0", "7.*", True),
        ("7.1.0", ">=6,<8", True),
        ("8.0", ">=6, <8", False),
        ("7.1", ">=7.1.0", True),
        ("7.2.3", "~=7.1", True),
        ("8.0.0", "~=7.1", False),
        ("7.0.1", "!=7.0.1", False),
        ("v4.1.2", "4.1", True),
        ("v1.36.2+k3s1", ">=1.34", True),
        ("latest", ">=4", False),
    ],
)
def test_what_is_demanded(version, demanded, answer):
    assert satisfies(version, demanded) is answer


def test_a_demand_that_is_none():
    with pytest.raises(SettingsError, match="demands no version"):
        satisfies("7.1.0", "newest")


@pytest.mark.parametrize(
    ("hera", "argo", "kubernetes", "verdicts"),
    [
        ("7.1.0", "v4.1.2", "v1.36.2", ["good", "good"]),
        ("7.1.0", "v4.1.2", "", ["good"]),
        ("7.1.0", "v3.7.3", "v1.33.1", ["warning", "good"]),
        ("6.0.0", "v3.7.3", "", ["good"]),
        ("6.0.0", "v3.5.5", "", ["warning"]),
        ("6.0.0", "v4.1.2", "v1.28.0", ["warning", "warning"]),
        ("7.1.0", "v2.12.0", "", ["warning", "warning"]),
        ("7.1.0", "", "v1.36.2", []),
    ],
)
def test_what_was_made_for_one_another(hera, argo, kubernetes, verdicts):
    found = fits(hera, argo, kubernetes)
    assert [one.verdict for one in found] == verdicts
    assert all(one.fix for one in found if one.verdict != "good")


def test_the_seeds_names(capsys):
    installed = __import__("importlib.metadata").metadata.version("hera")
    hera_utils.hera_print_version()
    assert capsys.readouterr().out == f"Installed Hera version:  {installed}\n"
    assert hera_utils.check_version(installed)
    assert hera_utils.hera_assert_version(installed)
    with pytest.raises(SettingsError, match=r"the script demands 5\.6\.0") as caught:
        hera_utils.hera_assert_version("5.6.0")
    assert caught.value.fix == "pip install 'hera==5.6.0'"


def test_a_template_is_cleared_once_and_asked_for_as_often_as_one_likes(local_platform):
    document = {
        "kind": "WorkflowTemplate",
        "metadata": {"name": "stale"},
        "spec": {
            "entrypoint": "m",
            "templates": [{"name": "m", "container": {"image": "alpine:3", "command": ["true"]}}],
        },
    }
    client = local_platform.client
    client.create(document)
    assert hera_utils.clear_workflow_template(local_platform.cluster, "stale") is True
    assert hera_utils.hera_clear_workflow_template(local_platform.cluster, "stale") is False
    client.create(document)
    from hera_utils.platforms.hera_binding import bind_hera

    with bind_hera(local_platform.connection):
        assert hera_utils.clear_workflow_template("the seed's own cluster", "stale") is True


def test_without_a_server_there_is_nothing_to_clear():
    with pytest.raises(AccessError, match="Hera knows no Argo server"):
        hera_utils.clear_workflow_template(object(), "stale")
