"""Who is known, over HTTP: clients, users and resources, registered and changed while the server runs."""

# Without `from __future__ import annotations`: FastAPI evaluates the annotations.

import dataclasses
from typing import Any, TypeVar

from mock_as.clients import Client
from mock_as.control.context import State, new_router
from mock_as.control.models import Model, mirrors
from mock_as.control.problems import not_there
from mock_as.errors import UsageError
from mock_as.members import as_arguments
from mock_as.registry import Registry
from mock_as.tokens.resources import Resource
from mock_as.users import User

router = new_router("identities")
_Entry = TypeVar("_Entry", Client, User, Resource)


def _shown(entry: Client | User | Resource) -> dict[str, Any]:
    return {item.name: getattr(entry, item.name) for item in dataclasses.fields(entry) if item.repr}


def _find(registry: Registry[_Entry], name: str, what: str) -> _Entry:
    entry = registry.get(name)
    if entry is None:
        raise not_there(what)
    return entry


def _put(registry: Registry[_Entry], name: str, entry: _Entry) -> dict[str, Any]:
    registry[name] = entry
    return _shown(entry)


def _change(entry: _Entry, change: Model, field: str) -> _Entry:
    return dataclasses.replace(entry, **as_arguments(type(entry), _said(change, field, getattr(entry, field))))


def _said(body: Model, field: str, name: str) -> dict[str, Any]:
    """Return what is said beside the name, which may be said as well, as what is shown has it."""
    said = body.said()
    if said.pop(field, name) not in {name, None}:
        raise UsageError(field, f"is not {name!r}, as the path has it")
    return said


# ----------------------------------------------------------------------------------------------------------- clients


@mirrors(Client, without=("id",))
class ClientBody(Model):
    """A client as it is to be registered."""

    id: str | None = None


@mirrors(Client, without=("id",), partial=True)
class ClientChange(Model):
    """What is to be different about a client."""

    id: str | None = None


@router.get("/clients")
async def clients(issuer: State) -> dict[str, Any]:
    """Show the registered clients, without their secrets."""
    return {"clients": [_shown(client) for client in issuer.clients.values()]}


@router.get("/clients/{client_id:path}/credentials")
async def credentials(issuer: State, client_id: str) -> dict[str, str]:
    """Show the id and the secret of a client."""
    found, secret = issuer.credentials(client_id)
    return {"client_id": found, "client_secret": secret}


@router.get("/clients/{client_id:path}/key")
async def key(issuer: State, client_id: str) -> dict[str, Any]:
    """Show the keys that the mock has made for a client, private parts included, and its certificate."""
    return issuer.client_key(client_id).describe()


@router.get("/clients/{client_id:path}")
async def client(issuer: State, client_id: str) -> dict[str, Any]:
    """Show a client, without its secret."""
    return _shown(_find(issuer.clients, client_id, "client"))


@router.put("/clients/{client_id:path}")
async def put_client(issuer: State, client_id: str, body: ClientBody) -> dict[str, Any]:
    """Register a client, or register it anew."""
    return _put(issuer.clients, client_id, Client(id=client_id, **as_arguments(Client, _said(body, "id", client_id))))


@router.patch("/clients/{client_id:path}")
async def change_client(issuer: State, client_id: str, change: ClientChange) -> dict[str, Any]:
    """Change what is registered about a client."""
    return _put(issuer.clients, client_id, _change(_find(issuer.clients, client_id, "client"), change, "id"))


@router.delete("/clients/{client_id:path}")
async def delete_client(issuer: State, client_id: str) -> dict[str, bool]:
    """Forget a client."""
    del issuer.clients[_find(issuer.clients, client_id, "client").id]
    return {"deleted": True}


# ------------------------------------------------------------------------------------------------------------- users


@mirrors(User, without=("sub",))
class UserBody(Model):
    """A person as they are to be known."""

    sub: str | None = None


@mirrors(User, without=("sub",), partial=True)
class UserChange(Model):
    """What is to be different about a person."""

    sub: str | None = None


@router.get("/users")
async def users(issuer: State) -> dict[str, Any]:
    """Show the people who can log in."""
    return {"users": [_shown(user) for user in issuer.users.values()]}


@router.get("/users/{sub:path}")
async def user(issuer: State, sub: str) -> dict[str, Any]:
    """Show a person."""
    return _shown(_find(issuer.users, sub, "user"))


@router.put("/users/{sub:path}")
async def put_user(issuer: State, sub: str, body: UserBody) -> dict[str, Any]:
    """Make a person known, or known anew."""
    return _put(issuer.users, sub, User(sub=sub, **as_arguments(User, _said(body, "sub", sub))))


@router.patch("/users/{sub:path}")
async def change_user(issuer: State, sub: str, change: UserChange) -> dict[str, Any]:
    """Change what is known about a person."""
    return _put(issuer.users, sub, _change(_find(issuer.users, sub, "user"), change, "sub"))


@router.delete("/users/{sub:path}")
async def delete_user(issuer: State, sub: str) -> dict[str, bool]:
    """Forget a person."""
    del issuer.users[_find(issuer.users, sub, "user").sub]
    return {"deleted": True}


# --------------------------------------------------------------------------------------------------------- resources


@mirrors(Resource, without=("uri",))
class ResourceBody(Model):
    """A resource as tokens for it are to be."""

    uri: str | None = None


@mirrors(Resource, without=("uri",), partial=True)
class ResourceChange(Model):
    """What is to be different about tokens for a resource."""

    uri: str | None = None


@router.get("/resources")
async def resources(issuer: State) -> dict[str, Any]:
    """Show the resources whose tokens differ from the rest."""
    return {"resources": [_shown(resource) for resource in issuer.resources.values()]}


@router.get("/resources/{uri:path}")
async def resource(issuer: State, uri: str) -> dict[str, Any]:
    """Show a resource."""
    return _shown(_find(issuer.resources, uri, "resource"))


@router.put("/resources/{uri:path}")
async def put_resource(issuer: State, uri: str, body: ResourceBody) -> dict[str, Any]:
    """Make a resource known, or known anew."""
    return _put(issuer.resources, uri, Resource(uri=uri, **as_arguments(Resource, _said(body, "uri", uri))))


@router.patch("/resources/{uri:path}")
async def change_resource(issuer: State, uri: str, change: ResourceChange) -> dict[str, Any]:
    """Change how tokens for a resource are to be."""
    return _put(issuer.resources, uri, _change(_find(issuer.resources, uri, "resource"), change, "uri"))


@router.delete("/resources/{uri:path}")
async def delete_resource(issuer: State, uri: str) -> dict[str, bool]:
    """Forget a resource."""
    del issuer.resources[_find(issuer.resources, uri, "resource").uri]
    return {"deleted": True}
