"""Nothing of a request waits for the garbage collector: at ten thousand a second, that is what memory is lost to."""

from __future__ import annotations

import gc
from typing import Any, ClassVar
from weakref import WeakSet

import pytest
from fastapi import FastAPI

from resource_server import fastapi as door
from resource_server.fastapi import install, require
from tests.support.asgi import call
from tests.support.fastapi_app import READER, ScriptedAS

pytestmark = pytest.mark.anyio


class _Counted(door._Call):
    __slots__ = ("__weakref__",)
    alive: ClassVar[WeakSet[_Counted]] = WeakSet()

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.alive.add(self)


@pytest.fixture
def no_collector() -> Any:
    """Switch the garbage collector off: what is freed then is freed at once."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
async def test_no_request_is_left_behind(monkeypatch: pytest.MonkeyPatch, authorization_server: ScriptedAS) -> None:
    """What was known about a request is gone with it, be it answered or refused."""
    monkeypatch.setattr(door, "_Call", _Counted)
    app = FastAPI()

    @app.get("/things", dependencies=[require("read")])
    async def things() -> str:
        return "things"

    install(app, authorization_server.server())
    assert (await call(app, "GET", "/things", token=READER)).status == 200
    assert (await call(app, "GET", "/things")).status == 401
    assert list(_Counted.alive) == []
