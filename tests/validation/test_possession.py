"""Whether who sends a token is who it was given to: every way in which tokens, schemes, proofs and demands can meet."""

from __future__ import annotations

import ssl
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from resource_server import Principal, RequestParts, Requirement
from resource_server._protocol.bearer import Credential, TokenMethods, extract_credential
from resource_server._protocol.dpop import MAX_AHEAD
from resource_server._protocol.jwks import ALGORITHMS
from resource_server._validation.possession import FirstUse, Possession, PossessionRules
from resource_server.errors import BearerTokenError, ConfigurationError, InvalidDPoPProof, InvalidToken, UseDPoPNonce
from resource_server.requirements import Demand
from tests.support.jwt import NOW, sign, thumbprint, with_signature
from tests.support.play import Time
from tests.support.proofs import BASE, client_key, proof, proof_claims, proof_header, proven
from tests.support.stage import Stage
from tests.support.vectors import example

JKT = {"jkt": thumbprint(client_key())}
CERTIFICATE = b64decode(example(8705)["certificate"])
X5T: dict[str, Any] = example(8705)["confirmation"]
WINDOW = 60.0
SECRET = b"the secret of all workers in this test"


class Scene:
    """A server's rules, and time that stands still."""

    def __init__(self, **rules: Any) -> None:
        """Take DPoP-bound tokens unless told otherwise."""
        chosen: dict[str, Any] = {
            "dpop": "optional",
            "external_url": BASE,
            "dpop_algorithms": frozenset(ALGORITHMS),
            "dpop_window": WINDOW,
        }
        self.time = Time()
        self.possession = Possession(PossessionRules(**(chosen | rules)), self.time.clock)

    def judge(
        self,
        request: RequestParts,
        cnf: Mapping[str, Any] | None = JKT,
        requirement: Requirement | None = None,
        **claims: Any,
    ) -> FirstUse | None:
        """Judge a request with a token that is bound so."""
        credential = extract_credential(request, TokenMethods())
        assert credential is not None
        principal = Principal(subject="subject-1", confirmation=cnf, claims=claims)
        return self.possession.judge(principal, requirement or Requirement(), credential, request)

    def refusal(self, *args: Any, **named: Any) -> tuple[type[BearerTokenError], str | None]:
        """Judge a request that is refused; return how and why."""
        with pytest.raises(BearerTokenError) as caught:
            self.judge(*args, **named)
        return type(caught.value), caught.value.reason


@pytest.mark.rfc("9449-4.3-12b", "9449-7.1-a")
def test_a_bound_token_with_its_proof() -> None:
    """RFC 9449 §7.1: a token that is bound to a key is accepted with a proof of that key."""
    assert Scene().judge(proven(proof())) is None


@pytest.mark.rfc("9449-7.2-a")
@pytest.mark.attack("A-D-3")
@pytest.mark.parametrize("dpop", ["off", "optional", "required"])
def test_bearer_downgrade(dpop: Demand) -> None:
    """RFC 9449 §7.2: a bound token is refused as a bearer token, with a proof or without, whatever else is on."""
    scene = Scene(dpop=dpop)
    for proofs in ((), (proof(),), ("garbage",)):
        assert scene.refusal(proven(*proofs, scheme="Bearer")) == (InvalidToken, "binding_mismatch")


@pytest.mark.rfc("9449-7.2-b", "9449-4.3-12b")
@pytest.mark.attack("A-D-3")
@pytest.mark.parametrize("cnf", [None, {"x5t#S256": X5T["x5t#S256"]}])
def test_an_unbound_token_under_the_scheme_dpop(cnf: Any) -> None:
    """RFC 9449 §7.2: a token that is bound to no key is refused under the scheme DPoP."""
    scene = Scene(mtls="optional")
    request = proven(proof(), certificate=CERTIFICATE)
    assert scene.refusal(request, cnf) == (InvalidToken, "binding_mismatch")


def test_a_plain_token_is_still_a_bearer_token() -> None:
    """Where both are taken, a token that is bound to nothing is good without a proof, and with one nobody looks at."""
    assert Scene().judge(proven(scheme="Bearer"), None) is None
    assert Scene().judge(proven("garbage", scheme="Bearer"), None) is None


