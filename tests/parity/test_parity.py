"""Every front door answers every request as FastAPI's does, but for what the table in docs/front-doors.md says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anyio import create_task_group

from tests.parity.cases import CASES, Case, bearer, proven
from tests.parity.front_doors import ABSENT, DOORS, REFERENCE, differences
from tests.parity.world import BASE, Door, Sent, World
from tests.support.answer import Answer
from tests.support.headers import parse_challenges
from tests.support.instance import instance_in, without_instance
from tests.support.promises import assert_keeps_secrets

pytestmark = pytest.mark.anyio

TABLE = differences()
NOT_FOUND = 404
OURS = {400, 401, 403, 429, 503}
"""What the library itself answers: there every byte is the same."""
NOISE = [
    "/", "//", "/.", "/./", "/..", "/../", "/%2e%2e/", "/%252e%252e/", "..;/", ";", ";a=b", ";/", "%2f", "%2F", "%252f",
    "%5c", "%00", "%0a", "%09", "%20", ".", ".json", "%c0%af", "%ef%bc%8f", "%e2%80%8b", "%3f", "%23", "/public",
    "/public/..", "/public;", "/public%2f..", "/things", "x", "%61", "%41",
]  # fmt: skip
"""What is put before a path and behind it."""
SPELLINGS = sorted(
    {f"{noise}{path}" for noise in NOISE for path in ("/things", "/public", "/hidden") if noise.startswith("/")}
    | {f"{path}{noise}" for noise in NOISE for path in ("/things", "/public", "/hidden")}
    | {"/THINGS", "/Public", "/things/", "/%74hings", "/t%68ings", "/public/../things", "/public/..%2fthings"}
)
OTHER_HOST, USERS = b"evil.example", 10
UNKNOWN = "a path that is not there, a good token"
READS_AHEAD = {"Django, ASGI"}
"""Django itself reads a body before it begins, where it is entered by ASGI."""
NO_OTHER_404 = {"REST framework, alone", "MCP"}
"""Views of REST framework have a 404 of their own; and behind MCP's door there is but one path."""
ADDS_ALLOW = {"REST framework, alone"}
"""Its own views add an ``Allow`` to every response."""
OTHERS = [name for name in DOORS if name != REFERENCE]
HIDING = [REFERENCE, *(name for name in OTHERS if not TABLE[UNKNOWN][name] and name not in NO_OTHER_404)]


async def ask(door: Door, asked: list[Sent]) -> Answer:
    """Send requests one after the other, and return the last answer; no answer tells a secret."""
    answers = [await door.send(sent) for sent in asked]
    for answer in answers:
        assert_keeps_secrets(repr(answer))
    return answers[-1]


def made(case: Case, world: World) -> list[Sent]:
    """Make a case's requests."""
    asked = case.asked(world)
    return asked if isinstance(asked, list) else [asked]


def errors(answer: Answer) -> set[str]:
    """Return the error codes of the challenges."""
    challenges = parse_challenges(", ".join(answer.all("www-authenticate")))
    return {challenge.params["error"] for challenge in challenges if "error" in challenge.params}


def content(answer: Answer) -> Any:
    """Return what a body says, however it is written."""
    try:
        return json.loads(answer.body) if answer.body else None
    except ValueError:
        return answer.body.decode()


def seen(answer: Answer, sent: Sent, door: str = REFERENCE) -> dict[str, Any]:
    """Return of an answer what has to be the same in every door.

    A 404 is each framework's own; and where one leaves the body in an answer to HEAD, its server takes it out. What
    names a refusal is another one each time.
    """
    if answer.status in OURS:
        body = None if sent.method == "HEAD" else without_instance(answer.body)
        fields = [(name, value) for name, value in sorted_fields(answer) if name != "allow" or door not in ADDS_ALLOW]
        return {"status": answer.status, "fields": fields, "body": body}
    names = ["www-authenticate"] if answer.status == NOT_FOUND else ["www-authenticate", "cache-control"]
    said = None if answer.status == NOT_FOUND or sent.method == "HEAD" else content(answer)
    return {"status": answer.status, "body": said, **{name: answer.all(name) for name in names}}


def sorted_fields(answer: Answer) -> list[tuple[str, str]]:
    """Return the header fields in an order that is always the same."""
    return sorted((name.lower(), value) for name, value in answer.headers)


@pytest.mark.parametrize("name", CASES)
async def test_reference(name: str, world: World) -> None:
    """FastAPI's door answers with the status and the error code that are written beside the request."""
    case = CASES[name]
    answer = await ask(DOORS[REFERENCE](world, **case.options), made(case, world))
    assert (answer.status, errors(answer)) == (case.status, {case.error} - {None})
    world.mock_as.clear_faults()


