"""The first checks: whether Argo server, cluster and registry answer, whether the clocks agree, and whether the token is valid."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

from hera_utils.errors import AccessError, HeraUtilsError, SettingsError
from hera_utils.experiment.environment import Environment
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.cluster_messages import ClusterReply, ClusterRequest
from hera_utils.platforms.connect import connect
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.http_errors import unexpected_answer
from hera_utils.platforms.kubernetes_http import KubernetesHttp
from hera_utils.platforms.token import TokenClaims, read_token
from hera_utils.platforms.versions import OLDEST_ARGO, check_versions, hera_version, numbers, short_version
from hera_utils.preflight.finding import Finding, from_error, good, problem, unknown, warning
from hera_utils.preflight.inquiry import Asker, Target, call_in_parallel
from hera_utils.preflight.needs import Needs
from hera_utils.settings.resolve import CLIContext
from hera_utils.spans import rough_span

SKEW_TOLD, SKEW_WRONG = 30.0, 300.0
"""Seconds by which two clocks may differ before a warning and before a problem: Kubernetes then refuses tokens or accepts them too
long, and the times of logs and tasks do not match.
"""
LEAST_LEFT = 60.0  # seconds: a token that expires sooner counts as expired
RUN_FIELDS = "metadata.name,metadata.creationTimestamp,status.phase,status.startedAt"
USUAL_RUN = 1800  # seconds, assumed for a workflow without activeDeadlineSeconds

_WHO = ClusterRequest(
    "POST",
    "apis/authentication.k8s.io/v1/selfsubjectreviews",
    body={"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
)


def check_contact(context: CLIContext, environment: Environment | None, needs: Needs) -> tuple[Target, list[Finding]]:
    """(the target of all further checks, the findings so far). Raises HeraUtilsError if the settings lead to no server."""
    connection = connect(context)
    target = Target(context, connection, environment or Environment(), needs, TokenClaims("opaque"))
    try:
        current = connection.current_token()
    except HeraUtilsError:
        current = ""  # the request that sends it reports the error
    target.token = read_token(current)
    # A token that Kubernetes issued also identifies the user there; any other must be sent to the Argo server only.
    kubernetes_token = current if target.token.of_kubernetes and not target.token.defect else ""
    asker, lost = _asker(connection, kubernetes_token)
    calls: list[Callable[[], object]] = [lambda: _argo(connection), lambda: _runs(connection)]
    if asker is not None:
        calls += [
            lambda: asker.get("version"),
            lambda: asker(_WHO)[0],
            lambda: asker(replace(_WHO, by_token=True))[0] if kubernetes_token else None,
        ]
    answers = call_in_parallel(calls)
    findings = [*_findings_on_argo(target, answers[0], answers[1], current)]
    if asker is not None:
        findings += _findings_on_cluster(target, asker, answers[2:])
    else:
        findings += lost
    dates = [answers[0], *answers[2:3]]
    findings += _finding_on_clocks([date for date in dates if isinstance(date, ClusterReply)])
    return target, findings


def _asker(connection: Connection, token: str) -> tuple[Asker | None, list[Finding]]:
    cluster = Cluster(connection)
    try:
        if cluster.leads_somewhere():
            return Asker(KubernetesHttp(connection, token)), []
    except (SettingsError, AccessError) as error:
        return None, [from_error("cluster", error)]
    return None, [
        unknown(
            "cluster",
            "no kubeconfig: claims, config maps, secrets, accounts and rights are not checked",
            "name one with --k8s_config_file or KUBECONFIG",
        )
    ]


# --- the Argo server -----------------------------------------------------------------------------------------------------


def _argo(connection: Connection) -> ClusterReply:
    from hera_utils.platforms.argo_http import ArgoHttp

    http = ArgoHttp(connection)
    try:
        sent_at = time.time()
        body, date = http.call_with_server_time("InfoService_GetVersion")
        if not isinstance(body, dict) or not isinstance(body.get("version"), str):
            raise unexpected_answer(connection)
        return ClusterReply(200, body, date, sent_at, time.time())
    finally:
        http.close()


def _runs(connection: Connection) -> object:
    """The newest runs. A server that lists them accepts the token, while its version it gives without one."""
    from hera_utils.platforms.argo_client import ArgoClient

    with ArgoClient(connection) as client:
        return client.list(limit=20, fields=RUN_FIELDS)


def _findings_on_argo(target: Target, version_reply: object, runs: object, current: str) -> Iterator[Finding]:
    token = _finding_on_token(target, current)
    refusal = next(
        (reply for reply in (version_reply, runs) if isinstance(reply, AccessError) and "token" in reply.message), None
    )
    if isinstance(version_reply, HeraUtilsError) and version_reply is not refusal:
        yield from_error("argo server", version_reply)
        if token is not None and not token.ok:
            yield token
        return
    url = target.connection.argo_server
    if isinstance(version_reply, ClusterReply):
        target.version = str(version_reply.body.get("version") or "")
    if refusal is not None:
        yield good("argo server", " ".join(filter(None, ["argo server", url, target.version, "answers"])))
        yield from _findings_on_versions(target.version)
        # Only the claims of the token say why it is refused.
        yield token if token is not None and not token.ok else from_error("token", refusal)
        return
    target.trusted, target.runs = True, runs
    answers = " ".join(filter(None, ["argo server", url, target.version, "answers"]))
    if isinstance(runs, AccessError):
        yield unknown("argo server", f"{answers}, but does not list its runs: see the permissions")
    else:
        yield good("argo server", answers)
    yield from _findings_on_versions(target.version)
    if not target.context.verify_tls:
        origin = target.context.origin("verify_tls")
        yield warning("argo server", f"certificates are not checked ({origin})", "remove --no_verify_tls")
    if token is not None:
        yield token
    else:
        yield warning(
            "token",
            "no token is given, and the server requires none: everybody who reaches it has all its permissions",
            "ask its owner for --auth-mode=client",
        )


def _findings_on_versions(argo: str) -> Iterator[Finding]:
    if not argo:
        return
    if numbers(argo) and numbers(argo) < numbers(OLDEST_ARGO):
        yield problem(
            "version",
            f"Argo {short_version(argo)} is too old: hera_utils needs {OLDEST_ARGO} or later",
            f"ask the cluster's owner to upgrade Argo to {OLDEST_ARGO} or later",
        )
        return
    for fit in check_versions(hera_version(), argo):
        yield Finding("version", fit.verdict, fit.message, fit.fix)


def _finding_on_token(target: Target, current: str) -> Finding | None:
    if not current:
        return None
    token, refreshed = target.token, target.connection.fresh_token is not None
    origin = _origin(target)
    if token.defect:
        return problem(
            "token", f"the token is malformed: {token.defect} ({origin})", "copy it again, completely and on one line"
        )
    if token.kind == "sso":
        return good("token", f"a token of Argo's single sign-on ({origin}); its end is encrypted")
    if token.expires is None:
        return good("token", f"a token without an end ({origin})")
    left = token.expires - time.time()
    if left < LEAST_LEFT:
        when = "has expired" if left <= 0 else f"expires in {left:.0f} s"
        ago = f" {rough_span(-left)} ago" if left <= 0 else ""
        return problem("token", f"the token {when}{ago} ({origin})", _how_to_get_new_token(target))
    if refreshed:
        return good("token", f"token valid for {rough_span(left)}, refreshed automatically ({origin})")
    needed_seconds = target.needs.deadline or USUAL_RUN
    if left < needed_seconds:
        told_run = "the run may take" if target.needs.deadline else "a run may take"
        return warning(
            "token",
            f"the token is valid for {rough_span(left)} only, {told_run} {rough_span(needed_seconds)}: following would stop, "
            f"the run would continue",
            f"{_how_to_get_new_token(target)}; one of a service account is refreshed automatically (--argo_service_account, "
            f"without a token)",
        )
    return good("token", f"token valid for {rough_span(left)} ({origin})")


def _origin(target: Target) -> str:
    """Where the token comes from, in the words of the settings."""
    context = target.context
    for name in ("argo_token", "argo_token_file", "argo_token_command", "argo_token_keyring"):
        if context.is_given(name):
            return context.origin(name)
    account = target.connection.service_account
    return f"service account {account}" if account else "the kubeconfig's user"


def _how_to_get_new_token(target: Target) -> str:
    token = target.token
    if token.of_kubernetes and token.subject.count(":") == 3:
        _, _, namespace, name = token.subject.split(":")
        return f'export ARGO_TOKEN="Bearer $(kubectl -n {namespace} create token {name} --duration=8h)"'
    return "put a new one into ARGO_TOKEN"


# --- the cluster ---------------------------------------------------------------------------------------------------------


def _findings_on_cluster(target: Target, asker: Asker, answers: list[Any]) -> Iterator[Finding]:
    version, mine, theirs = answers
    if isinstance(version, HeraUtilsError):
        asker.close()
        yield from_error("cluster", version)
        return
    if isinstance(mine, AccessError) or (isinstance(mine, ClusterReply) and mine.status == 401):
        asker.close()
        where = target.connection.kubeconfig or "~/.kube/config"
        yield problem(
            "cluster",
            f"the cluster refuses the credential of {where}",
            "renew it (log in again, or ask the cluster's owner for a new kubeconfig), or name another with --k8s_config_file",
        )
        return
    target.asker = asker
    target.kubernetes = str(version.body.get("gitVersion") or "")
    if not any(numbers(target.kubernetes)):
        target.kubernetes = ""  # a server built from source reports v0.0.0-master
    target.user = _name(mine)
    if isinstance(theirs, ClusterReply) and theirs.ok:
        target.by_token, target.user = True, _name(theirs)
    as_whom = f", you are {_name(mine)}" if _name(mine) else ""
    yield good("cluster", f"Kubernetes {short_version(target.kubernetes) or '(of unknown version)'} answers{as_whom}")
    if target.version:
        for fit in check_versions("", target.version, target.kubernetes):
            yield Finding("version", fit.verdict, fit.message, fit.fix)


def _name(answer: Any) -> str:
    if not isinstance(answer, ClusterReply) or not answer.ok:
        return ""
    return str(((answer.body.get("status") or {}).get("userInfo") or {}).get("username") or "")


# --- clocks --------------------------------------------------------------------------------------------------------------


def _finding_on_clocks(answers: list[ClusterReply]) -> Iterator[Finding]:
    """The largest difference of the clocks that the time of the round trip does not explain."""
    skews = [skew for answer in answers if (skew := _skew(answer)) is not None]
    if not skews:
        return
    worst = max(skews, key=abs)
    if abs(worst) < SKEW_TOLD:
        yield good("clock", "this machine's clock and the cluster's agree")
        return
    relation = "behind" if worst > 0 else "ahead of"
    message = f"this machine's clock is {rough_span(abs(worst))} {relation} the cluster's"
    fix = "set it: sudo timedatectl set-ntp true (if it is right, inform the owner of the cluster)"
    if abs(worst) < SKEW_WRONG:
        yield warning("clock", message, fix)
    else:
        yield problem("clock", f"{message}: tokens may be refused, or accepted after their end", fix)


def server_time(answers: list[ClusterReply]) -> float | None:
    """The present time of the cluster's clock; None when no answer contains it."""
    dated = [(answer, skew) for answer in answers if (skew := _skew(answer)) is not None]
    return time.time() + dated[0][1] if dated else None


def _skew(answer: ClusterReply) -> float | None:
    """Seconds by which the server's clock is ahead of this machine's; 0 if they may agree. (HTTP dates have whole seconds.)"""
    try:
        there = parsedate_to_datetime(answer.date).timestamp()
    except (TypeError, ValueError):
        return None
    if there + 1 < answer.sent:
        return there + 1 - answer.sent
    return max(0.0, there - answer.received)


def registry(target: Target) -> Iterator[Finding]:
    """Whether the registry answers this machine. The cluster may reach it nevertheless: this is at most a warning."""
    named = target.environment.registry or target.context.registry
    if not named:
        return
    import requests

    host = named.partition("://")[2].split("/")[0] if "://" in named else named.split("/")[0]
    try:
        reply = requests.get(f"https://{host}/v2/", timeout=5, allow_redirects=False)
    except requests.RequestException:
        reply = None
    if reply is not None and reply.status_code in (200, 401):
        yield good("registry", f"the registry {host} answers")
        return
    reply_text = f"it answered {reply.status_code}" if reply is not None else "no answer"
    yield warning(
        "registry",
        f"the registry {host} does not answer from here ({reply_text}); the cluster may nevertheless reach it",
        "check its name (--registry), or the network",
    )
