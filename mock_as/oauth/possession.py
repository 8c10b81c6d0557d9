"""Which key a token is bound to: the one that the client has proven to hold.

References: RFC 8705 section 3, RFC 9449 sections 5 and 8
"""

from __future__ import annotations

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error

from mock_as.clients import Client
from mock_as.issuer import Issuer
from mock_as.oauth.client_authentication import Message
from mock_as.oauth.client_certificate import shown_certificate, thumbprint
from mock_as.oauth.dpop import PROOF_LIFETIME, Expected, NonceError, Nonces, ProofError, judge_proof
from mock_as.oauth.replay import first_time


class ProofRefusedError(OAuth2Error):
    """A proof is missing, or not good."""

    error = "invalid_dpop_proof"


class NonceWantedError(OAuth2Error):
    """A proof has to repeat a nonce, which comes along."""

    error = "use_dpop_nonce"
    description = "The proof must repeat the nonce of this server."

    def __init__(self, nonce: str) -> None:
        super().__init__()
        self._nonce = nonce

    def get_headers(self) -> list[tuple[str, str]]:
        """Return the header fields of the answer."""
        return [*super().get_headers(), ("DPoP-Nonce", self._nonce)]


def confirm(issuer: Issuer, nonces: Nonces, message: Message, url: str | None = None) -> dict[str, str] | None:
    """Find out which key a token has to be bound to.

    Args:
        issuer: who issues it.
        nonces: those that some clients must repeat.
        message: the request, whose client has authenticated.
        url: where it was sent to; by default the token endpoint.

    Returns:
        The ``cnf`` of the token; ``None`` where whoever has the token may use it.

    Raises:
        OAuth2Error: the client has to prove something, and does not.
    """
    client: Client = message.client
    proofs = [value for name, value in message.request.headers if name == "dpop"]
    confirmation: dict[str, str] = {}
    if proofs or client.dpop_bound:
        confirmation["jkt"] = _proven(issuer, nonces, message, proofs, url)
    if client.mtls_bound:
        certificate = shown_certificate(message.request)
        if certificate is None:
            raise InvalidRequestError("The client has to show a certificate.")
        confirmation["x5t#S256"] = thumbprint(certificate)
    return confirmation or None


def _proven(issuer: Issuer, nonces: Nonces, message: Message, proofs: list[str], url: str | None) -> str:
    if len(proofs) != 1:
        raise ProofRefusedError("There has to be one proof in the header field DPoP.")
    expected = Expected(
        method=message.method,
        url=url or issuer.url.token,
        now=issuer.clock.now(),
        nonce_is_good=nonces.is_good if message.client.dpop_nonce else None,
    )
    try:
        proof = judge_proof(proofs[0], expected)
    except NonceError:
        raise NonceWantedError(nonces.current()) from None
    except ProofError as error:
        raise ProofRefusedError(f"The proof is not good. {error}") from None
    # As long as the proof could come again: from the past of its window to the future of it.
    lifetime = 2 * PROOF_LIFETIME
    if not first_time(issuer.pending.seen, "proof", proof.thumbprint, proof.jti, lifetime=lifetime):
        raise ProofRefusedError("The proof is not good. It was used before.")
    return proof.thumbprint
