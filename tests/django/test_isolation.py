"""However many requests are under way at a time, each of them acts for its own principal and for nobody else."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.http import HttpRequest, JsonResponse
from django.urls import path

from resource_server.django import principal_of, require
from tests.support.django_project import Open
from tests.support.fastapi_app import ScriptedAS, active

USERS = 50
THREADS = 8


@pytest.fixture
def authorization_server() -> ScriptedAS:
    """Give one with many users, each with a scope of their own."""
    return ScriptedAS({f"canary-{number}": active(f"scope-{number}", sub=f"user-{number}") for number in range(USERS)})


def facts(request: HttpRequest) -> dict[str, Any]:
    """Say what is known of the caller."""
    principal = principal_of(request)
    return {"subject": principal.subject, "scopes": sorted(principal.scopes)}


def expected(number: int) -> dict[str, Any]:
    """Say what is true of one."""
    return {"subject": f"user-{number}", "scopes": [f"scope-{number}"]}


@pytest.mark.attack("A-C-2", "A-F-11")
def test_threads(open_wsgi: Open, options: dict[str, Any]) -> None:
    """In threads that take turns every view sees its own principal."""
    barrier = threading.Barrier(THREADS)

    @require()
    def view(request: HttpRequest) -> JsonResponse:
        first = facts(request)
        barrier.wait(20)
        return JsonResponse([first, facts(request)], safe=False)

    project = open_wsgi(path("view", view), server=options | {"cache_size": USERS // 2})
    numbers = [number % USERS for number in range(THREADS * 20)]

    def ask(number: int) -> Any:
        return project.call("GET", "/view", token=f"canary-{number}").json()

    with ThreadPoolExecutor(THREADS) as threads:
        answers = list(threads.map(ask, numbers))
    assert answers == [[expected(number)] * 2 for number in numbers]


@pytest.mark.attack("A-C-2", "A-F-11")
def test_interleaved(open_asgi: Open, options: dict[str, Any]) -> None:
    """In one event loop as well."""

    @require()
    async def view(request: HttpRequest) -> JsonResponse:
        first = facts(request)
        await asyncio.sleep(0)
        return JsonResponse([first, facts(request)], safe=False)

    project = open_asgi(path("view", view), server=options | {"cache_size": USERS // 2})

    async def ask_all() -> list[Any]:
        url = "http://api.example.test/view"
        sent = [{"authorization": f"Bearer canary-{number}"} for number in range(USERS)]
        answers = await asyncio.gather(*(project.send("GET", url, headers=headers) for headers in sent))
        return [answer.json() for answer in answers]

    assert asyncio.run(ask_all()) == [[expected(number)] * 2 for number in range(USERS)]