@pytest.mark.rfc("9449-4.3-12b")
@pytest.mark.attack("A-D-5")
def test_a_proof_by_another_key() -> None:
    """RFC 9449 §4.3: a thief's own proof is none for a stolen token."""
    thief = client_key("thief")
    assert Scene().refusal(proven(proof(thief))) == (InvalidToken, "binding_mismatch")
    # The victim's key in the header, and the thief's signature.
    forged = sign(proof_header(client_key()), proof_claims(), thief)
    assert Scene().refusal(proven(forged)) == (InvalidDPoPProof, "proof_invalid")


@pytest.mark.rfc("9449-4.3-12a")
@pytest.mark.attack("A-D-5")
def test_a_proof_for_another_token() -> None:
    """RFC 9449 §4.3: a proof that was made for one token is none for another of the same key."""
    assert Scene().refusal(proven(proof(token="other"))) == (InvalidDPoPProof, "proof_mismatch")


@pytest.mark.rfc("9449-4.3-12b")
@pytest.mark.parametrize(
    "cnf",
    [
        {},
        {"jkt": ""},
        {"jkt": None},
        {"jkt": 1},
        {"jkt": [JKT["jkt"]]},
        {"jkt": JKT["jkt"] + "="},
        {"jkt": JKT["jkt"].lower()},
        {"jwk": {}},
        {"kid": "key"},
        JKT | {"kid": "key"},
        JKT | {"x5t#S256": 1},
        {"x5t#S256": None},
    ],
)
def test_confirmations_that_are_not_understood(cnf: dict[str, Any]) -> None:
    """RFC 7800 §3.1: what a token is bound to is shown, or the token is refused."""
    scene = Scene(mtls="optional")
    for request in (proven(proof(), certificate=CERTIFICATE), proven(scheme="Bearer", certificate=CERTIFICATE)):
        assert scene.refusal(request, cnf) == (InvalidToken, "binding_mismatch")


@pytest.mark.rfc("9449-6.2-a")
@pytest.mark.parametrize(
    ("token_type", "cnf", "good"),
    [
        ("DPoP", JKT, True),
        ("dpop", JKT, True),
        ("Bearer", JKT, False),
        ("pop", JKT, False),
        ("DPoP", {}, False),
        ("DPoP", {"x5t#S256": X5T["x5t#S256"]}, False),
    ],
)
def test_token_type(token_type: str, cnf: dict[str, Any], good: bool) -> None:  # noqa: FBT001 - a row of the table
    """RFC 9449 §6.2: a token_type that is there is DPoP for a token that is bound to a key, and for no other."""
    scene, request = Scene(mtls="optional"), proven(proof(), certificate=CERTIFICATE)
    if good:
        assert scene.judge(request, cnf, token_type=token_type) is None
    else:
        assert scene.refusal(request, cnf, token_type=token_type) == (InvalidToken, "binding_mismatch")


@pytest.mark.parametrize("token_type", ["Bearer", "bearer"])
def test_token_type_of_a_token_bound_to_a_certificate(token_type: str) -> None:
    """RFC 8705 §3: such a token is sent as a bearer token, and called one."""
    scene, request = Scene(mtls="optional"), proven(scheme="Bearer", certificate=CERTIFICATE)
    assert scene.judge(request, X5T, token_type=token_type) is None


@pytest.mark.attack("A-D-4")
def test_bound_to_a_key_and_to_a_certificate() -> None:
    """RFC 9449 §6, RFC 8705 §3: a token that is bound to both is good with both, and with neither alone."""
    scene, both = Scene(mtls="optional"), JKT | X5T
    assert scene.judge(proven(proof(), certificate=CERTIFICATE), both) is None
    assert scene.refusal(proven(proof()), both) == (InvalidToken, "binding_mismatch")
    assert scene.refusal(proven(proof(), certificate=CERTIFICATE[:-1]), both) == (InvalidToken, "binding_mismatch")
    assert scene.refusal(proven(certificate=CERTIFICATE), both) == (InvalidDPoPProof, "proof_missing")
    bearer = proven(proof(), scheme="Bearer", certificate=CERTIFICATE)
    assert scene.refusal(bearer, both) == (InvalidToken, "binding_mismatch")
    thief = proven(proof(client_key("thief")), certificate=CERTIFICATE)
    assert scene.refusal(thief, both) == (InvalidToken, "binding_mismatch")


