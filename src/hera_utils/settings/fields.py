"""The table of settings: name (also the key in files and the attribute of `args`), flags, variables, kind, help.

Everything else follows from it: the flags of scripts and of the command line, the variables and file keys that are read, and the rows
of `hera-utils settings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hera_utils.image_policies import POLICIES

Kind = Literal["text", "words", "path", "paths", "program", "command", "boolean", "table", "duration", "count"]


@dataclass(frozen=True)
class Field:
    """One setting.

    flags: the first is shown in texts; each also works with `-` for `_`. off: flags that set a boolean to false.
    variables: environment variables, of which the first that is set wins. inverted: variables that set the boolean to false if true.
    kind: `path` and `paths` (a list as in KUBECONFIG) are made absolute, relative to the file that names them, and so is a
    `program` that contains a `/`, and those words of a `command` that are files there; a `table` is merged key by key over the
    sources; a `count` is 1 or more; a `duration` is in seconds; `words` are a text or, in a file, a list of texts, which `joint`
    joins.
    repeated: whether the flag may be given several times.
    """

    name: str
    help: str
    flags: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    default: object = None
    secret: bool = False
    off: tuple[str, ...] = ()
    inverted: tuple[str, ...] = ()
    metavar: str | None = None
    repeated: bool = False
    joint: str = " "

    @property
    def flag_with_value(self) -> str:
        """The flag as the help shows it: in one spelling, with its value."""
        if self.kind == "boolean":
            return " / ".join((self.flags[0], *self.off))
        return f"{self.flags[0]} {self.metavar or '|'.join(self.choices) or self.name.rpartition('_')[2].upper()}"

    @property
    def help_with_variables(self) -> str:
        named = ", ".join((*self.variables, *self.inverted))
        return f"{self.help} [{named}]" if named else self.help


FIELDS: tuple[Field, ...] = (
    Field(
        "platform",
        "where workflows run: local (this machine) or remote (an Argo server)",
        ("--platform",),
        ("HERA_UTILS_PLATFORM",),
        choices=("local", "remote"),
    ),
    Field(
        "profile",
        "the profile to take settings from; several as A,B: the later wins",
        ("--profile",),
        ("HERA_UTILS_PROFILE",),
    ),
    Field(
        "argo_server",
        "the Argo server: host:port or a URL; naming one makes the platform remote",
        ("--argo_server",),
        ("ARGO_SERVER",),
    ),
    Field("argo_namespace", "the namespace of the runs", ("--argo_namespace",), ("ARGO_NAMESPACE",), default="default"),
    Field(
        "argo_service_account",
        "the service account that the pods of a run use",
        ("--argo_service_account",),
        ("ARGO_SERVICE_ACCOUNT",),
    ),
    Field(
        "argo_token",
        "the token for the Argo server; better in ARGO_TOKEN or a file: others may read a command line",
        ("--argo_token",),
        ("ARGO_TOKEN",),
        secret=True,
    ),
    Field(
        "argo_token_file",
        "a file that holds the token; read again when it changes",
        ("--argo_token_file",),
        ("ARGO_TOKEN_FILE",),
        kind="path",
    ),
    Field(
        "argo_token_command",
        "a command that prints the token; run again before it expires",
        ("--argo_token_command",),
        ("HERA_UTILS_TOKEN_COMMAND",),
    ),
    Field(
        "argo_token_keyring",
        "where this machine's keyring stores the token: SERVICE or SERVICE/USER",
        ("--argo_token_keyring",),
        ("HERA_UTILS_TOKEN_KEYRING",),
    ),
    Field(
        "argo_token_lifetime",
        "how long a token requested for a service account is valid (1h, 90m, 3600)",
        ("--argo_token_lifetime",),
        ("HERA_UTILS_TOKEN_LIFETIME",),
        kind="duration",
        default=3600.0,
    ),
    Field(
        "argo_secure",
        "whether an Argo server named without a scheme is reached over TLS",
        (),
        ("ARGO_SECURE",),
        kind="boolean",
    ),
    Field(
        "argo_base_href",
        "the base path of an Argo server named without one",
        ("--argo_base_href",),
        ("ARGO_BASE_HREF",),
    ),
    Field(
        "verify_tls",
        "check the certificate of the Argo server",
        ("--verify_tls",),
        ("HERA_UTILS_VERIFY_TLS",),
        kind="boolean",
        default=True,
        off=("--no_verify_tls",),
        inverted=("ARGO_INSECURE_SKIP_VERIFY",),
    ),
    Field(
        "ca_file",
        "certificates of the authorities that sign the Argo server's, in PEM",
        ("--ca_file",),
        ("HERA_UTILS_CA_FILE",),
        kind="path",
    ),
    Field(
        "client_certificate",
        "the client certificate for the Argo server, in PEM",
        ("--client_certificate",),
        ("HERA_UTILS_CLIENT_CERTIFICATE",),
        kind="path",
    ),
    Field(
        "client_key",
        "the key of the client certificate, if it is in a separate file",
        ("--client_key",),
        ("HERA_UTILS_CLIENT_KEY",),
        kind="path",
    ),
    Field(
        "proxy",
        "the HTTP proxy on the way to the Argo server and the cluster",
        ("--proxy",),
        ("HERA_UTILS_PROXY",),
    ),
    Field(
        "k8s_config_file",
        "the kubeconfig of the cluster",
        ("--k8s_config_file",),
        ("KUBECONFIG",),
        kind="paths",
    ),
    Field("k8s_context", "the context of the kubeconfig to use", ("--k8s_context",), ("HERA_UTILS_K8S_CONTEXT",)),
    Field(
        "k8s_configmap_name",
        "the config map that describes the cluster (proxies, …)",
        ("--k8s_configmap_name",),
        ("KUBECONFIGMAP",),
    ),
    Field(
        "k8s_volume_claim_name",
        "the claim of the persistent volume for inputs and results",
        ("--k8s_volume_claim_name",),
        ("KUBEVOLUMECLAIMNAME",),
    ),
    Field("registry", "the container registry of the experiment's images", ("--registry",), ("HERA_UTILS_REGISTRY",)),
    Field(
        "state", "the folder of the local platform", ("--state",), ("HERA_UTILS_STATE",), kind="path", metavar="FOLDER"
    ),
    Field(
        "images",
        f"what happens to container images on this machine: {', '.join(POLICIES)}, or a table (or the YAML file that holds it)",
        ("--images",),
        ("HERA_UTILS_IMAGES",),
        kind="table",
        metavar="POLICY|FILE",
        repeated=True,
    ),
    Field(
        "python",
        "the Python that runs script tasks on this machine",
        ("--python",),
        ("HERA_UTILS_PYTHON",),
        kind="program",
    ),
    Field(
        "volumes",
        "folders of this machine to use as claims",
        ("--volume",),
        (),
        kind="table",
        metavar="NAME=FOLDER",
        repeated=True,
    ),
    Field(
        "runs",
        "where the records of runs are kept (default: runs/ beside the script)",
        ("--runs",),
        ("HERA_UTILS_RUNS",),
        kind="path",
        metavar="FOLDER",
    ),
    Field(
        "parallelism",
        "how many tasks of a run may run at once, over all its workflows",
        ("--parallelism",),
        ("HERA_UTILS_PARALLELISM",),
        kind="count",
        metavar="N",
    ),
    Field(
        "notify",
        "who is told when a run ends: bell (terminal, desktop) and addresses that apprise knows (ntfy://…, mailto://…)",
        ("--notify",),
        ("HERA_UTILS_NOTIFY",),
        kind="words",
        secret=True,
    ),
    Field(
        "notify_command",
        "a command to run when a run ends; it gets the summary as JSON on its standard input",
        ("--notify_command",),
        ("HERA_UTILS_NOTIFY_COMMAND",),
        kind="command",
    ),
    Field(
        "notify_on",
        "which end of a run is told: any, success or failure",
        ("--notify_on",),
        ("HERA_UTILS_NOTIFY_ON",),
        choices=("any", "success", "failure"),
        default="any",
    ),
    Field(
        "authors",
        "the authors of what is published of runs: NAME ORCID (AFFILIATION); several with ; between them",
        (),
        ("HERA_UTILS_AUTHORS",),
        kind="words",
        joint="; ",
    ),
    Field(
        "license",
        "the licence of what is published of runs: an SPDX identifier (CC-BY-4.0) or an address",
        (),
        ("HERA_UTILS_LICENSE",),
    ),
)

COMMON = ("platform", "profile", "argo_server", "argo_namespace", "argo_token", "images", "state")
"""The settings that people often type: the help of a script lists these, and says where all are listed."""

TOKEN_FIELDS = ("argo_token", "argo_token_file", "argo_token_command", "argo_token_keyring")
"""The ways to give a token. The strongest source that gives one of them wins; within a source the first of them wins."""

BY_NAME: dict[str, Field] = {field.name: field for field in FIELDS}


def spellings(flag: str) -> tuple[str, ...]:
    """The spellings of a flag: `--argo_server` and `--argo-server`."""
    dashed = "--" + flag[2:].replace("_", "-")
    return (flag,) if dashed == flag else (flag, dashed)


SECRET_FLAGS = tuple(
    spelling for field in FIELDS if field.secret for flag in field.flags for spelling in spellings(flag)
)
