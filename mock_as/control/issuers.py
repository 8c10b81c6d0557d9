"""The issuers at this address, over HTTP: one of them has no name, the others are tenants."""

# Without `from __future__ import annotations`: FastAPI evaluates the annotations.

from typing import Any

from fastapi import Response

from mock_as.control.context import Mock, new_router
from mock_as.control.models import Model, mirrors
from mock_as.control.problems import not_there
from mock_as.options import Options
from mock_as.tenants import Landlord, Tenant

router = new_router("issuers")

_CREATED = 201


def _shown(tenant: Tenant) -> dict[str, Any]:
    return {"name": tenant.name, "issuer": tenant.issuer, "metadata": tenant.url.metadata}


def _find(mock: Landlord, name: str) -> Tenant:
    if name not in mock.tenants:
        raise not_there("issuer")
    return mock.tenants[name]


@router.get("/issuers")
async def issuers(mock: Mock) -> dict[str, Any]:
    """Show the issuers that have a name."""
    return {"issuer": mock.issuer, "issuers": [_shown(tenant) for tenant in tuple(mock.tenants.values())]}


@router.post("/issuers", status_code=_CREATED)
async def new_issuer(mock: Mock) -> dict[str, Any]:
    """Make an issuer whose name nobody has used."""
    return _shown(mock.tenant())


@router.get("/issuers/{name}")
async def issuer(mock: Mock, name: str) -> dict[str, Any]:
    """Show an issuer."""
    return _shown(_find(mock, name))


@router.put("/issuers/{name}")
async def put_issuer(mock: Mock, name: str, response: Response) -> dict[str, Any]:
    """Make an issuer, with everything of its own, unless there is one of that name."""
    if name not in mock.tenants:
        response.status_code = _CREATED
    return _shown(mock.tenant(name))


@mirrors(Options, without=("seed",), partial=True)
class IssuerChange(Model):
    """What is to be different about an issuer until its next reset."""


@router.patch("/issuers/{name}")
async def change_issuer(mock: Mock, name: str, change: IssuerChange) -> dict[str, Any]:
    """Change options of an issuer until its next reset."""
    tenant = _find(mock, name)
    tenant.configure(**change.said())
    return {**_shown(tenant), "options": change.said()}


@router.delete("/issuers/{name}")
async def delete_issuer(mock: Mock, name: str) -> dict[str, bool]:
    """Forget an issuer, and let every request go on that it holds."""
    _find(mock, name).release()
    del mock.tenants[name]
    return {"deleted": True}