@pytest.mark.attack(
    "A-R-2", "A-R-5", "A-R-6", "A-R-8", "A-R-9", "A-R-10", "A-F-1", "A-F-6", "A-F-8", "A-J-18", "A-D-3", "A-H-3"
)
@pytest.mark.parametrize("name", CASES)
async def test_parity(name: str, world: World) -> None:
    """Each door answers as FastAPI's does, to the byte where the library answers, or else as the table says."""
    case = CASES[name]
    asked = made(case, world)
    expected = await ask(DOORS[REFERENCE](world, **case.options), asked)
    cells = TABLE.get(name, {})
    answers = {
        door: await ask(DOORS[door](world, **case.options), asked) for door in OTHERS if cells.get(door) != ABSENT
    }
    world.mock_as.clear_faults()
    names = [name for name in map(instance_in, (answer.body for answer in (expected, *answers.values()))) if name]
    assert len(set(names)) == len(names)
    same, sent = seen(expected, asked[-1]), asked[-1]
    told = {door: cells[door] for door in answers if cells.get(door)}
    assert {door: seen(answer, sent, door) for door, answer in answers.items() if door not in told} == dict.fromkeys(
        [door for door in answers if door not in told], same
    )
    assert {door: str(answers[door].status) for door in told} == told
    assert [door for door in told if seen(answers[door], sent, door) == same] == []


@pytest.mark.attack("A-F-2")
@pytest.mark.parametrize("door", [door for door in DOORS if door not in READS_AHEAD])
async def test_bodies_are_not_read(door: str, world: World) -> None:
    """Nothing of a body is asked for before a request is refused."""
    case = CASES["PUT with 1 MB, no token"]
    answer = await ask(DOORS[door](world), made(case, world))
    assert (answer.status, answer.reads) == (401, 0)


@pytest.mark.parametrize("door", HIDING)
async def test_hidden(door: str, world: World) -> None:
    """What is hidden from a caller looks to the byte like what is not there."""
    opened = DOORS[door](world)
    hidden, nothing = [await opened.send(sent) for sent in made_at(world, "/hidden", "/nowhere")]
    assert (hidden.status, sorted_fields(hidden), hidden.body) == (404, sorted_fields(nothing), nothing.body)


def made_at(world: World, *paths: str) -> list[Sent]:
    """Send one token to several paths."""
    [sent] = made(CASES["a good token, a JWT"], world)
    return [sent.but(path=path) for path in paths]


@pytest.mark.attack("A-F-7")
@pytest.mark.parametrize("door", DOORS)
async def test_other_host(door: str, world: World) -> None:
    """What a client writes into ``Host`` changes no refusal, and no proof is good by it."""
    opened = DOORS[door](world, dpop="optional")
    [nothing] = made(CASES["no token"], world)
    answers = [await ask(opened, [nothing.but(host=host)]) for host in (nothing.host, OTHER_HOST)]
    assert seen(answers[0], nothing) == seen(answers[1], nothing)
    for base, status in ((BASE, 200), (f"https://{OTHER_HOST.decode()}", 401)):
        [sent] = made(Case(proven(base=base), status), world)
        assert (await ask(opened, [sent.but(host=OTHER_HOST)])).status == status


@pytest.mark.attack("A-F-6")
@pytest.mark.parametrize("door", DOORS)
async def test_path_confusion(door: str, world: World) -> None:
    """No spelling of a path leads to a protected handler without a token: what is let in is the public one."""
    opened = DOORS[door](world)
    for target in SPELLINGS:
        answer = await opened.send(Sent(path=target))
        assert answer.status < 500, target
        assert answer.status != 200 or content(answer) == "public", target


@pytest.mark.attack("A-F-11", "A-C-2")
@pytest.mark.parametrize("door", DOORS)
async def test_interleaved(door: str, world: World) -> None:
    """However many requests are under way at a time, in tasks or in threads, each is answered as its own caller's."""
    opened = DOORS[door](world)
    users = [f"user-{number}" for number in range(USERS)]
    sent = {user: bearer(world.token(sub=user)) for user in users}
    answers: list[tuple[str, Answer]] = []

    async def send(user: str) -> None:
        answers.append((user, await opened.send(sent[user])))

    async with create_task_group() as tasks:
        for user in users * 4:
            tasks.start_soon(send, user)
    assert [(user, answer.json()["subject"]) for user, answer in answers] == [(user, user) for user, _ in answers]
    assert len(answers) == 4 * USERS


def test_table() -> None:
    """The table names requests and doors of this suite, and nothing else; FastAPI's column says what it answers."""
    assert set(TABLE) <= set(CASES)
    for name, cells in TABLE.items():
        assert list(cells) == list(DOORS)
        assert cells[REFERENCE] == str(CASES[name].status)
        assert any(cells[door] for door in OTHERS), name
