"""The bed's own authority and what it signs: servers at 127.0.0.1, and users, whose name and groups are in the subject."""

from __future__ import annotations

import base64
import fcntl
import ipaddress
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "argo-server.argo.svc",
    "argo-server.argo",
)
ISSUER = "https://kubernetes.default.svc.cluster.local"


def private(path: Path, data: bytes) -> Path:
    """Write a file that this user alone can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
    return path


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


@dataclass(frozen=True)
class Authority:
    """A certificate authority in a folder: ca.pem, ca.key."""

    folder: Path
    name: str = "test bed"

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    def made(self) -> Authority:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        usage = {name: False for name in _USAGES} | {"key_cert_sign": True, "digital_signature": True, "crl_sign": True}
        builder = self._begun(subject, subject, key).add_extension(x509.BasicConstraints(True, None), critical=True)
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        private(self.folder / "ca.key", _pem(key))
        signed = builder.sign(key, hashes.SHA256())
        private(self.certificate, signed.public_bytes(serialization.Encoding.PEM))
        return self

    @staticmethod
    def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(timezone.utc)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=30))

    def sign(self, name: str, *, groups: Sequence[str] = (), file: str = "") -> tuple[Path, Path]:
        """(certificate, key) of a user, and of a server at 127.0.0.1 as well, as FILE.pem and FILE.key."""
        with (self.folder / "lock").open(
            "w"
        ) as lock:  # test processes share the bed: two would write halves of two pairs
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self._sign(name, groups, self.folder / (file or name.replace(":", "-")))

    def _sign(self, name: str, groups: Sequence[str], stem: Path) -> tuple[Path, Path]:
        if not stem.with_suffix(".pem").exists():
            parent = x509.load_pem_x509_certificate(self.certificate.read_bytes())
            signer = serialization.load_pem_private_key((self.folder / "ca.key").read_bytes(), None)
            assert isinstance(signer, ec.EllipticCurvePrivateKey)
            key = ec.generate_private_key(ec.SECP256R1())
            subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
            subject.append(x509.NameAttribute(NameOID.COMMON_NAME, name))
            alternatives: list[x509.GeneralName] = [x509.DNSName(text) for text in NAMES]
            alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
            uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
            builder = self._begun(x509.Name(subject), parent.subject, key)
            builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            builder = builder.add_extension(issuer_key, critical=False)
            private(stem.with_suffix(".key"), _pem(key))
            signed = builder.sign(signer, hashes.SHA256())
            private(stem.with_suffix(".pem"), signed.public_bytes(serialization.Encoding.PEM))
        return stem.with_suffix(".pem"), stem.with_suffix(".key")


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def account_keys(folder: Path) -> tuple[Path, Path]:
    """(private, public) key with which service accounts' tokens are signed."""
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private(folder / "accounts.key", _pem(key)), private(folder / "accounts.pub", public)


def account_token(key: Path, namespace: str, name: str, uid: str, seconds: float) -> str:
    """A service account's token that ends in `seconds` (TokenRequest gives none below ten minutes).

    The API server lets tokens live a minute longer than they say, so this one says a minute less.
    """
    signer = serialization.load_pem_private_key(key.read_bytes(), None)
    assert isinstance(signer, rsa.RSAPrivateKey)
    now = time.time()
    claims = {
        "iss": ISSUER,
        "aud": [ISSUER],
        "sub": f"system:serviceaccount:{namespace}:{name}",
        "iat": int(now - 120),
        "nbf": int(now - 120),
        "exp": int(now + seconds - 60),
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}},
    }
    number = signer.public_key()
    der = number.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    head = {"alg": "RS256", "kid": _text(digest.finalize())}
    signed = ".".join(_text(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    return f"{signed}.{_text(signer.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
