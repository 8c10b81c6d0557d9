"""Play the story: send each request, and watch who is asked because of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from resource_server._demo.exchange import Answer, send
from resource_server._demo.rows import Calls, Outcome, Row, describe_challenge, who_answered
from resource_server._demo.stage import Stage
from resource_server._demo.story import STORY, Step, token_of


def play(stage: Stage, story: Iterable[Step] = STORY) -> Iterator[Row]:
    """Play a story step by step.

    Args:
        stage: the processes, running.
        story: what to send, in order.

    Yields:
        What became of each request, beside what was expected of it.

    Raises:
        DemoError: a process gave no answer.
    """
    decided: set[str | None] = set()
    for step in story:
        if step.before is not None:
            step.before(stage)
        answer, calls = _perform(stage, step)
        outcome = _observe(answer, calls, remembered=step.carries in decided)
        if outcome.answered != "nobody":
            decided.add(step.carries)
        yield Row(
            request=f"{step.method} {step.path}: {step.title}",
            note=step.note,
            expected=step.expected,
            outcome=outcome,
            milliseconds=answer.milliseconds,
        )


def _perform(stage: Stage, step: Step) -> tuple[Answer, Calls | None]:
    """Send a request, and count what the authorization server is asked until it is answered."""
    token = None if step.carries is None else token_of(stage, step.carries)
    watched = stage.authorization_server.running
    if watched:
        stage.control.forget_requests()
    answer = send(step.method, stage.api_url + step.path, token=token, body=step.body)
    return answer, stage.control.calls() if watched else None


def _observe(answer: Answer, calls: Calls | None, *, remembered: bool) -> Outcome:
    assurance = str(answer.members().get("assurance", ""))
    return Outcome(
        status=answer.status,
        challenge=describe_challenge(answer.headers),
        assurance=assurance,
        answered=who_answered(assurance, calls, remembered=remembered),
        calls=calls,
    )
