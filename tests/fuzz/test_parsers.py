"""Parsers of what strangers send raise nothing but their own refusals: a share of ``python -m benchmarks fuzz``."""

from __future__ import annotations

from random import Random

import pytest

from resource_server._protocol import introspection, jose, jwe
from resource_server._protocol.dpop import judge_proof, read_proof
from resource_server._validation.verdict import Active
from tests.fuzz import binding, parsers
from tests.fuzz.parsers import PROBES, run
from tests.support.local import judge_with

COUNT = 2000
"""Inputs for each parser."""


@pytest.mark.parametrize("name", PROBES)
def test_parser(name: str) -> None:
    """Whatever a parser is handed, it says what it says of good input, or refuses."""
    run(name, "share", COUNT)


def test_seeds() -> None:
    """What is changed was good before: else nothing would come past the first check."""
    for token in parsers.TOKENS:
        assert isinstance(judge_with(parsers.STATE, token)[0], Active)
    for sent in binding.PROOFS:
        proof = read_proof([(b"dpop", sent)], binding.ALGORITHMS)
        assert judge_proof(proof, binding.OCCASION, window=60.0, leeway=0.0) is None
        assert jose.verify_proof(proof.jws, proof.key)
    for sent in binding.JWES:
        parsed = jwe.parse_jwe(sent)
        assert parsed is not None
        assert jwe.judge_jwe(parsed, binding.DECRYPTION) is None
        key = binding.DECRYPTION.select(parsed)
        assert key is not None
        assert jose.decrypt(parsed, key) == binding.CONTENT.encode()


def test_mistake_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser that takes anything for a yes is found out, and the note says with which input."""
    monkeypatch.setattr(introspection, "process_introspection_response", lambda *_: {"active": True})
    with pytest.raises((AssertionError, ValueError, KeyError, TypeError)) as caught:
        run("introspection", "mistake", COUNT)
    (note,) = caught.value.__notes__
    assert note.startswith("introspection: input mistake-")


def test_same_inputs() -> None:
    """The same seed makes the same input, so that what was found once is found again."""
    first, second = (binding.mutated_proof(Random("seed")) for _ in "ab")  # noqa: S311 - that is the rule
    assert first == second
