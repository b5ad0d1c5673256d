"""What is said of the user's own permissions on a cluster."""

from types import SimpleNamespace

import pytest

from hera_utils.platforms import roles
from hera_utils.preflight import rights
from hera_utils.preflight.needs import Needs


def refused(*requests):
    return [SimpleNamespace(ok=True, message="", body={"status": {"allowed": False}}) for _ in requests]


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ("", ""),
        ("default", ""),
        (
            "ARGO_TOKEN, but it is for https://other.example",
            "; a token is left out (ARGO_TOKEN, but it is for https://other.example)",
        ),
    ],
)
def test_a_token_that_was_left_out_is_told_with_the_rights_that_lack(left_out, said):
    """Then the permissions are of another identity than the user thinks."""
    connection = SimpleNamespace(current_token=lambda: "", no_token=left_out)
    target = SimpleNamespace(
        asker=refused, connection=connection, needs=Needs(), namespace="lab", by_token=False, trusted=False, lacking=[],
        role_file=None, user="system:serviceaccount:lab:default", token=None,
    )  # fmt: skip
    texts = [finding.message for finding in rights.check_rights_of_user(target)]
    assert texts
    assert all("you (service account default) may not" in text and text.endswith(said) for text in texts)
    assert all(bool(said) == ("left out" in text) for text in texts)


def test_roles_for_two_users_do_not_replace_each_other():
    both = [
        roles.name_of_grant(roles.SUBMITTER, roles.submitter(kinds), roles.user_subject(user))
        for user in ("a", "b")
        for kinds in ((), ("WorkflowTemplate",))
    ]
    assert len(set(both)) == 4
