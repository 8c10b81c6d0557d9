"""What is wrong with a response is named by a code, a sentence and a clause; what is right is left in peace."""

from __future__ import annotations

import json

import pytest

from resource_server._explain.answer import Answer, Sent
from resource_server._explain.challenges import read_challenges
from resource_server._explain.explain import explain
from resource_server._explain.words import Defect, Explanation

NGINX = "<html>\r\n<center><h1>401 Authorization Required</h1></center>\r\n<hr><center>nginx/1.24.0</center>"
UNSENT = Sent(None)


def of(status: int, *challenges: str, body: str = "", sent: Sent | None = None, **fields: str) -> Explanation:
    """Explain one response."""
    named = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return explain([Answer(status, "", [*(("www-authenticate", item) for item in challenges), *named], body, sent)])


def defects(explanation: Explanation) -> list[Defect]:
    """Return what is wrong or odd, by its codes."""
    return [remark.defect for remark in explanation.remarks]


@pytest.mark.parametrize(
    ("status", "challenge", "defect"),
    [
        (401, "Bearer", Defect.BARE_CHALLENGE),
        (401, 'Bearer realm="x', Defect.QUOTE_NOT_CLOSED),
        (401, "Bearer realm='x'", Defect.SINGLE_QUOTES),
        (401, 'Bearer scope="a" error="invalid_token"', Defect.MISSING_COMMA),
        (401, 'Bearer realm="a", realm="b"', Defect.REPEATED_PARAMETER),
        (401, 'Bearer, realm="a"', Defect.UNREADABLE_CHALLENGE),
        (401, "=", Defect.UNREADABLE_CHALLENGE),
        (401, 'Bearer realm="é"', Defect.BAD_CHARACTER),
        (401, 'Bearer error="invalid_token", error_description="\\"exp\\" failed"', Defect.BAD_CHARACTER),
        (401, "Bearer realm=x", Defect.NOT_QUOTED),
        (403, 'Bearer error="insufficient_scope", scope=read', Defect.NOT_QUOTED),
        (401, 'Bearer error="expired"', Defect.UNKNOWN_ERROR),
        (401, 'Bearer error="insufficient_scope"', Defect.WRONG_STATUS),
        (403, 'Bearer error="invalid_token"', Defect.WRONG_STATUS),
        (401, 'Bearer error="invalid_request"', Defect.WRONG_STATUS),
        (401, 'Bearer error="invalid_dpop_proof"', Defect.WRONG_SCHEME),
        (401, 'DPoP error="use_dpop_nonce"', Defect.NONCE_MISSING),
        (503, 'Bearer error="invalid_token"', Defect.CHALLENGE_ON_OUTAGE),
    ],
)
def test_what_is_wrong_with_a_challenge(status: int, challenge: str, defect: Defect) -> None:
    """Each fault of a challenge has its own code, and makes the response unsound."""
    explanation = of(status, challenge, retry_after="1")
    assert defects(explanation) == [defect]
    assert not explanation.sound
    assert all(remark.says and remark.clause for remark in explanation.remarks)


@pytest.mark.parametrize(
    ("challenges", "defect"),
    [
        (['Bearer realm="x"', 'DPoP algs="ES256"'], Defect.SEVERAL_SCHEMES),
        (['Bearer realm="x"', 'Basic realm="x"'], Defect.SEVERAL_SCHEMES),
        (['Bearer realm="x"', 'Bearer realm="y"'], Defect.REPEATED_SCHEME),
    ],
)
def test_what_is_odd_about_several(challenges: list[str], defect: Defect) -> None:
    """Several challenges are allowed, and worth a note."""
    explanation = of(401, *challenges)
    assert defects(explanation) == [defect]
    assert explanation.sound


def test_a_challenge_that_is_not_there() -> None:
    """A 401 needs a challenge; that one was dropped is told from the body."""
    assert defects(of(401)) == [Defect.NO_CHALLENGE]
    assert defects(of(401, "", body="{}")) == [Defect.NO_CHALLENGE]
    assert defects(of(401, body=json.dumps({"error": "invalid_token"}))) == [Defect.CHALLENGE_DROPPED]
    assert defects(of(403, body=json.dumps({"error": "insufficient_scope"}))) == [Defect.CHALLENGE_DROPPED]
    assert defects(of(401, body=NGINX)) == [Defect.CHALLENGE_DROPPED]
    assert defects(of(403, body=NGINX)) == []
    assert defects(of(403)) == []


def test_errors_that_differ() -> None:
    """Challenge and body say the same, or one of them is wrong."""
    challenge = 'Bearer error="invalid_token"'
    assert defects(of(401, challenge, body='{"error": "insufficient_scope"}')) == [Defect.ERRORS_DIFFER]
    assert defects(of(401, challenge, body='{"error": "Unauthorized"}')) == []
    both = (challenge, 'DPoP error="invalid_dpop_proof"')
    assert Defect.ERRORS_DIFFER not in defects(of(401, *both, body='{"error": "invalid_dpop_proof"}'))