def test_a_certificate_as_text() -> None:
    """A certificate is good as PEM, as servers hand it on, and as DER."""
    request = proven(scheme="Bearer", certificate=ssl.DER_cert_to_PEM_cert(CERTIFICATE))
    assert Scene(mtls="optional").judge(request, X5T) is None


@pytest.mark.parametrize(
    ("rules", "demanded", "cnf", "reason"),
    [
        ({}, {}, None, None),
        ({"dpop": "required"}, {}, None, "not_bound"),
        ({"dpop": "required"}, {"dpop": "optional"}, None, None),
        ({}, {"dpop": "required"}, None, "not_bound"),
        ({"dpop": "off"}, {"dpop": "required"}, None, "not_bound"),
        ({"mtls": "required"}, {}, None, "not_bound"),
        ({"mtls": "optional"}, {"mtls": "required"}, None, "not_bound"),
        ({"mtls": "required"}, {}, X5T, None),
        ({"mtls": "off"}, {}, X5T, "binding_mismatch"),
        ({"mtls": "optional"}, {"mtls": "off"}, X5T, "binding_mismatch"),
        ({"mtls": "off"}, {"mtls": "optional"}, X5T, None),
        ({"dpop": "required", "mtls": "optional"}, {}, X5T, "not_bound"),
        ({"sender_constrained": True}, {}, None, "not_bound"),
        ({"sender_constrained": True, "mtls": "optional"}, {}, X5T, None),
    ],
)
def test_demands_on_bearer_tokens(rules: Any, demanded: Any, cnf: Any, reason: str | None) -> None:
    """What the server demands holds for every route, unless the route says otherwise."""
    scene, requirement = Scene(**rules), Requirement(**demanded)
    request = proven(scheme="Bearer", certificate=CERTIFICATE)
    if reason is None:
        assert scene.judge(request, cnf, requirement) is None
    else:
        assert scene.refusal(request, cnf, requirement) == (InvalidToken, reason)


@pytest.mark.parametrize(
    ("rules", "demanded", "reason"),
    [
        ({"dpop": "required"}, {}, None),
        ({"dpop": "required", "sender_constrained": True}, {}, None),
        ({"dpop": "off"}, {"dpop": "required"}, None),
        ({"dpop": "off"}, {}, "binding_mismatch"),
        ({"dpop": "required"}, {"dpop": "off"}, "binding_mismatch"),
        ({"mtls": "required"}, {}, "not_bound"),
    ],
)
def test_demands_on_bound_tokens(rules: Any, demanded: Any, reason: str | None) -> None:
    """A token whose key nobody is to judge here is refused, for it would be a bearer token else."""
    scene, requirement = Scene(**rules), Requirement(**demanded)
    if reason is None:
        assert scene.judge(proven(proof()), JKT, requirement) is None
    else:
        assert scene.refusal(proven(proof()), JKT, requirement) == (InvalidToken, reason)


@pytest.mark.rfc("9449-4.3-1", "9449-4.3-2")
def test_fields() -> None:
    """RFC 9449 §4.3: there is one proof, no more and no less."""
    scene = Scene()
    assert scene.refusal(proven()) == (InvalidDPoPProof, "proof_missing")
    assert scene.refusal(proven(proof(), proof())) == (InvalidDPoPProof, "proof_invalid")
    assert scene.refusal(proven("garbage")) == (InvalidDPoPProof, "proof_invalid")


@pytest.mark.rfc("9449-4.3-5")
def test_algorithms() -> None:
    """RFC 9449 §4.3: only the algorithms that are configured are accepted."""
    scene = Scene(dpop_algorithms=frozenset({"PS256"}))
    assert scene.refusal(proven(proof())) == (InvalidDPoPProof, "proof_invalid")


