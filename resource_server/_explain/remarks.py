"""What is wrong with a response itself, or odd about it, whatever it says.

References: RFC 6750 section 3, RFC 9110 section 15.5.2, RFC 9449 section 9, RFC 9728 section 5.1
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from resource_server._explain.answer import Answer
from resource_server._explain.challenges import TOKEN_SCHEMES
from resource_server._explain.codes import STATUSES
from resource_server._explain.secrecy import holds_secret
from resource_server._explain.strangers import is_login_page, leads_to_login
from resource_server._explain.words import Defect, Remark, Severity
from resource_server._protocol.challenge import CHALLENGE_HEADER, Challenge

_OUTAGES = (429, 502, 503, 504)
_PROXY_PAGE = re.compile(r"(?i)<center>(?:nginx|openresty|cloudflare)|<address>apache")
_MEANT = ("dpop-nonce", "set-cookie")
"""Fields that look like secrets by their nature."""
_DPOP_ERRORS = ("invalid_dpop_proof", "use_dpop_nonce")


@dataclass(frozen=True, slots=True)
class Found:
    """What the remarks are about."""

    answers: Sequence[Answer]
    challenges: Sequence[Challenge]
    body_error: str | None
    """The error code that the body has."""

    @property
    def last(self) -> Answer:
        """The answer that counts."""
        return self.answers[-1]

    @property
    def errors(self) -> list[str]:
        """The error codes of the challenges."""
        return [item.params["error"] for item in self.challenges if item.params.get("error")]


def remarks(found: Found) -> Iterator[Remark]:
    """Say what is wrong with a response, or odd about it, but for how its challenges are written.

    Args:
        found: what was made out of it.
    """
    yield from _missing_challenge(found)
    yield from _each_challenge(found)
    yield from _errors(found)
    yield from _together(found)
    yield from _nonce(found)
    yield from _outage(found)
    yield from _login(found)
    yield from _secrets(found)


def _missing_challenge(found: Found) -> Iterator[Remark]:
    last = found.last
    if any(last.all(CHALLENGE_HEADER)) or last.status not in (401, 403):
        return
    if found.body_error in STATUSES:
        says = (
            "The body has the error of an OAuth resource server, and the challenge that belongs to it is not there: "
            "perhaps a proxy has dropped it (nginx passes on the challenge of a 401 alone)."
        )
        yield Remark(Defect.CHALLENGE_DROPPED, says, "RFC 6750 section 3")
    elif last.status == 401 and _PROXY_PAGE.search(last.body):  # noqa: PLR2004 - Unauthorized
        says = "The page is the proxy's own: it has put it in the place of the API's answer, and lost the challenge."
        yield Remark(Defect.CHALLENGE_DROPPED, says, "RFC 9110 section 15.5.2")
    elif last.status == 401:  # noqa: PLR2004
        says = "A 401 must have a challenge, in WWW-Authenticate: no client can tell what is asked of it."
        yield Remark(Defect.NO_CHALLENGE, says, "RFC 9110 section 15.5.2")


def _each_challenge(found: Found) -> Iterator[Remark]:
    for item in found.challenges:
        if item.scheme == "bearer" and not item.params:
            says = "The challenge Bearer has no parameter; it must have at least one, such as realm."
            yield Remark(Defect.BARE_CHALLENGE, says, "RFC 6750 section 3")
        url = item.params.get("resource_metadata", "https://")
        if not url.lower().startswith("https://"):
            says = "resource_metadata is no https URL, so anybody on the way can say where tokens come from."
            yield Remark(Defect.METADATA_NOT_HTTPS, says, "RFC 9728 section 7.7", Severity.NOTE)


def _errors(found: Found) -> Iterator[Remark]:
    status, sent = found.last.status, found.last.sent
    for item in found.challenges:
        error = item.params.get("error")
        if error is None or item.scheme not in TOKEN_SCHEMES:
            continue
        if error not in STATUSES:
            yield Remark(Defect.UNKNOWN_ERROR, "No RFC has given the error code a meaning.", "RFC 6750 section 6.2")
        elif status != STATUSES[error] and status < 500:  # noqa: PLR2004 - the class of 5xx
            says = f"{error} belongs to status {STATUSES[error]}, not {status}."
            yield Remark(Defect.WRONG_STATUS, says, "RFC 6750 section 3.1")
        if error in _DPOP_ERRORS and item.scheme != "dpop":
            says = f"{error} belongs into a challenge with the scheme DPoP."
            yield Remark(Defect.WRONG_SCHEME, says, "RFC 9449 section 7.1")
        if sent is not None and sent.scheme is None:
            says = "The request had no credentials: then the challenge should have no error code."
            yield Remark(Defect.ERROR_WITHOUT_TOKEN, says, "RFC 6750 section 3.1")


def _together(found: Found) -> Iterator[Remark]:
    counts = Counter(item.scheme for item in found.challenges)
    if any(count > 1 for scheme, count in counts.items() if scheme in TOKEN_SCHEMES):
        says = "One scheme has several challenges: which of them a client reads is chance."
        yield Remark(Defect.REPEATED_SCHEME, says, "RFC 9110 section 11.6.1", Severity.NOTE)
    if len(counts) > 1:
        says = f"There are challenges of {len(counts)} schemes; the client chooses one that it can do."
        yield Remark(Defect.SEVERAL_SCHEMES, says, "RFC 9110 section 11.6.1", Severity.NOTE)
    if found.errors and found.body_error in STATUSES and found.body_error not in found.errors:
        says = "The challenge and the body have different error codes; the challenge counts."
        yield Remark(Defect.ERRORS_DIFFER, says, "RFC 6750 section 3.1")


def _nonce(found: Found) -> Iterator[Remark]:
    nonce, wanted = found.last.first("dpop-nonce"), "use_dpop_nonce" in (*found.errors, found.body_error)
    if wanted and not nonce:
        says = "A nonce is demanded, and the field DPoP-Nonce with it is not there."
        yield Remark(Defect.NONCE_MISSING, says, "RFC 9449 section 9")
    if nonce and "no-store" not in found.last.first("cache-control").lower():
        says = "The response gives a nonce, and does not say that caches must not keep it."
        yield Remark(Defect.NONCE_CACHEABLE, says, "RFC 9449 section 8.2", Severity.NOTE)


def _outage(found: Found) -> Iterator[Remark]:
    last = found.last
    if last.status not in _OUTAGES:
        return
    if any(item.scheme in TOKEN_SCHEMES for item in found.challenges):
        says = "A challenge makes clients throw a token away that may be good; an outage should have none."
        yield Remark(Defect.CHALLENGE_ON_OUTAGE, says, "RFC 9110 section 15.6.4")
    if last.status in (429, 503) and not last.first("retry-after"):
        says = "There is no Retry-After: clients must guess how long to wait."
        yield Remark(Defect.WAIT_UNKNOWN, says, "RFC 9110 section 10.2.3", Severity.NOTE)


def _login(found: Found) -> Iterator[Remark]:
    if any(map(leads_to_login, found.answers)):
        says = "A request without a good token is sent to a login page; a program needs a 401 with a challenge."
        yield Remark(Defect.LOGIN_REDIRECT, says, "RFC 9110 section 15.5.2")
    elif is_login_page(found.last):
        says = "A request without a good token gets a login page; a program needs a 401 with a challenge."
        yield Remark(Defect.LOGIN_PAGE, says, "RFC 9110 section 15.5.2")


def _secrets(found: Found) -> Iterator[Remark]:
    last = found.last
    if last.status < 300:  # noqa: PLR2004 - a response that grants something may well hold a token
        return
    known = "" if last.sent is None else last.sent.secret
    texts = [last.body, *(value for name, value in last.fields if name not in _MEANT)]
    if any(holds_secret(text, known) for text in texts):
        says = "The response repeats a token, or something that looks like a secret: it ends up in logs."
        yield Remark(Defect.TOKEN_ECHOED, says, "RFC 6750 section 5.3")
