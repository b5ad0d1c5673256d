"""A script that pins a Hera runs with ours."""

import warnings
from importlib import metadata

import pytest

import hera_utils
from hera_utils.errors import AccessError, SettingsError

INSTALLED = metadata.version("hera")


def test_the_installed_one(capsys):
    hera_utils.hera_print_version()
    hera_utils.print_version()
    assert capsys.readouterr().out == f"Installed Hera version:  {INSTALLED}\n" * 2
    assert hera_utils.check_version(INSTALLED)
    assert not hera_utils.hera_check_version("5.6.0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hera_utils.hera_assert_version(INSTALLED) is True


@pytest.mark.parametrize("pinned", ["5.6.0", "5.1", "99.0.0"])
def test_another_one_is_told_and_stops_nothing(pinned):
    with pytest.warns(UserWarning, match=rf"written for Hera {pinned}, and runs with Hera {INSTALLED}") as caught:
        assert hera_utils.assert_version(pinned) is True
    assert [each.filename for each in caught if each.category is UserWarning] == [__file__]


def test_bounds_are_meant():
    assert hera_utils.assert_version(">=6,<8")
    with pytest.raises(SettingsError, match="the script requires >=99") as caught:
        hera_utils.assert_version(">=99")
    assert caught.value.fix == "pip install 'hera>=99'"


def test_what_is_no_version():
    with pytest.raises(SettingsError, match="does not name a version"):
        hera_utils.assert_version("newest")


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
        assert hera_utils.clear_workflow_template("an object of the script's own", "stale") is True


def test_without_a_server_there_is_nothing_to_clear():
    with pytest.raises(AccessError, match="Hera knows no Argo server"):
        hera_utils.clear_workflow_template(object(), "stale")
