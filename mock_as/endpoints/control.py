"""The control plane under ``/_mock``: what a test can do in Python, over HTTP and in JSON.

Whatever is asked wrongly is answered with a problem document that names the field, and changes nothing.

References: RFC 9457
"""

# Without `from __future__ import annotations`: FastAPI evaluates the annotations of this module.

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from mock_as.errors import UsageError
from mock_as.fault_book import Wish
from mock_as.issuer import Issuer
from mock_as.journal import Entry, public_form
from mock_as.keys import DEFAULT_ALGORITHM
from mock_as.messages import encode_json
from mock_as.minting import Order
from mock_as.version import package_version

PREFIX = "/_mock"

# A century either way: enough for every test, and little enough for every calendar.
_Seconds = Annotated[float, Field(ge=-3.2e9, le=3.2e9, allow_inf_nan=False)]
_NOT_FOUND = 404
_MAX_DEPTH = 64


class JSONResponse(Response):
    """A response in ASCII, so that no text of a test can fail to be encoded."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Write the body."""
        return encode_json(content)


def _issuer(request: Request) -> Issuer:
    issuer: Issuer = request.app.state.issuer
    return issuer


_State = Annotated[Issuer, Depends(_issuer)]
router = APIRouter(prefix=PREFIX, default_response_class=JSONResponse)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _shallow(members: dict[str, Any]) -> dict[str, Any]:
    """Refuse what could be read, but not be written again one level further in."""
    level: list[Any] = [members]
    for _ in range(_MAX_DEPTH):
        level = [part for value in level for part in _parts(value)]
    if level:
        raise ValueError(f"is nested more than {_MAX_DEPTH} levels deep")
    return members