@pytest.mark.rfc("9449-4.3-6")
def test_signature() -> None:
    """RFC 9449 §4.3: a proof that was changed, or signed by nobody, is refused."""
    scene, good = Scene(), proof()
    other = proof()
    assert scene.refusal(proven(with_signature(good, b"\x00" * 64))) == (InvalidDPoPProof, "proof_invalid")
    swapped = f"{other.rpartition('.')[0]}.{good.rpartition('.')[2]}"
    assert scene.refusal(proven(swapped)) == (InvalidDPoPProof, "proof_invalid")
    assert scene.judge(proven(good)) is None  # what was refused was not used


@pytest.mark.rfc("9449-4.3-8", "9449-4.3-9")
def test_another_request() -> None:
    """RFC 9449 §4.3: a proof is for one method and one address."""
    scene = Scene()
    for request in (
        proven(proof(), method="POST"),
        proven(proof(), path=b"/other"),
        proven(proof(), path=b"/things/"),
        proven(proof(), path=b"/a/../things"),
        proven(proof(uri=f"{BASE}/a/../things"), path=b"/a/../things"),
        proven(proof(uri=f"{BASE}/things?a=b")),
    ):
        assert scene.refusal(request) == (InvalidDPoPProof, "proof_mismatch")
    assert scene.judge(proven(proof(uri="HTTPS://rs.EXAMPLE.com:443/%7Euser"), path=b"/~user")) is None


@pytest.mark.rfc("9449-4.3-9b")
def test_the_address_is_configured() -> None:
    """RFC 9449 §4.3: the address is made from where we are reached as it is configured, whatever Host says."""
    evil = proven(proof(uri="https://evil.example/things"))
    headers = [(b"host", b"evil.example"), (b"x-forwarded-host", b"evil.example"), *list(evil.headers)[1:]]
    assert Scene().refusal(evil._replace(headers=headers)) == (InvalidDPoPProof, "proof_mismatch")
    proxied = Scene(external_url=f"{BASE}/api")
    assert proxied.judge(proven(proof(uri=f"{BASE}/api/things"))) is None


def test_an_address_that_is_not_configured() -> None:
    """A route that takes proofs on a server that does not know where it is reached is a mistake, and says so."""
    with pytest.raises(ConfigurationError, match="external_url"):
        Scene(dpop="off", external_url=None).judge(proven(proof()), JKT, Requirement(dpop="required"))


@pytest.mark.rfc("9449-4.3-11")
def test_time() -> None:
    """RFC 9449 §4.3: a proof that is too old or too new is refused."""
    scene = Scene(leeway=10.0)
    assert scene.refusal(proven(proof(iat=NOW - WINDOW - 1))) == (InvalidDPoPProof, "proof_stale")
    assert scene.refusal(proven(proof(iat=NOW + MAX_AHEAD + 11))) == (InvalidDPoPProof, "proof_stale")
    assert scene.judge(proven(proof(iat=NOW - WINDOW))) is None
    assert scene.judge(proven(proof(iat=NOW + 10))) is None


@pytest.mark.rfc("9449-11.1-a")
def test_replay() -> None:
    """RFC 9449 §11.1: a proof is good once, to the end of its time, wherever it is sent."""
    scene, used = Scene(), proof(iat=NOW + MAX_AHEAD)
    assert scene.judge(proven(used)) is None
    for _ in range(6):
        assert scene.refusal(proven(used)) == (InvalidDPoPProof, "proof_replayed")
        scene.time.advance((WINDOW + MAX_AHEAD) / 6 - 0.01)
    assert scene.refusal(proven(used)) == (InvalidDPoPProof, "proof_replayed")
    scene.time.advance(1.0)
    assert scene.refusal(proven(used)) == (InvalidDPoPProof, "proof_stale")


@pytest.mark.rfc("9449-11.1-a")
def test_replay_after_the_clock_was_set_back() -> None:
    """RFC 9449 §11.1: a proof that is new again, as the clock was set back, is still used."""
    scene, used = Scene(), proof()
    assert scene.judge(proven(used)) is None
    scene.time.wall -= 600.0
    scene.time.advance(600.0)
    assert scene.refusal(proven(used)) == (InvalidDPoPProof, "proof_replayed")


