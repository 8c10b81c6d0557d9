"""What the causes of a failed question mean, in words, and what to do about each."""

from __future__ import annotations

from http import HTTPStatus

from resource_server._protocol.messages import Unavailable

_CAUSES = {
    "connect": ("cannot be connected to", "start the server, or correct the URL"),
    "timeout": (
        "gives no answer in time",
        "look whether it is overloaded, or hangs; give it more time with RESOURCE_SERVER_TIMEOUT",
    ),
    "connection_lost": ("breaks off in the middle of an answer", "look at its log, and at what stands in between"),
    "protocol": ("answers something that is not HTTP", "correct the URL, its port above all"),
    "transport": ("cannot be talked to", "look at its log, and at what stands in between"),
    "too_large": ("answers more than is read", "correct the URL: no such document is as long as that"),
    "content_encoding": ("sends a coded answer, which was not asked for", "switch compression off for it"),
    "content_type": ("answers with another media type", "correct the URL: this may be a page for people"),
    "not_json": ("answers something that is not JSON", "correct the URL, and look at what it answers"),
    "not_found": ("has no metadata at either of the places where they can be", "correct RESOURCE_SERVER_ISSUER"),
    "not_a_key_set": ("answers something that is no key set", "correct RESOURCE_SERVER_JWKS_URI, or the metadata"),
    "no_usable_key": ("publishes no key that can be used", "look at each key below"),
    "insecure_endpoint": (
        "names an endpoint that is not https",
        "correct its metadata, or say RESOURCE_SERVER_ALLOW_INSECURE_HTTP=true where no stranger can listen",
    ),
    "active_not_boolean": ("answers without a boolean `active`", "look at what it answers: RFC 7662 demands it"),
    "answer_mismatch": (
        "answers about another token than it was asked about",
        "look at its introspection, and at caches in between",
    ),
}
_RATE = ("says that there are too many questions", "raise its limit for this client")
_REDIRECT = ("answers with a redirect, which is not followed", "configure the URL that it points to")
_SERVER = ("fails", "look at its log")


def explain(endpoint: str, fault: Unavailable) -> tuple[str, str]:
    """Say what a fault means and how it is mended.

    Args:
        endpoint: what was asked, as it is to be called.
        fault: what came of it.
    """
    says, mend = _CAUSES.get(fault.cause) or _by_status(fault.cause)
    return f"{endpoint} {says} ({fault.cause})", mend


def status_of(fault: Unavailable) -> int | None:
    """Return the status that is the cause, where one is."""
    name, _, number = fault.cause.partition("_")
    return int(number) if name == "status" and number.isdecimal() else None


def _by_status(cause: str) -> tuple[str, str]:
    status = status_of(Unavailable(cause))
    if status is None or status < HTTPStatus.MULTIPLE_CHOICES:
        return "cannot be relied on", "look at its log, and at what it answers"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _RATE
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _SERVER
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return _REDIRECT
    return "refuses the question", "correct its URL, and look at its log"
