"""A request in the making, and the request that came of it: what two judges are asked about.

A draft begins as a good request. Mutations change it, each in one respect, and it is written down without anything
being corrected.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from tests.differential.worlds import World, worlds
from tests.support.jwt import NOW, SigningKey, b64url, claims, encoded, header

Bytes = Callable[[bytes], bytes]
Text = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and what is needed to say why two judges may differ about it."""

    seed: str
    mutations: tuple[str, ...]
    world: World
    leeway: int
    """Seconds by which the clocks may differ, for both judges."""
    method: str
    path: str
    headers: tuple[tuple[bytes, bytes], ...]
    token: str
    head: bytes
    """The bytes of the token's header, before they were written in base64url."""
    payload: bytes
    query: str = ""
    proof: str = ""
    """The DPoP proof, where there is one; and the bytes of its header and of its payload."""
    proof_head: bytes = b""
    proof_payload: bytes = b""

    def __str__(self) -> str:
        """Write down what is needed to look into the case: there is nothing secret in it."""
        fields = "\n".join(f"  {name.decode()}: {value.decode('latin-1')}" for name, value in self.headers)
        made = f"{self.seed} {self.mutations} world={self.world.name} leeway={self.leeway}"
        return f"{made}\n  {self.head!r}\n  {self.payload!r}\n  {self.method} {self.path}\n{fields}"

    def head_members(self) -> dict[str, Any]:
        """Read the token's header as leniently as the widest reader would; nothing where that fails."""
        return members(self.head)

    def claims(self) -> dict[str, Any]:
        """Read the token's payload in the same way."""
        return members(self.payload)

    def sent(self, name: bytes) -> list[str]:
        """List the values of a header field."""
        return [value.decode("latin-1") for field, value in self.headers if field.lower() == name]


class OddKey(NamedTuple):
    """A key that no proof should have, and how to sign for it all the same."""

    algorithm: str
    jwk: dict[str, Any]
    sign: Callable[[bytes], bytes]


@dataclass(slots=True)
class Draft:
    """A good request at first."""

    random: Random
    world: World
    key: SigningKey
    head: dict[str, Any]
    claims: dict[str, Any]
    sign_as: str | None = None
    """The algorithm that signs, where it is not the key's own."""
    head_edits: list[Bytes] = field(default_factory=list[Bytes])
    payload_edits: list[Bytes] = field(default_factory=list[Bytes])
    signer: Callable[[bytes], bytes] | None = None
    """Makes the signature out of the signing input, in place of the key."""
    signature_edits: list[Bytes] = field(default_factory=list[Bytes])
    token_edits: list[Text] = field(default_factory=list[Text])
    scheme: str = "Bearer"
    fields: Callable[[bytes, bytes], list[tuple[bytes, bytes]]] | None = None
    """Writes the header fields out of scheme and token, in place of one ``Authorization`` field."""
    odd_key: OddKey | None = None
    """What a proof is made with, in place of the client's key."""
    method: str = "GET"
    path: str = "/things"
    leeway: int = 0

    @classmethod
    def begin(cls, random: Random, *, ordinary: bool = False) -> Draft:
        """Begin with a good request.

        Args:
            random: decides about the issuer and its key.
            ordinary: the key set has nothing that is out of the ordinary.
        """
        world = worlds()[0] if ordinary else random.choice(worlds())
        key = random.choice(world.signers)
        head = header(key, kid=world.kid(key))
        return cls(random, world, key, head, claims(), leeway=random.choice((0, 0, 0, 30)))

    def write(self) -> tuple[str, bytes, bytes]:
        """Write the token; return also the bytes of its header and of its payload."""
        head = _edited(_json(self.head), self.head_edits)
        payload = _edited(_json(self.claims), self.payload_edits)
        signing_input = f"{b64url(head)}.{b64url(payload)}".encode()
        made = self.signer(signing_input) if self.signer else self.key.sign(signing_input, self.sign_as)
        token = f"{signing_input.decode()}.{b64url(_edited(made, self.signature_edits))}"
        for edit in self.token_edits:
            token = edit(token)
        return token, head, payload

    def authorize(self, token: str) -> tuple[tuple[bytes, bytes], ...]:
        """Write the header fields that carry the token."""
        scheme, value = self.scheme.encode("latin-1"), token.encode("latin-1", "replace")
        if self.fields is not None:
            return tuple(self.fields(scheme, value))
        return ((b"authorization", scheme + b" " + value),)


def members(content: bytes) -> dict[str, Any]:
    """Read a JSON object leniently: the last of two members with one name counts; nothing where there is no object."""
    try:
        value = json.loads(content.decode("utf-8", "replace").removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def offset(seconds: float) -> float:
    """Return a time so many seconds from now; whole where it can be."""
    moment = NOW + seconds
    return int(moment) if moment == int(moment) else moment


def _json(value: dict[str, Any]) -> bytes:
    return encoded(value)


def _edited(content: bytes, edits: list[Bytes]) -> bytes:
    for edit in edits:
        content = edit(content)
    return content