@pytest.mark.rfc("9449-11.1-a")
def test_a_jti_is_used_once_by_one_key() -> None:
    """RFC 9449 §4.2: another proof with the same jti is the same one; another client's is not."""
    scene, other = Scene(), client_key("other")
    assert scene.judge(proven(proof(jti="one"))) is None
    again = proven(proof(jti="one", uri=f"{BASE}/other"), path=b"/other")
    assert scene.refusal(again) == (InvalidDPoPProof, "proof_replayed")
    assert scene.judge(proven(proof(other, jti="one")), {"jkt": thumbprint(other)}) is None


@pytest.mark.rfc("9449-11.1-a")
@pytest.mark.attack("A-D-2")
def test_a_full_memory_refuses() -> None:
    """RFC 9449 §11.1: where no further proof can be remembered none is accepted, and none is forgotten."""
    scene, first = Scene(replay_size=2), proof()
    scene.judge(proven(first))
    scene.judge(proven(proof()))
    assert scene.refusal(proven(proof())) == (InvalidDPoPProof, "too_many_proofs")
    assert scene.refusal(proven(first)) == (InvalidDPoPProof, "proof_replayed")
    scene.time.advance(WINDOW + MAX_AHEAD)
    assert scene.judge(proven(proof(iat=scene.time.wall))) is None


@pytest.mark.rfc("9449-11.1-a")
def test_all_workers_together() -> None:
    """Where all workers remember together, a proof is named for them, and remembered here as well."""
    scene = Scene(shared_replay=True)
    first, second = proof(jti="one"), proof(jti="one", iat=NOW + 1)
    use = scene.judge(proven(first))
    assert use is not None
    assert use.ttl == WINDOW + MAX_AHEAD
    assert "one" not in use.digest
    lenient = Scene(shared_replay=True, leeway=10.0).judge(proven(first))
    assert lenient == FirstUse(use.digest, WINDOW + 10 + MAX_AHEAD)
    assert scene.refusal(proven(second)) == (InvalidDPoPProof, "proof_replayed")
    assert Scene(shared_replay=True).judge(proven(second)) == use


@pytest.mark.rfc("9449-9-a", "9449-4.3-10", "9449-11.3-a")
@pytest.mark.attack("A-D-8")
def test_nonce() -> None:
    """RFC 9449 §9: where a nonce is demanded, a proof is good with it and not without."""
    scene = Scene(nonce_secret=SECRET)
    with pytest.raises(UseDPoPNonce) as caught:
        scene.judge(proven(proof()))
    nonce = caught.value.nonce
    assert caught.value.reason == "proof_nonce"
    assert scene.judge(proven(proof(nonce=nonce))) is None
    for wrong in ("", "made up", nonce[:-1]):
        assert scene.refusal(proven(proof(nonce=wrong))) == (UseDPoPNonce, "proof_nonce")


@pytest.mark.rfc("9449-9-a", "9449-4.3-10")
@pytest.mark.attack("A-D-8")
def test_old_nonces() -> None:
    """RFC 9449 §8.2: an old nonce is good for one more period; then the refusal brings a new one."""
    scene = Scene(nonce_secret=SECRET)
    principal = Principal(confirmation=JKT)
    nonce = scene.possession.nonce(principal)
    scene.time.advance(WINDOW)
    newer = scene.possession.nonce(principal)
    assert newer != nonce
    assert scene.judge(proven(proof(nonce=nonce, iat=scene.time.wall))) is None
    scene.time.advance(WINDOW)
    with pytest.raises(UseDPoPNonce) as caught:
        scene.judge(proven(proof(nonce=nonce, iat=scene.time.wall)))
    assert caught.value.nonce == scene.possession.nonce(principal)
    assert caught.value.nonce not in {nonce, newer}


