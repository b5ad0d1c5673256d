"""The certificate of the local Kubernetes API: created once, kept in `tls/` of the state folder.

kubectl sends a token over TLS only. The kubeconfig names our own certificate authority, which signs nothing else.
"""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from hera_utils.private_folders import make_private
from hera_utils.whole_files import write_atomically

YEARS = 10
NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


@dataclass(frozen=True)
class Certificate:
    """Paths of PEM files: the authority's certificate, the server's, the server's key (0600)."""

    authority: Path
    server: Path
    key: Path


def certificate(folder: Path) -> Certificate:
    """The certificate in `folder`; created when there is none, or none that can be read (after a loss of power). Raises OSError when it
    cannot be written.
    """
    paths = Certificate(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    if _is_whole(paths):
        return paths
    make_private(folder)
    _make(paths)
    return paths


def _is_whole(paths: Certificate) -> bool:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(paths.server, paths.key)
        context.load_verify_locations(paths.authority)
    except OSError:  # a file is missing or damaged: ssl.SSLError is an OSError too
        return False
    return True


def _make(paths: Certificate) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(timezone.utc)
    begin, end = now - timedelta(days=1), now + timedelta(days=365 * YEARS)
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = name("hera-utils local platform")

    def builder_for(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(authority_name)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        return builder.not_valid_before(begin).not_valid_after(end)

    authority = (
        builder_for(authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    alternatives: list[x509.GeneralName] = [x509.DNSName(text) for text in NAMES]
    alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    server = (
        builder_for(name("127.0.0.1"), server_key)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_atomically(paths.key, private, mode=0o600)
    write_atomically(paths.server, server.public_bytes(pem), mode=0o600)
    write_atomically(paths.authority, authority.public_bytes(pem), mode=0o600)
