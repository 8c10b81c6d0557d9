"""An API of Flask behind Authlib's ResourceProtector, with an introspection validator as its documentation shows it."""

import os

import requests
from authlib.integrations.flask_oauth2 import ResourceProtector
from authlib.oauth2.rfc7662 import IntrospectTokenValidator
from flask import Flask, jsonify, request


class Introspection(IntrospectTokenValidator):
    """Ask the authorization server about every token."""

    def introspect_token(self, token_string):
        """Send the token, and return the JSON that comes."""
        response = requests.post(
            os.environ["INTROSPECTION_ENDPOINT"],
            data={"token": token_string, "token_type_hint": "access_token"},
            auth=(os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]),
            timeout=5,
        )
        response.raise_for_status()
        return response.json()


require_oauth = ResourceProtector()
require_oauth.register_token_validator(Introspection())
app = Flask(__name__)


@app.get("/public")
def public():
    """Answer everybody."""
    return jsonify(ok=True)


@app.get("/read")
@require_oauth("read")
def read():
    """Answer those who may read."""
    return jsonify(ok=True)


@app.get("/write")
@require_oauth("write")
def write():
    """Answer those who may write."""
    return jsonify(ok=True)


@app.get("/both")
@require_oauth(["read write"])
def both():
    """Answer those who may do both."""
    return jsonify(ok=True)


@app.post("/things")
@require_oauth("write")
def create():
    """Take a body from those who may write."""
    return jsonify(item=request.get_json()["item"]), 201
