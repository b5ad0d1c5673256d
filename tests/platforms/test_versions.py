import pytest

from hera_utils.errors import SettingsError
from hera_utils.platforms.versions import check_versions, satisfies


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
    with pytest.raises(SettingsError, match="does not name a version"):
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
    found = check_versions(hera, argo, kubernetes)
    assert [one.verdict for one in found] == verdicts
    assert all(one.fix for one in found if one.verdict != "good")
