"""Who vouches for the daemon and its jobs: one authority for each installation, ECDSA on P-256 (RFC 5280, RFC 5480)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ligan.intervals import AUTHORITY_LIFE, NODE_CLOCK_SKEW
from ligan.tls.contexts import DOMAIN

_NAME = "LiGAN installation"


class Credentials(NamedTuple):
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


class Authority:
    """Issues certificates for names below DOMAIN, and can issue no others."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def new(cls, now: float) -> Authority:
        """Begins at `now` (Unix s) and ends after AUTHORITY_LIFE."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(_NAME)
        made = _begin(name, name, key.public_key(), now, now + AUTHORITY_LIFE)
        for extension in (
            x509.BasicConstraints(ca=True, path_length=0),
            _usage(signs_certificates=True),
            x509.NameConstraints([x509.DNSName(DOMAIN)], None),
        ):
            made = made.add_extension(extension, critical=True)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        return cls(made.sign(key, SHA256()), key)

    @classmethod
    def read(cls, pem: bytes) -> Authority:
        """As `pem` wrote it. Raises ValueError for anything else."""
        key = load_pem_private_key(pem, None)
        certificate = x509.load_pem_x509_certificate(pem)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise ValueError("its key and its certificate do not belong together")
        return cls(certificate, key)

    @property
    def pem(self) -> bytes:
        """Certificate and private key."""
        return (self.certificate + _pem_of_key(self._key)).encode()

    @property
    def certificate(self) -> str:
        """PEM, for those who shall trust it."""
        return _pem(self._certificate)

    @property
    def ends_at(self) -> float:
        """Unix s."""
        return self._certificate.not_valid_after_utc.timestamp()

    def issue(self, name: str, now: float, ends_at: float) -> Credentials:
        """For who answers to `name`, from a while before `now`, since clocks differ, until `ends_at` (Unix s)."""
        key = ec.generate_private_key(ec.SECP256R1())
        until = min(ends_at, self.ends_at)
        made = _begin(_name(name), self._certificate.subject, key.public_key(), now, until)
        for extension, critical in (
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(signs_certificates=False), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.SubjectAlternativeName([x509.DNSName(name)]), False),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False),
        ):
            made = made.add_extension(extension, critical)
        return Credentials(_pem(made.sign(self._key, SHA256())), _pem_of_key(key))


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: float, ends_at: float
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_time(now - NODE_CLOCK_SKEW))
        .not_valid_after(_time(ends_at))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _time(unix_s: float) -> datetime:
    return datetime.fromtimestamp(int(unix_s), UTC)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
