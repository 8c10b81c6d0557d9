"""The one part of a refusal that differs each time: what names it in problem details (RFC 9457 section 3.1.5)."""

from __future__ import annotations

import re

_INSTANCE = re.compile(
    rb', "instance": "urn:uuid:([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"}'
)


def instance_in(body: bytes) -> str | None:
    """Return the UUID that a refusal is named by; ``None`` where the body names none."""
    found = _INSTANCE.search(body)
    assert (found is None) is (b"instance" not in body)
    return None if found is None else found[1].decode("ascii")


def without_instance(body: bytes) -> bytes:
    """Return a body without the name of its refusal, once it is judged to be a random UUID at the end."""
    named = instance_in(body)
    shorter = _INSTANCE.sub(b"}", body)
    assert named is None or body.startswith(shorter[:-1])
    return shorter
