"""Checks the user's permissions to submit and follow runs, and the pod account's to report results; fixes are roles that grant them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hera_utils.platforms import roles
from hera_utils.platforms.cluster_messages import ClusterReply, ClusterRequest
from hera_utils.platforms.roles import Right
from hera_utils.preflight.finding import Finding, good, problem, unknown, warning
from hera_utils.preflight.inquiry import Target

Json = dict[str, Any]

_REVIEWS = "apis/authorization.k8s.io/v1"
_RBAC = "apis/rbac.authorization.k8s.io/v1"


def check_rights_of_user(target: Target) -> Iterator[Finding]:
    """SelfSubjectAccessReviews with the credential that the Argo server uses, which in its mode `client` is the user's own."""
    assert target.asker is not None
    if not target.connection.current_token() and target.trusted:
        return  # the server uses its own account, whose permissions only its answers show
    rights = roles.submitter(kind for kind, _ in target.needs.templates)
    answers = target.asker(*(_self_review(target, right) for right in rights))
    if not all(answer.ok for answer in answers):
        refused = next(answer for answer in answers if not answer.ok)
        yield unknown(
            "rights", f"your permissions cannot be read ({refused.message})", target.kubectl("auth can-i --list")
        )
        return
    lacking = [right for right, answer in zip(rights, answers, strict=True) if not _is_allowed(answer)]
    if not lacking:
        yield good("rights", f"{len(rights)} of {len(rights)} permissions ({_person(target) or 'yours'})")
        return
    who = f"you ({_person(target)})" if target.user else "you"
    # The reason of a missing token matters, because the permissions may then be those of an unexpected identity.
    left_out = target.connection.no_token
    why = f"; a token is left out ({left_out})" if left_out not in ("", "default") else ""
    fix: str | None = _role_for(target, roles.SUBMITTER, rights, roles.user_subject(target.user or "YOU"))
    for vital, verdict in ((True, problem), (False, warning)):
        these = [right for right in lacking if right.vital is vital]
        if these:
            yield verdict("rights", f"{who} may not {_list_rights(these)}: {_list_purposes(these)}{why}", fix)
            fix = None  # the same role grants the other permissions


def _person(target: Target) -> str:
    """The user's name in the cluster; a service account by its short name."""
    prefix = f"system:serviceaccount:{target.namespace}:"
    return f"service account {target.user.removeprefix(prefix)}" if target.user.startswith(prefix) else target.user


def check_rights_of_accounts(target: Target) -> Iterator[Finding]:
    """SubjectAccessReviews for the accounts of the pods; if the user may not create these, the accounts' roles are read instead."""
    for account in accounts(target):
        yield from _check_account(target, account)


def accounts(target: Target) -> list[str]:
    """The service accounts that the pods of the run use."""
    needs, own = target.needs, target.connection.service_account
    names = list(needs.service_accounts)
    spec = (needs.document or {}).get("spec") or {}
    named = spec.get("serviceAccountName")
    declared = target.environment.service_account
    if not named and not (spec.get("workflowTemplateRef")):
        names.insert(0, own or (declared.name if declared is not None else "") or "default")
    return list(dict.fromkeys(names))


def _check_account(target: Target, account: str) -> Iterator[Finding]:
    assert target.asker is not None
    needs = target.needs
    rights = roles.executor(agents=needs.agents, collects=needs.collects)
    for api_version, kind, action, _ in needs.actions:
        rights += [
            right for right in roles.rights_for_resource_action(api_version, kind, action) if right not in rights
        ]
    # Every account may ask for its own permissions.
    own = target.user == f"system:serviceaccount:{target.namespace}:{account}"
    answers = target.asker(
        *(_self_review(target, right) if own else _review(target, account, right) for right in rights)
    )
    if all(answer.ok for answer in answers):
        lacking = [right for right, answer in zip(rights, answers, strict=True) if not _is_allowed(answer)]
    else:
        rules = _rules_of(target, account)
        if rules is None:
            fix = _role_for(target, roles.EXECUTOR, rights, roles.account_subject(account, target.namespace))
            yield unknown(
                "account rights",
                f'whether service account "{account}" may {_list_rights(rights)} cannot be checked with your permissions',
                f"when tasks end with `forbidden`: {fix}",
            )
            return
        lacking = [right for right in rights if not roles.is_allowed(rules, right)]
    if not lacking:
        yield good("account rights", f'service account "{account}" has {len(rights)} of {len(rights)} permissions')
        return
    fix = _role_for(target, roles.EXECUTOR, rights, roles.account_subject(account, target.namespace))
    for sure, verdict in ((True, problem), (False, warning)):
        these = [right for right in lacking if right.sure is sure]
        if these:
            yield verdict(
                "account rights",
                f'service account "{account}" cannot {_list_rights(these)}: {_list_purposes(these)}',
                fix,
            )


