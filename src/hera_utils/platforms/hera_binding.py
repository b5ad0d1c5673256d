"""Binds Hera to a connection: the only file that changes Hera's global configuration.

Hera keeps host, token and namespace in one process-wide object and copies them into each Workflow when it is created. So a binding sets
that object, and adapts each workflow just before it is sent (hera_classes.py).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_utils.argo.annotations import DIRECTORY, IMAGE_DECISIONS, IMAGES, PYTHON, SCRIPT
from hera_utils.errors import AccessError
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.hera_classes import IN_FORCE, extend_hera, is_cluster_wide
from hera_utils.platforms.own_server_session import RejoiningSession
from hera_utils.platforms.run_images import decisions_of
from hera_utils.platforms.token import authorization, bare_token

if TYPE_CHECKING:
    from hera_utils.images.decision_texts import ImageDecision
    from hera_utils.settings.resolve import CLIContext

_NAMES = ("host", "namespace", "service_account_name", "verify_ssl", "client_certs")
_WORDS = ("Argo server", "token", "namespace")
_PROXIES = tuple(name for word in ("http_proxy", "https_proxy", "all_proxy") for name in (word, word.upper()))


@dataclass(frozen=True)
class Stamp:
    """The submitting process: what the local platform needs to run a `@script()` task as the submitting script would.

    python: path of the interpreter. directory: where relative paths and imports start. script: the file that was run, or "".
    images: the settings of images. decisions: the decisions about images; more may be added after the stamp was created.
    """

    python: str
    directory: str
    script: str = ""
    images: Mapping[str, Any] = field(default_factory=dict)
    decisions: Mapping[str, ImageDecision] = field(default_factory=dict)

    def annotations(self) -> dict[str, str]:
        values = {
            PYTHON: self.python,
            DIRECTORY: self.directory,
            SCRIPT: self.script,
        }
        if self.images:
            values[IMAGES] = json.dumps(self.images, sort_keys=False, separators=(",", ":"))
        if self.decisions:
            decisions = {image: decision.as_json() for image, decision in self.decisions.items()}
            values[IMAGE_DECISIONS] = json.dumps(decisions, separators=(",", ":"))
        return {name: value for name, value in values.items() if value}

    def add_to(self, document: dict[str, Any]) -> dict[str, Any]:
        """A workflow document with this stamp, for documents that Hera does not send. Its own annotations are kept."""
        metadata = document.get("metadata") or {}
        annotations = {**self.annotations(), **(metadata.get("annotations") or {})}
        return {**document, "metadata": {**metadata, "annotations": annotations}}


def stamp_of(context: CLIContext, script: str | None = None) -> Stamp:
    """The stamp of this process. script: the file that runs (default: this process's own main file)."""
    main = script if script is not None else getattr(sys.modules.get("__main__"), "__file__", None)
    return Stamp(
        python=context.python or sys.executable,
        directory=os.getcwd(),
        script=str(Path(main).absolute()) if main else "",
        images=context.images,
        decisions=decisions_of(context),
    )


def document_of_hera(workflow: Any) -> dict[str, Any]:
    """The JSON document of a Hera object. (Hera's own dictionaries contain enumerations and other objects.)"""
    document: dict[str, Any] = json.loads(json.dumps(workflow.to_dict(), default=str))
    return document


class HeraBinding:
    """A binding of Hera; `restore()`, or the end of a `with`, restores the configuration from before.

    insist: replace a server, token or namespace that the script gives to Hera; `notice` is called once with one line about it. The script's
    other Kubernetes clients get the cluster of the connection, too.
    """

    def __init__(
        self,
        connection: Connection,
        stamp: Stamp | None = None,
        insist: bool = False,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        from hera.shared import global_config

        self.connection, self.stamp, self.insist = connection, stamp, insist
        self.active = True
        self._notice: Callable[[str], None] | None = notice if insist else None
        self._replaced: dict[str, None] = {}  # names of the script's own values that were replaced, in order
        self._before = {name: getattr(global_config, name) for name in _NAMES if hasattr(global_config, name)}
        self._before["token"] = _token_as_set(global_config)
        self._environ = _proxy_exception(connection) | (_name_cluster(connection) if insist else {})

    def __repr__(self) -> str:  # shown below the cell of a notebook that binds Hera
        return f"HeraBinding({self.connection.argo_server}, namespace {self.namespace})"

    def __enter__(self) -> HeraBinding:
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()

    def restore(self) -> None:
        if not self.active:
            return
        self.active = False
        if self in IN_FORCE:
            IN_FORCE.remove(self)
        from hera.shared import global_config

        for name, value in self._before.items():
            setattr(global_config, name, value)
        for name, text in self._environ.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text

    @property
    def namespace(self) -> str:
        return self.connection.namespace

    @property
    def annotations(self) -> dict[str, str]:
        """The annotations of everything that is sent now."""
        return {} if self.stamp is None else self.stamp.annotations()

    # --- called by Hera's classes (hera_classes.py) ----------------------------------------------------------------------
    def prepare(self, workflow: Any) -> None:
        """Adapt a workflow that is about to be built."""
        if annotations := self.annotations:
            workflow.annotations = {**annotations, **(workflow.annotations or {})}
        if self.insist:
            self._replaced |= dict.fromkeys(_replace(workflow, self.connection))
            self.notify_replacements()
        _set_up_session(workflow.workflows_service, self.connection)
        _renew_token_per_request(workflow.workflows_service, self.connection)

    def new_session(self) -> Any:
        """The session of a service that is being created; None if Hera shall choose it."""
        return RejoiningSession(self.connection) if self.connection.local else None

    def is_own_token(self, token: Any) -> bool:
        """Whether the binding gave Hera this token generator."""
        return bool(token == self.connection.fresh_token)

    def prepare_service(self, service: Any) -> None:
        """Adapt a service that was just created, by a workflow or by the script itself."""
        if not self.insist:
            return
        self._replaced |= dict.fromkeys(_redirect(service, self.connection))
        _set_up_session(service, self.connection)
        _renew_token_per_request(service, self.connection)

    def prepare_request(self, request: Any) -> None:
        """Adapt the object that the script asks a service to create or change."""
        for name in ("workflow", "template", "cron_workflow"):
            metadata = getattr(getattr(request, name, None), "metadata", None)
            if metadata is None:
                continue
            if metadata.namespace:
                metadata.namespace = self.place(metadata.namespace)
            if annotations := self.annotations:
                metadata.annotations = {**annotations, **(metadata.annotations or {})}

    def place(self, namespace: str) -> str:
        """The namespace of the run, which replaces the one that the script names."""
        if namespace != self.connection.namespace:
            self._replaced["namespace"] = None
        return self.connection.namespace

    def notify_replacements(self) -> None:
        """Call `notice` once, before something is sent, with what was replaced."""
        if self._replaced and self._notice is not None:
            notice, self._notice = self._notice, None
            notice(notice_of([word for word in _WORDS if word in self._replaced], self.connection))


def bind_hera(
    connection: Connection,
    *,
    stamp: Stamp | None = None,
    insist: bool = False,
    notice: Callable[[str], None] | None = None,
) -> HeraBinding:
    """Make Hera submit to a connection from now on.

    stamp: written as annotations on everything that is sent to the local platform. insist: replace also a host, token or namespace that
    the script gives to Hera afterwards; `notice` is then called once with one line about it.
    """
    from hera.shared import global_config

    binding = HeraBinding(connection, stamp if connection.local else None, insist, notice)
    try:
        global_config.host = connection.argo_server + "/"  # urljoin would drop the last part of a base path
        global_config.token = connection.fresh_token or connection.token or None
        global_config.namespace = connection.namespace
        global_config.verify_ssl = connection.verify  # Hera gives it to requests, which takes a file of authorities too
        if connection.client_certificate is not None:
            global_config.client_certs = connection.client_certificate
        if connection.service_account is not None:
            global_config.service_account_name = connection.service_account
        extend_hera()
        IN_FORCE.append(binding)
    except BaseException:  # also on Ctrl-C: never leave half a binding
        binding.restore()
        raise
    return binding


def bound_connection() -> Connection:
    """The connection that Hera has now, whoever set it. Raises AccessError if it has none."""
    from hera.shared import global_config

    if not global_config.host:
        raise AccessError(
            "Hera knows no Argo server yet",
            fix="first: argo_server(cluster, args).define_argo_server_part_of_environment()",
        )
    held = _token_as_set(global_config)
    token = held if isinstance(held, str) else ""
    return Connection(
        argo_server=str(global_config.host).rstrip("/"),
        namespace=global_config.namespace or "default",
        token=bare_token(token),
        verify_tls=bool(global_config.verify_ssl),
        ca_file=global_config.verify_ssl if isinstance(global_config.verify_ssl, str) else None,
        fresh_token=(lambda: bare_token(held() or "")) if callable(held) else None,
    )


def _token_as_set(config: Any) -> Any:
    """The token or token generator as it was set. (Hera's property would call the generator and replace it by the result.)"""
    return vars(config).get("_token")


def _proxy_exception(connection: Connection) -> dict[str, str | None]:
    """Exclude this machine from HTTP proxies, for Hera's requests; returns the earlier values of the variables."""
    if not connection.direct or not any(os.environ.get(name) for name in _PROXIES):
        return {}
    before: dict[str, str | None] = {}
    for name in ("no_proxy", "NO_PROXY"):
        before[name] = os.environ.get(name)
        hosts = [host for host in (before[name] or "").split(",") if host]
        if "127.0.0.1" not in hosts and "*" not in hosts:
            os.environ[name] = ",".join([*hosts, "127.0.0.1", "localhost"])
    return before


def _name_cluster(connection: Connection) -> dict[str, str | None]:
    """Let other clients of this process (`kubernetes`, kubectl) reach the cluster of the run; returns the variable's earlier value."""
    if not connection.kubeconfig:
        return {}
    before = {"KUBECONFIG": os.environ.get("KUBECONFIG")}
    os.environ["KUBECONFIG"] = connection.kubeconfig
    return before


def _set_up_session(service: Any, connection: Connection) -> None:
    """Set up the session of a service: with the proxy of the settings (Hera only knows the environment's), or, for the local server or a
    tunnel, with an adapter that verifies which process listens there.
    """
    session: Any = getattr(service, "session", None)
    if connection.direct and _is_of_requests(session):
        from hera_utils.platforms.own_server_adapter import OwnServerAdapter, RejoiningAdapter

        own = RejoiningAdapter(connection) if connection.rejoin is not None else OwnServerAdapter(connection.process)
        session.mount(connection.argo_server, own)
    if session is not None and connection.proxy and not connection.direct:
        from hera_utils.platforms.http_session import proxies_of, proxy_for

        session.proxies.update(proxies_of(proxy_for(connection.argo_server, connection.proxy)))


def _is_of_requests(session: Any) -> bool:
    return type(session).__module__.partition(".")[0] == "requests"


def _renew_token_per_request(service: Any, connection: Connection) -> None:
    """Let the session of a service ask for a token with each request. Hera calls its token generator only once for each service, and a
    long run would outlive that token. A token that the script gave to the service stays, and the service of another server gets none of
    ours.
    """
    session: Any = getattr(service, "session", None)
    if (getattr(service, "host", None) or "").rstrip("/") != connection.argo_server:
        return
    if connection.fresh_token is None or not _is_of_requests(session):
        return
    if bare_token(service.token or "") not in ("", connection.current_token()):
        return

    def authorized(request: Any) -> Any:
        token = connection.current_token()
        if token:
            request.headers["Authorization"] = authorization(token)
        return request

    session.auth = authorized


def _replace(workflow: Any, connection: Connection) -> list[str]:
    """Point a workflow and its service to the connection; returns the names of what the script had set differently."""
    service = workflow.workflows_service
    # changed in place: `create` holds a reference to the service before it builds the workflow
    replaced = [] if service is None else _redirect(service, connection)
    if not is_cluster_wide(workflow) and workflow.namespace != connection.namespace:
        if workflow.namespace is not None:
            replaced.append("namespace")
        workflow.namespace = connection.namespace
    return replaced


def _redirect(service: Any, connection: Connection) -> list[str]:
    """Point a service to the connection; returns the names of what was set differently."""
    replaced, token = [], connection.current_token()
    if (service.host or "").rstrip("/") != connection.argo_server:
        replaced.append("Argo server")
    elif token and (service.token or "").split()[-1:] != [token.split()[-1]]:
        replaced.append("token")
    service.host, service.verify_ssl = connection.argo_server + "/", connection.verify
    service.client_certs = connection.client_certificate
    service.token = authorization(token) or None
    service.namespace = connection.namespace
    return replaced


def notice_of(replaced: list[str], connection: Connection) -> str:
    where = "this machine" if connection.local else connection.argo_server
    return f"the script's {' and '.join(replaced)} for Hera will not be used: it runs on {where} (namespace {connection.namespace})"