def _parts(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


_Members = Annotated[dict[str, Any], AfterValidator(_shallow)]


# ------------------------------------------------------------------------------------------------------------- state


@router.get("/health")
async def health() -> dict[str, str]:
    """Tell that the server is there."""
    return {"status": "ok", "version": package_version()}


@router.get("/state")
async def state(issuer: _State) -> dict[str, Any]:
    """Show everything there is, without secrets and without the text of tokens."""
    now = issuer.clock.now()
    tokens = [
        {"id": record.token.id, "format": record.token.format, "client_id": record.client_id, "sub": record.subject,
         "active": record.is_active(now), "revoked": record.revoked}
        for record in issuer.tokens.select()
    ]  # fmt: skip
    clients = [
        {"id": client.id, "scopes": client.scopes, "introspect": client.introspect}
        for client in issuer.clients.values()
    ]
    return {
        "version": package_version(),
        "issuer": issuer.issuer,
        "audience": issuer.audience,
        "clock": _clock(issuer),
        "keys": issuer.keys.describe(),
        "faults": [fault.describe() for fault in issuer.faults],
        "requests": issuer.requests().count,
        "tokens": tokens,
        "clients": clients,
    }


@router.post("/reset")
async def reset(issuer: _State) -> dict[str, bool]:
    """Go back to how it all was when the server started."""
    issuer.reset()
    return {"reset": True}


# ------------------------------------------------------------------------------------------------------------ tokens


class TokenOrder(_Model):
    """What a token shall be."""

    sub: str | None = None
    client_id: str = "svc"
    scope: str | list[str] | None = "read"
    format: Literal["jwt", "opaque"] | None = None
    aud: str | list[str] | None = None
    expires_in: _Seconds | None = None
    nbf_in: _Seconds | None = None
    iat_in: _Seconds | None = None
    alg: str = DEFAULT_ALGORITHM
    claims: _Members | None = None
    header: _Members | None = None
    key: str | None = None
    known: bool | None = None
    defect: str | None = None


@router.post("/tokens", status_code=201)
async def mint(issuer: _State, order: Annotated[TokenOrder | None, Body()] = None) -> dict[str, Any]:
    """Mint a token."""
    token = issuer.mint(Order(**(order or TokenOrder()).model_dump()))
    facts = {"token": token.value, "id": token.id, "jti": token.jti, "format": token.format}
    return {**facts, "claims": token.claims, "header": token.header, "curl": token.curl("https://api.example.test/")}


class Selection(_Model):
    """Which tokens."""

    token: str | None = None
    id: str | None = None
    sub: str | None = None
    client_id: str | None = None
    all: bool = False

    @model_validator(mode="after")
    def _names_something(self) -> "Selection":
        if len(self.model_fields_set) != 1 or not any(self.model_dump().values()):
            raise ValueError("name exactly one of token, id, sub, client_id, all")
        return self

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the verb."""
        token = self.token if self.token is not None else self.id
        return {"token": token, "sub": self.sub, "client_id": self.client_id, "everything": self.all}


@router.post("/tokens/revoke")
async def revoke(issuer: _State, selection: Selection) -> dict[str, int]:
    """Revoke tokens."""
    return {"revoked": issuer.revoke(**selection.arguments())}


@router.post("/tokens/expire")
async def expire(issuer: _State, selection: Selection) -> dict[str, int]:
    """Let tokens expire now."""
    return {"expired": issuer.expire(**selection.arguments())}


# -------------------------------------------------------------------------------------------------------------- keys


class Rotation(_Model):
    """Which key is replaced, and what becomes of the old one."""

    alg: str | None = None
    overlap: bool = True


@router.get("/keys")
async def keys(issuer: _State) -> dict[str, Any]:
    """Show every key, and the published ones as a JWKS."""
    return {"keys": issuer.keys.describe(), "jwks": issuer.keys.jwks()}


@router.post("/keys/rotate")
async def rotate(issuer: _State, rotation: Annotated[Rotation | None, Body()] = None) -> dict[str, Any]:
    """Sign with new keys from now on."""
    rotation = rotation or Rotation()
    return {"rotated": issuer.keys.rotate(rotation.alg, overlap=rotation.overlap), "keys": issuer.keys.describe()}


# ------------------------------------------------------------------------------------------------------------- clock


class Movement(_Model):
    """What happens to the clock, in the order of these members."""

    reset: bool = False
    offset: _Seconds | None = None
    freeze: bool | _Seconds = False
    advance: _Seconds | None = None


def _clock(issuer: Issuer) -> dict[str, Any]:
    clock = issuer.clock
    return {"now": clock.now(), "offset": clock.offset, "frozen": clock.frozen}


@router.get("/clock")
async def clock(issuer: _State) -> dict[str, Any]:
    """Tell the time."""
    return _clock(issuer)


@router.post("/clock")
async def move_clock(issuer: _State, movement: Movement) -> dict[str, Any]:
    """Move the clock, or stop it."""
    if movement.reset:
        issuer.clock.reset()
    if movement.offset is not None:
        issuer.clock.shift(movement.offset)
    if movement.freeze is not False:
        issuer.clock.freeze(None if movement.freeze is True else movement.freeze)
    if movement.advance is not None:
        issuer.clock.advance(movement.advance)
    return _clock(issuer)


# ------------------------------------------------------------------------------------------------------------ faults


class FaultOrder(_Model):
    """What is to go wrong."""

    endpoint: str
    action: str | int | None = None
    status: int | None = None
    retry_after: float | str | None = None
    times: int | None = None
    body: str | _Members | None = None
    headers: dict[str, str] | None = None
    match: dict[str, str] = Field(default_factory=dict)


@router.get("/faults")
async def faults(issuer: _State) -> dict[str, Any]:
    """Show the faults that are set, and which of them are left."""
    left = [fault.id for fault in issuer.faults_left]
    return {"faults": [fault.describe() for fault in issuer.faults], "left": left}


@router.post("/faults", status_code=201)
async def set_fault(issuer: _State, order: FaultOrder) -> dict[str, Any]:
    """Misbehave from now on."""
    return issuer.set_fault(Wish(**order.model_dump())).describe()


@router.delete("/faults")
async def clear_faults(issuer: _State) -> dict[str, bool]:
    """Behave again."""
    issuer.clear_faults()
    return {"cleared": True}


@router.delete("/faults/{fault_id}")
async def remove_fault(issuer: _State, fault_id: str) -> dict[str, bool]:
    """Take one fault back."""
    if not issuer.faults.remove(fault_id):
        raise HTTPException(_NOT_FOUND, "There is no such fault.")
    return {"cleared": True}


# ---------------------------------------------------------------------------------------------------------- requests


class RequestFilter(BaseModel):
    """Which requests."""

    model_config = ConfigDict(extra="forbid")

    endpoint: str | None = None
    client_id: str | None = None
    token: str | None = None
    method: str | None = None
    status: int | None = None
    fault: str | None = None

    def match(self) -> dict[str, Any]:
        """Return the arguments of the verb."""
        return self.model_dump(exclude_none=True)


_Filter = Annotated[RequestFilter, Query()]


@router.get("/requests")
async def requests(issuer: _State, wanted: _Filter) -> dict[str, Any]:
    """Show the requests that came in, secrets left out and tokens by their ids."""
    found = issuer.requests(**wanted.match())
    return {"count": found.count, "requests": [_shown(issuer, entry) for entry in found]}


@router.get("/requests/count")
async def count_requests(issuer: _State, wanted: _Filter) -> dict[str, int]:
    """Count the requests that came in."""
    return {"count": issuer.requests(**wanted.match()).count}


@router.delete("/requests")
async def forget_requests(issuer: _State) -> dict[str, bool]:
    """Forget the requests."""
    issuer.requests().clear()
    return {"cleared": True}


def _shown(issuer: Issuer, entry: Entry) -> dict[str, Any]:
    def id_of(token: str) -> str | None:
        record = issuer.tokens.get(token)
        return None if record is None else record.token.id

    facts = {"endpoint": entry.endpoint, "method": entry.method, "path": entry.path, "client_id": entry.client_id}
    outcome = {"status": entry.status, "fault": entry.fault, "at": entry.at, "duration": entry.duration}
    return {**facts, **outcome, "headers": entry.headers, "form": public_form(entry.form, id_of)}


# ---------------------------------------------------------------------------------------------------------- problems


def install(app: FastAPI) -> None:
    """Add the control plane to an application, and answer everything that goes wrong in it with a problem document.

    Args:
        app: the application; its state holds the issuer.
    """
    app.include_router(router)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(UsageError, _unusable)
    app.add_exception_handler(HTTPException, _refused)


def _problem(status: int, title: str, **members: object) -> Response:
    document = encode_json({"title": title, "status": status, **members})
    return Response(document, status, media_type="application/problem+json")


async def _invalid(_request: Request, error: Exception) -> Response:
    found: list[dict[str, Any]] = list(error.errors()) if isinstance(error, RequestValidationError) else []
    errors = [{"field": _field(item["loc"]), "message": item["msg"]} for item in found]
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
    return _problem(422, "Invalid request", detail=detail, errors=errors)


def _field(location: tuple[Any, ...]) -> str:
    return ".".join(map(str, location[1:])) or str(location[0])


async def _unusable(_request: Request, error: Exception) -> Response:
    field = error.field if isinstance(error, UsageError) else ""
    message = error.message if isinstance(error, UsageError) else ""
    return _problem(422, "Invalid request", detail=str(error), errors=[{"field": field, "message": message}])


async def _refused(request: Request, error: Exception) -> Response:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    headers = error.headers if isinstance(error, HTTPException) else None
    hint = "The endpoints are in the metadata document; the control plane is described at /_mock/docs."
    response = _problem(status, detail, **({"hint": hint, "path": request.url.path} if status == _NOT_FOUND else {}))
    response.headers.update(headers or {})
    return response