def _is_allowed(answer: ClusterReply) -> bool:
    return bool((answer.body.get("status") or {}).get("allowed"))


def _self_review(target: Target, right: Right) -> ClusterRequest:
    return _request(
        "SelfSubjectAccessReview", {"resourceAttributes": right.attributes(target.namespace)}, target.by_token
    )


def _review(target: Target, account: str, right: Right) -> ClusterRequest:
    namespace = target.namespace
    spec = {
        "user": f"system:serviceaccount:{namespace}:{account}",
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"],
        "resourceAttributes": right.attributes(namespace),
    }
    return _request("SubjectAccessReview", spec, False)


def _request(kind: str, spec: Json, by_token: bool) -> ClusterRequest:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    return ClusterRequest("POST", f"{_REVIEWS}/{kind.lower()}s", body=body, by_token=by_token)


# --- roles, read ---------------------------------------------------------------------------------------------------------


def _rules_of(target: Target, account: str) -> list[Json] | None:
    """The rules of an account's roles in the namespace; None if the roles cannot be read."""
    assert target.asker is not None
    inside = f"{_RBAC}/namespaces/{target.namespace}"
    paths = (f"{inside}/rolebindings", f"{inside}/roles", f"{_RBAC}/clusterrolebindings", f"{_RBAC}/clusterroles")
    bindings, own_roles, cluster_bindings, cluster_roles = (
        answer.body.get("items") or [] if answer.ok else None
        for answer in target.asker(*(ClusterRequest("GET", path) for path in paths))
    )
    if bindings is None or own_roles is None:
        return None
    bound = [
        binding for binding in [*bindings, *(cluster_bindings or [])] if _binds(binding, account, target.namespace)
    ]
    if cluster_roles is None and any((binding.get("roleRef") or {}).get("kind") == "ClusterRole" for binding in bound):
        return None
    role_by_name = {("Role", role["metadata"]["name"]): role for role in own_roles}
    role_by_name |= {("ClusterRole", role["metadata"]["name"]): role for role in cluster_roles or []}
    references = [binding.get("roleRef") or {} for binding in bound]
    chosen = [
        role_by_name.get((str(reference.get("kind")), str(reference.get("name")))) or {} for reference in references
    ]
    return [rule for role in chosen for rule in role.get("rules") or []]


def _binds(binding: Json, account: str, namespace: str) -> bool:
    groups = {"system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"}
    inside = (binding.get("metadata") or {}).get("namespace")
    for subject in binding.get("subjects") or []:
        if subject.get("kind") == "ServiceAccount":
            if subject.get("name") == account and (subject.get("namespace") or inside) == namespace:
                return True
        elif subject.get("kind") == "Group" and subject.get("name") in groups:
            return True
    return False


# --- what gives a right --------------------------------------------------------------------------------------------------


def _role_for(target: Target, kind: str, rights: Sequence[Right], subject: Json) -> str:
    """The fix: the file with the smallest sufficient role, or how to write it. kind: as in `roles.name_of_grant`."""
    name = roles.name_of_grant(kind, rights, subject)
    for document in (roles.role(name, rights), roles.binding(name, subject)):
        document["metadata"]["namespace"] = target.namespace
        if document not in target.lacking:
            target.lacking.append(document)
    if target.role_file:
        return f"ask the cluster's owner for role/{name}: kubectl apply -f {target.role_file} (file written)"
    return (
        f"ask the cluster's owner for role/{name} (add --role role.yaml, which writes it): kubectl apply -f role.yaml"
    )


def _list_rights(rights: Sequence[Right]) -> str:
    """`create, watch workflows.argoproj.io; get pods/log`."""
    verbs: dict[str, list[str]] = {}
    for right in rights:
        verbs.setdefault(right.qualified, []).append(right.verb)
    return "; ".join(f"{', '.join(verbs_of_resource)} {resource}" for resource, verbs_of_resource in verbs.items())


def _list_purposes(rights: Sequence[Right]) -> str:
    return "; ".join(dict.fromkeys(right.what for right in rights))
