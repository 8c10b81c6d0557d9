"""Requests without end, the same ones for the same seed but for the signatures, which differ each time by nature."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from random import Random

from tests.differential.contents import CONTENTS
from tests.differential.draft import Case, Draft, offset
from tests.differential.proofs import EXCHANGES, METHODS, ORIGIN, PATHS, PROOFS, QUERIES, client_key, public
from tests.differential.registry import Mutation
from tests.differential.spellings import SPELLINGS
from tests.support.jwt import b64url, thumbprint

_HOW_MANY = (0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 4)
_TOKENS = {**CONTENTS.named, **SPELLINGS.named}
_PROVEN = 0.5
"""How many of the requests come with a proof."""


def cases(seed: int, count: int) -> Iterator[Case]:
    """Make requests to be judged.

    Args:
        seed: begins the series.
        count: how many.
    """
    for number in range(count):
        yield make(f"{seed}-{number}")


def make(seed: str) -> Case:
    """Make the one request of a seed."""
    random = Random(seed)  # noqa: S311 - tests must be the same each time
    return _proven(random, seed) if random.random() < _PROVEN else _bearer(random, seed)


def _bearer(random: Random, seed: str) -> Case:
    draft = Draft.begin(random)
    done = _mutate(draft, _TOKENS, random.choice(_HOW_MANY))
    token, head, payload = draft.write()
    fields = draft.authorize(token)
    return Case(seed, done, draft.world, draft.leeway, draft.method, draft.path, fields, token, head, payload)


def _proven(random: Random, seed: str) -> Case:
    """Make a request with a token that is bound to a key, and with a proof of that key."""
    draft, client = Draft.begin(random, ordinary=True), client_key(random)
    draft.claims["cnf"], draft.scheme = {"jkt": thumbprint(client)}, "DPoP"
    draft.method, draft.path = random.choice(METHODS), random.choice(PATHS)
    done = _mutate(draft, EXCHANGES.named, random.choice((0, 0, 0, 0, 1)))
    done += _mutate(draft, _TOKENS, random.choice((0, 0, 0, 0, 0, 1)))
    token, head, payload = draft.write()
    claims = {
        "jti": seed,
        "htm": draft.method,
        "htu": f"{ORIGIN}{draft.path}",
        "iat": offset(0),
        "ath": b64url(sha256(token.encode("latin-1", "replace")).digest()),
    }
    proof = Draft(
        random, draft.world, client, {"typ": "dpop+jwt", "alg": client.algorithm, "jwk": public(client)}, claims
    )
    if draft.odd_key is not None:
        proof.signer = draft.odd_key.sign
        proof.head |= {"alg": draft.odd_key.algorithm, "jwk": draft.odd_key.jwk}
    proof.method, proof.path = draft.method, draft.path
    proof.fields = lambda _, value: [(b"dpop", value)]
    done += _mutate(proof, PROOFS.named, random.choice(_HOW_MANY))
    written, proof_head, proof_payload = proof.write()
    fields = (*draft.authorize(token), *proof.authorize(written))
    return Case(
        *(seed, done, draft.world, draft.leeway, draft.method, draft.path, fields, token, head, payload),
        query=random.choice(QUERIES),
        proof=written,
        proof_head=proof_head,
        proof_payload=proof_payload,
    )


def _mutate(draft: Draft, mutations: dict[str, Mutation], how_many: int) -> tuple[str, ...]:
    names = draft.random.sample(list(mutations), how_many)
    return tuple(f"{name}:{mutations[name](draft)}" for name in names)
