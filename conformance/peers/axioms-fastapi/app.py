"""An API of FastAPI behind axioms-fastapi, as its README shows it."""

import os

from axioms_fastapi import init_axioms, register_axioms_exception_handler, require_auth, require_scopes
from fastapi import Depends, FastAPI
from pydantic import BaseModel

app = FastAPI()
init_axioms(
    app,
    AXIOMS_AUDIENCE=os.environ["AUDIENCE"],
    AXIOMS_ISS_URL=os.environ["ISSUER"],
    AXIOMS_JWKS_URL=os.environ["JWKS_URI"],
)
register_axioms_exception_handler(app)


class Thing(BaseModel):
    """What a client sends."""

    item: str


@app.get("/public")
async def public():
    """Answer everybody."""
    return {"ok": True}


@app.get("/read", dependencies=[Depends(require_auth), Depends(require_scopes(["read"]))])
@app.get("/write", dependencies=[Depends(require_auth), Depends(require_scopes(["write"]))])
@app.get(
    "/both", dependencies=[Depends(require_auth), Depends(require_scopes(["read"])), Depends(require_scopes(["write"]))]
)
async def protected():
    """Answer those who may."""
    return {"ok": True}


@app.post("/things", status_code=201, dependencies=[Depends(require_auth), Depends(require_scopes(["write"]))])
async def create(thing: Thing):
    """Take a body from those who may write."""
    return {"item": thing.item}
