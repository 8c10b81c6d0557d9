"""A proof may say itself when it ends and when it begins; then that holds, too.

References: RFC 7519 sections 4.1.4 and 4.1.5, RFC 9449 section 4.2
"""

from __future__ import annotations

from typing import Any

import pytest

from resource_server._protocol.dpop import Occasion, judge_proof, read_proof
from resource_server.errors import InvalidDPoPProof
from tests.support.jwt import NOW
from tests.support.proofs import BASE, proof, proven

ES256 = frozenset({"ES256"})


def judged(leeway: float, claims: dict[str, Any]) -> str | None:
    """Judge a proof that is good but for what these claims say."""
    occasion = Occasion("GET", f"{BASE}/things", b"bound", NOW)
    return judge_proof(read_proof(proven(proof(**claims)).headers, ES256), occasion, window=60.0, leeway=leeway)


@pytest.mark.parametrize(
    ("claims", "leeway", "expected"),
    [
        ({"exp": NOW + 1}, 0.0, None),
        ({"exp": NOW}, 0.0, "proof_stale"),
        ({"exp": NOW - 4}, 5.0, None),
        ({"exp": NOW - 5}, 5.0, "proof_stale"),
        ({"nbf": NOW}, 0.0, None),
        ({"nbf": NOW + 1}, 0.0, "proof_stale"),
        ({"nbf": NOW + 5}, 5.0, None),
        ({"nbf": NOW + 6}, 5.0, "proof_stale"),
    ],
)
def test_lifetime(claims: dict[str, Any], leeway: float, expected: str | None) -> None:
    """RFC 7519 sections 4.1.4 and 4.1.5: a JWT is not accepted after its end, nor before its beginning."""
    assert judged(leeway, claims) == expected


@pytest.mark.parametrize("name", ["exp", "nbf"])
@pytest.mark.parametrize("value", ["1700003600", None, True, [1]])
def test_lifetime_of_another_type(name: str, value: Any) -> None:
    """RFC 7519 section 2: what is no number is no time, and never taken for one that is not there."""
    with pytest.raises(InvalidDPoPProof) as caught:
        judged(0.0, {name: value})
    assert caught.value.reason == "proof_invalid"