@pytest.mark.rfc("9449-4.3-10")
@pytest.mark.attack("A-D-8")
def test_the_nonce_of_another_client() -> None:
    """RFC 9449 §11.3: a nonce is good for the key it was made for."""
    scene, other = Scene(nonce_secret=SECRET), client_key("other")
    nonce = scene.possession.nonce(Principal(confirmation={"jkt": thumbprint(other)}))
    assert scene.refusal(proven(proof(nonce=nonce))) == (UseDPoPNonce, "proof_nonce")
    assert scene.judge(proven(proof(other, nonce=nonce)), {"jkt": thumbprint(other)}) is None


def test_no_nonce_for_a_bad_proof() -> None:
    """A proof that is wrong in any other way that is seen at once is refused for that."""
    scene = Scene(nonce_secret=SECRET)
    assert scene.refusal(proven(proof(method="POST"))) == (InvalidDPoPProof, "proof_mismatch")
    assert scene.refusal(proven(proof(iat=0))) == (InvalidDPoPProof, "proof_stale")


def test_who_gets_a_nonce() -> None:
    """A response brings a nonce where the server demands one and the token is bound to a key."""
    scene = Scene(nonce_secret=SECRET)
    assert scene.possession.nonce(Principal(confirmation=JKT)) is not None
    assert scene.possession.nonce(Principal()) is None
    assert scene.possession.nonce(Principal(confirmation=X5T)) is None
    assert scene.possession.nonce(Principal(confirmation={"jkt": 1})) is None
    assert Scene().possession.nonce(Principal(confirmation=JKT)) is None


def test_a_nonce_that_is_not_demanded() -> None:
    """A nonce that nobody asked for, another server's perhaps, changes nothing."""
    assert Scene().judge(proven(proof(nonce="of another server"))) is None


def test_other_rules_forget_nothing() -> None:
    """Where the rules change, proofs that were used stay used, and where there is less room there is less room."""
    scene, used = Scene(), proof()
    scene.judge(proven(used))
    scene.possession = scene.possession.adopt(replace(scene.possession.rules, replay_size=1))
    assert scene.refusal(proven(used)) == (InvalidDPoPProof, "proof_replayed")
    assert scene.refusal(proven(proof())) == (InvalidDPoPProof, "too_many_proofs")


@pytest.mark.rfc("9449-11.1-a")
def test_a_longer_window_brings_nothing_back() -> None:
    """A proof that was used and forgotten under a short window is not good again under a longer one."""
    scene, used = Scene(), proof()
    scene.judge(proven(used))
    scene.time.advance(WINDOW + MAX_AHEAD + 1)
    longer = replace(scene.possession.rules, dpop_window=600.0)
    scene.possession = scene.possession.adopt(longer)
    assert scene.refusal(proven(used)) == (InvalidDPoPProof, "proof_stale")
    assert scene.refusal(proven(proof(iat=0, method="POST"))) == (InvalidDPoPProof, "proof_mismatch")
    recent = proof(iat=scene.time.wall - WINDOW)
    assert scene.judge(proven(recent)) is None
    scene.time.advance(2 * WINDOW)
    scene.possession = scene.possession.adopt(longer)
    assert scene.refusal(proven(recent)) == (InvalidDPoPProof, "proof_replayed")


def test_defaults() -> None:
    """Rules that say nothing are those of a server whose options say nothing, and no secret of theirs is shown."""
    settings = Stage().server.settings
    assert settings.possession() == PossessionRules(dpop_algorithms=frozenset(settings.dpop_algorithms))
    assert "secret of all" not in repr(PossessionRules(nonce_secret=SECRET))


def test_a_request_that_is_judged_again() -> None:
    """What was shown for a request is not asked for again; what a route demands besides is."""
    scene, request = Scene(), proven(proof())
    scene.judge(request)
    again = request._replace(proven=True)
    assert scene.judge(again) is None
    assert scene.refusal(again, JKT, Requirement(mtls="required")) == (InvalidToken, "not_bound")


def test_a_credential_of_another_kind() -> None:
    """The scheme decides, as it was extracted."""
    principal = Principal(confirmation=JKT)
    with pytest.raises(InvalidToken):
        Scene().possession.judge(principal, Requirement(), Credential("bearer", b"bound"), proven(proof()))