def test_an_error_without_a_token() -> None:
    """Whoever sent no token gets no error code."""
    challenge = 'Bearer error="invalid_token"'
    assert defects(of(401, challenge, sent=UNSENT)) == [Defect.ERROR_WITHOUT_TOKEN]
    assert defects(of(401, 'Bearer realm="x"', sent=UNSENT)) == []
    assert defects(of(401, challenge, sent=Sent("bearer", "t0ken"))) == []


def test_a_nonce_in_a_cache() -> None:
    """A response with a nonce must not come out of a cache."""
    challenge = 'DPoP error="use_dpop_nonce"'
    assert defects(of(401, challenge, dpop_nonce="n")) == [Defect.NONCE_CACHEABLE]
    assert defects(of(200, dpop_nonce="n", cache_control="No-Store")) == []


def test_an_outage() -> None:
    """How long to wait should be said; where nothing else is wrong that is a note."""
    for status, found in ((503, [Defect.WAIT_UNKNOWN]), (429, [Defect.WAIT_UNKNOWN]), (502, [])):
        explanation = of(status)
        assert defects(explanation) == found
        assert explanation.sound
        assert defects(of(status, retry_after="1")) == []


@pytest.mark.parametrize(
    ("text", "echoed"),
    [
        ("you sent s3cr3t", True),
        ("eyJhbGciOiJub25lIn0.e30.", True),
        ('{"access_token": "abcdef"}', True),
        ("see https://x/?a=1&token=abcdef", True),
        ("Authorization: Bearer abc4defgh", True),
        ("the access_token is missing", False),
        ("Bearer authentication is needed", False),
        ('Bearer error_description="2 words"', False),
        ("https://x/?page=2", False),
        ("access_token=[redacted]", False),
    ],
)
def test_a_token_in_the_response(text: str, *, echoed: bool) -> None:
    """A response that repeats a token is told so; what only speaks of tokens is not."""
    sent = Sent("bearer", "s3cr3t")
    for explanation in (of(400, body=text, sent=sent), of(400, x_debug=text, sent=sent)):
        assert defects(explanation) == ([Defect.TOKEN_ECHOED] if echoed else [])
    assert defects(of(200, body=text, sent=sent)) == []
    assert defects(of(400, set_cookie=text, sent=sent)) == []


@pytest.mark.parametrize(
    "secret",
    ["s3cr3t", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln", "abc4defgh"],
)
def test_no_secret_is_shown(secret: str) -> None:
    """Wherever a token stands in a response, nothing of it is in the explanation."""
    places = [
        of(
            401,
            f'Bearer realm="{secret}", error="invalid_token", error_description="Bearer {secret}", scope="{secret}"',
            sent=Sent("bearer", secret),
            location=f"/x/{secret}",
            body=json.dumps({"detail": secret}),
        ),
        of(401, body=json.dumps({"error": secret, "message": f"?token={secret}&a"}), sent=Sent("bearer", secret)),
        explain([Answer(302, "", [("location", f"/{secret}")], sent=Sent("bearer", secret)), Answer(200, secret)]),
    ]
    for explanation in places:
        assert secret not in json.dumps(explanation.as_json()) + repr(explanation)
        assert explanation.hidden


def test_the_secret_of_every_request_is_hidden() -> None:
    """A token of a request before a redirect is as secret as the last one, and one may begin like the other."""
    first, second = Sent("bearer", "abcd"), Sent("bearer", "abcdefgh")
    moved = Answer(307, "", [("location", "/abcd/abcdefgh")], sent=first)
    explanation = explain([moved, Answer(404, "abcd abcdefgh", sent=second)])
    assert explanation.redirects == ("307 to /[redacted]/[redacted]",)
    assert explanation.reason == "[redacted] [redacted]"


def test_nothing_moves_the_cursor() -> None:
    """Control characters, of the terminal and of writing direction, do not come through."""
    explanation = of(400, body=json.dumps({"message": "a\x1b[2Jb\u202ec\x9b\x00"}))
    assert explanation.advice.values["error_description"] == "a [2Jbc"


def test_a_guess() -> None:
    """A challenge that breaks the grammar is read as far as it goes, so that its advice is the right one."""
    [first, second], _ = read_challenges(
        ["Bearer realm=My API error='invalid_token' scope=\"a b\", DPoP algs=ES256, x"]
    )
    assert (first.scheme, first.params["error"], first.params["scope"]) == ("bearer", "invalid_token", "a b")
    assert (second.scheme, second.params["algs"]) == ("dpop", "ES256")
    assert read_challenges(["a=b"])[0] == ()
