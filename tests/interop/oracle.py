"""A judge that nobody here wrote, oauth4webapi, as a child that is asked again and again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.interop.node import HERE, PATIENCE, command

Parsed = list[dict[str, Any]] | None
"""The challenges of a field value, or ``None`` where it is not understood."""


class Oracle:
    """The child, which answers one question after the other.

    Args:
        process: ``oracle.mjs``, with pipes.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Have asked nothing yet."""
        assert process.stdin is not None
        assert process.stdout is not None
        self._questions, self._answers = process.stdin, process.stdout

    def begin(self, now: float, audience: str, issuers: dict[str, dict[str, Any]]) -> None:
        """Say what time it is, and whose keys are which.

        Args:
            now: seconds since the epoch, whole.
            audience: the one name of the resource server.
            issuers: for each name of a world its ``issuer`` and its ``jwks``.
        """
        self._ask({"now": now, "audience": audience, "issuers": issuers})
        assert self._answer()["ready"] is True

    def hand_over(self, cases: Sequence[dict[str, Any]]) -> None:
        """Hand requests over to be judged while the caller goes on; :meth:`verdicts` collects them."""
        self._ask({"cases": cases})

    def verdicts(self) -> list[dict[str, Any]]:
        """Wait for the verdicts on what was handed over first: ``claims``, or ``refused`` with a code and ``why``."""
        verdicts: list[dict[str, Any]] = self._answer()["verdicts"]
        return verdicts

    def parse(self, challenges: Sequence[str]) -> list[Parsed]:
        """Have values of ``WWW-Authenticate`` parsed."""
        self._ask({"challenges": list(challenges)})
        parsed: list[Parsed] = self._answer()["parsed"]
        return parsed

    def _ask(self, question: dict[str, Any]) -> None:
        self._questions.write(json.dumps(question) + "\n")
        self._questions.flush()

    def _answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._answers.readline())
        return answer


@contextmanager
def oracle() -> Generator[Oracle]:
    """Run the oracle while the block runs; skip the test where it cannot run."""
    process = subprocess.Popen(
        command("oracle.mjs", "oauth4webapi"),
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    with process:
        try:
            yield Oracle(process)
        finally:
            process.kill()
            process.wait(PATIENCE)
