"""Names are compared code point by code point: two that look alike are two."""

from __future__ import annotations

import pytest

from resource_server import Assurance, Principal
from resource_server._protocol.claims import ClaimRules, judge_claims
from tests.support.jwt import AUDIENCE, ISSUER, claims

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"
PAIRS = [
    pytest.param(f"https://x.example/{COMPOSED}", f"https://x.example/{DECOMPOSED}", id="a letter in two forms"),
    pytest.param("https://x.example/a", "https://x.example/A", id="a letter in two cases"),
    pytest.param("https://x.example/a", "https://x.example/\u0430", id="a letter of two alphabets"),
    pytest.param("https://x.example/%7Ea", "https://x.example/~a", id="an escape that need not be"),
    pytest.param("https://x.example/stra\u00dfe", "https://x.example/strasse", id="a letter that folds into two"),
]


@pytest.mark.rfc("7519-4.1.2-a")
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_issuer(ours: str, theirs: str) -> None:
    """RFC 7519 §2: an issuer in another form is another issuer, whichever of the two is ours."""
    for known, named in ((ours, theirs), (theirs, ours)):
        rules = ClaimRules(issuer=known, audience=frozenset({AUDIENCE}))
        assert isinstance(judge_claims(claims(iss=known), rules, Assurance.LOCAL), Principal)
        assert judge_claims(claims(iss=named), rules, Assurance.LOCAL) == "wrong_issuer"


@pytest.mark.rfc("7519-4.1.2-a", "7519-4.1.3-a")
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_audience(ours: str, theirs: str) -> None:
    """RFC 7519 §4.1.3: an audience in another form is somebody else, also in a list."""
    for known, named in ((ours, theirs), (theirs, ours)):
        rules = ClaimRules(issuer=ISSUER, audience=frozenset({known}))
        assert isinstance(judge_claims(claims(aud=[named, known]), rules, Assurance.LOCAL), Principal)
        assert judge_claims(claims(aud=named), rules, Assurance.LOCAL) == "wrong_audience"
        assert judge_claims(claims(aud=[named]), rules, Assurance.LOCAL) == "wrong_audience"


@pytest.mark.rfc("7519-4.1.2-a")
@pytest.mark.parametrize("names", [pair.values for pair in PAIRS])
def test_subject(names: tuple[str, str]) -> None:
    """RFC 7519 §4.1.2: a subject is handed on as it was written, so that two that look alike stay two."""
    rules = ClaimRules(issuer=ISSUER, audience=frozenset({AUDIENCE}))
    principals = [judge_claims(claims(sub=name), rules, Assurance.LOCAL) for name in names]
    assert [item.subject for item in principals if isinstance(item, Principal)] == list(names)
