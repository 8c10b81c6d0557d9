"""TLS towards the authorization server: whom to trust, and which certificate to show."""

from __future__ import annotations

import ssl

import httpx

CertificateFiles = tuple[str, str | None]
"""A PEM file with a certificate and its chain, and one with the private key where that is not in the same file."""


def tls_context(
    ca_file: str | None, certificate: CertificateFiles | None = None, *, trust_env: bool = False
) -> ssl.SSLContext:
    """Make a context that trusts the default authorities, or those of a file, and shows a certificate where asked to.

    Args:
        ca_file: a PEM file.
        certificate: what to show (RFC 8705 section 2).
        trust_env: let the environment say whom to trust, where no file does.
    """
    if ca_file is not None:
        context = ssl.create_default_context(cafile=ca_file)
    else:
        context = httpx.create_ssl_context(trust_env=trust_env)
    if certificate is not None:
        context.load_cert_chain(*certificate, password="")
    return context
