"""What a resource server says of itself, and where.

References: RFC 9728 sections 2 and 3
"""

from __future__ import annotations

from urllib.parse import urlsplit

_WELL_KNOWN = "/.well-known/oauth-protected-resource"


def metadata_url(resource: str) -> str:
    """Say where the metadata of a resource is: the well-known string goes between host and path.

    Args:
        resource: the resource identifier, an https URL without a fragment.

    References: RFC 9728 section 3.1
    """
    parts = urlsplit(resource)
    path = "" if parts.path == "/" else parts.path
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{_WELL_KNOWN}{path}{query}"
