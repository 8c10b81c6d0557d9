"""What a request to the control plane is about: one issuer of one mock, which the application names in the scope."""

# Without `from __future__ import annotations`: FastAPI evaluates the annotations.

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from mock_as.control.problems import JSONResponse
from mock_as.issuer import Issuer
from mock_as.tenants import Landlord

ISSUER = "mock_as.issuer"
MOCK = "mock_as.mock"
PREFIX = "/_mock"


async def _issuer(request: Request) -> Issuer:
    issuer: Issuer = request.scope[ISSUER]
    return issuer


async def _mock(request: Request) -> Landlord:
    mock: Landlord = request.scope[MOCK]
    return mock


State = Annotated[Issuer, Depends(_issuer)]
"""The issuer that a request is about."""
Mock = Annotated[Landlord, Depends(_mock)]
"""The mock that the issuer is one of."""


def new_router(concern: str) -> APIRouter:
    """Return a router for one concern of the control plane.

    Args:
        concern: its name in the description of the routes.
    """
    return APIRouter(prefix=PREFIX, default_response_class=JSONResponse, tags=[concern])
