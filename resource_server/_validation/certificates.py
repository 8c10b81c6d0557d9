"""Find the certificate that the sender of a request has shown.

References: RFC 8705 sections 3 and 6.5
"""

from __future__ import annotations

import ssl

from resource_server._protocol.messages import RequestParts


def shown_certificate(request: RequestParts) -> bytes | None:
    """Return the DER bytes of the client's certificate, or ``None`` where none was shown that can be believed."""
    certificate = request.certificate
    if isinstance(certificate, str):
        return ssl.PEM_cert_to_DER_cert(certificate)
    return certificate
