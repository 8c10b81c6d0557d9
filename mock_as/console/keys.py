"""The signing keys: which of them are published, which sign, and which no longer do either.

References: RFC 7517 section 5
"""

from __future__ import annotations

from starlette.responses import Response

from mock_as.console.visit import Act, Show, ShowAgain, Visit
from mock_as.errors import UsageError, unknown
from mock_as.keys import ALGORITHMS
from mock_as.messages import encode_json


def overview(visit: Visit) -> Response:
    """Show the keys in three columns."""
    return _overview(visit)


def _overview(visit: Visit, error: UsageError | None = None) -> Response:
    keys = visit.issuer.keys.describe()
    columns = {
        "Signing": [key for key in keys if key["state"].startswith("signing")],
        "Published": [key for key in keys if key["state"] == "published"],
        "Retired or not yet used": [key for key in keys if key["state"] == "unpublished"],
    }
    return visit.show(
        "keys.html", error=error, columns=columns, algorithms=list(ALGORITHMS), jwks_url=visit.issuer.url.jwks
    )


def download(visit: Visit) -> Response:
    """Hand over the JWKS as a file."""
    disposition = {"content-disposition": 'attachment; filename="jwks.json"', "cache-control": "no-store"}
    return Response(encode_json(visit.issuer.keys.jwks()), media_type="application/jwk-set+json", headers=disposition)


def rotate(visit: Visit) -> Response:
    """Sign with new keys from now on."""
    visit.issuer.keys.rotate(visit.text("alg"), overlap=visit.form.get("overlap") == "1")
    return visit.go("/keys", "rotated")


def stage(visit: Visit) -> Response:
    """Make a key that waits."""
    alg = visit.text("alg")
    if alg is None:
        raise UsageError("alg", "say which")
    visit.issuer.keys.stage(alg)
    return visit.go("/keys", "changed")


def change(visit: Visit) -> Response:
    """Do something with one key."""
    keys, verb = visit.issuer.keys, visit.form.get("verb", "")
    verbs = {
        "publish": keys.publish,
        "unpublish": keys.unpublish,
        "activate": keys.activate,
        "delete": keys.delete,
        "replace": keys.replace,
    }
    if verb not in verbs:
        raise unknown("verb", verb, verbs)
    verbs[verb](visit.form.get("kid", ""))
    return visit.go("/keys", "changed")


SHOWN: dict[str, Show] = {"/keys": overview, "/keys/jwks.json": download}
DONE: dict[str, tuple[Act, ShowAgain]] = {
    "/keys/rotate": (rotate, _overview),
    "/keys/stage": (stage, _overview),
    "/keys/change": (change, _overview),
}
