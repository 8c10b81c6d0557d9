"""What answers should be, as values that have a text for people: no clause writes either of them itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from resource_server.conformance.clause import Outcome, judged
from resource_server.conformance.wire import Answer

_ERROR_PARAMS = {"error", "error_description", "error_uri"}


@dataclass(frozen=True, slots=True)
class Expectation:
    """A text, and what decides."""

    text: str
    met: Callable[[Answer], bool]

    def of(self, *answers: Answer) -> Outcome:
        """Judge answers: all of them must be so."""
        return self.of_each(("", answer) for answer in answers)

    def of_each(self, answers: Iterable[tuple[str, Answer]]) -> Outcome:
        """Judge answers that have names: all of them must be so, and the names of those that are not are told."""
        told = [(name, answer, self.met(answer)) for name, answer in answers]
        wrong = [(name, answer) for name, answer, met in told if not met]
        shown = wrong or [(name, answer) for name, answer, _ in told[:1]]
        observed = "; ".join(f"{name}: {answer.text}" if name else answer.text for name, answer in shown)
        return judged(met=not wrong, expected=self.text, observed=observed)


def _bare(answer: Answer) -> bool:
    found = answer.bearer
    return answer.status == 401 and found is not None and not _ERROR_PARAMS & found.params.keys()  # noqa: PLR2004


def _error(status: int, code: str) -> Callable[[Answer], bool]:
    return lambda answer: answer.status == status and code in answer.errors


def _status(*statuses: int) -> Callable[[Answer], bool]:
    return lambda answer: answer.status in statuses


GRANTED = Expectation("a 2xx status", lambda answer: 200 <= answer.status < 300)  # noqa: PLR2004
REFUSED = Expectation("a refusal: 400, 401 or 403", _status(400, 401, 403))
UNAUTHORIZED = Expectation("401", _status(401))
CHALLENGED = Expectation(
    "401 with a challenge of the scheme Bearer",
    lambda answer: answer.status == 401 and answer.bearer is not None,  # noqa: PLR2004
)
BARE = Expectation("401 with a challenge, and no error code", _bare)
INVALID_TOKEN = Expectation('401 with error="invalid_token"', _error(401, "invalid_token"))
INVALID_REQUEST = Expectation('400 with error="invalid_request"', _error(400, "invalid_request"))
INSUFFICIENT_SCOPE = Expectation('403 with error="insufficient_scope"', _error(403, "insufficient_scope"))
UNAVAILABLE = Expectation("401, 502, 503 or 504: neither a grant nor a crash", _status(401, 502, 503, 504))
NOT_GRANTED = Expectation(
    "a refusal, or that the token cannot be judged: 400, 401, 403 or 503", _status(400, 401, 403, 503)
)
