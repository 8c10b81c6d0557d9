"""The device authorization grant: what a device polls for, and how fast it may.

References: RFC 8628 sections 3.4 and 3.5
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from authlib.oauth2.rfc6749 import AccessDeniedError, InvalidGrantError, OAuth2Error
from authlib.oauth2.rfc8628 import AuthorizationPendingError, DeviceCodeGrant, ExpiredTokenError, SlowDownError

from mock_as.clients import AUTH_METHODS, DEVICE_CODE
from mock_as.granted import Granted
from mock_as.issuer import Issuer
from mock_as.oauth.grants.issue import issue
from mock_as.oauth.grants.respond import Response, respond

DEVICE_LIFETIME = 600
"""How long a person has to enter the code, in seconds."""
INTERVAL = 5
"""How long a device waits between two questions at first, in seconds, and by how much longer if it does not."""
_REMEMBERED_FOR = 2 * DEVICE_LIFETIME
_CODE_BYTES = 32
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_HALF = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that waits for a person, as Authlib asks about it."""

    code: str = field(repr=False)
    user_code: str = field(repr=False)
    client_id: str
    scopes: tuple[str, ...]
    resources: tuple[str, ...]
    authorization_details: tuple[Mapping[str, Any], ...]
    expires_at: float
    interval: int = INTERVAL
    asked_at: float | None = None
    """When it asked last, in seconds since the epoch."""
    granted: Granted | None = None
    """What the person granted."""
    error: str | None = None
    """What the device is told in the place of a grant."""

    @property
    def is_decided(self) -> bool:
        """Whether the person has said something."""
        return self.granted is not None or self.error is not None

    def get_client_id(self) -> str:
        """Return whose device it is."""
        return self.client_id


def make_device(
    issuer: Issuer,
    *,
    client_id: str,
    scopes: tuple[str, ...],
    resources: tuple[str, ...] = (),
    authorization_details: tuple[Mapping[str, Any], ...] = (),
) -> Device:
    """Let a device wait for a person.

    Args:
        issuer: who asks the person.
        client_id: whose device it is.
        scopes: what it asks for.
        resources: which resources it is for.
        authorization_details: what it asks for in detail.
    """
    device = Device(
        code=issuer.chance.text(_CODE_BYTES),
        user_code=_user_code(issuer),
        client_id=client_id,
        scopes=scopes,
        resources=resources,
        authorization_details=authorization_details,
        expires_at=issuer.clock.now() + DEVICE_LIFETIME,
    )
    issuer.pending.devices.put(device.user_code, device.code, DEVICE_LIFETIME)
    return keep_device(issuer, device)


def keep_device(issuer: Issuer, device: Device) -> Device:
    """Keep a device as it is now.

    Args:
        issuer: where it waits.
        device: the device.
    """
    # Beyond its end, so that it can be told that it has come.
    issuer.pending.devices.put(device.code, device, _REMEMBERED_FOR)
    return device


def find_device(issuer: Issuer, user_code: str) -> Device | None:
    """Return the device that shows a code, if it still waits.

    Args:
        issuer: where it waits.
        user_code: what the person entered; case, spaces and dashes do not matter.

    References: RFC 8628 section 6.1
    """
    letters = "".join(letter for letter in user_code.upper() if letter.isalnum())
    code = issuer.pending.devices.get(f"{letters[:_HALF]}-{letters[_HALF:]}")
    device = issuer.pending.devices.get(code) if isinstance(code, str) else None
    return device if isinstance(device, Device) and not device.is_decided else None


def _user_code(issuer: Issuer) -> str:
    letters = "".join(_LETTERS[int(issuer.chance.fraction() * len(_LETTERS))] for _ in range(2 * _HALF))
    return f"{letters[:_HALF]}-{letters[_HALF:]}"


class DeviceCode(DeviceCodeGrant):
    """Lets devices ask whether their person has decided."""

    GRANT_TYPE = DEVICE_CODE
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def query_device_credential(self, device_code: str) -> Device:
        """Find a device by its code.

        Raises:
            InvalidGrantError: there is none, or it has got its tokens.
        """
        found = self.server.issuer.pending.devices.get(device_code)
        if not isinstance(found, Device):
            raise InvalidGrantError("The device_code is unknown, or has been redeemed.")
        return found

    def validate_device_credential(self, credential: Device) -> object:
        """Return whom the device is for, or refuse it for now or for good.

        References: RFC 8628 section 3.5
        """
        issuer: Issuer = self.server.issuer
        now = issuer.clock.now()
        if credential.error is not None:
            _refuse(credential.error)
        if credential.expires_at <= now:
            raise ExpiredTokenError("The device_code has expired.")
        if credential.granted is not None:
            return credential.granted.sub
        too_soon = credential.asked_at is not None and now - credential.asked_at < credential.interval
        interval = credential.interval + INTERVAL if too_soon else credential.interval
        keep_device(issuer, replace(credential, asked_at=now, interval=interval))
        if too_soon:
            raise SlowDownError(f"Wait {interval} seconds between two requests.")
        raise AuthorizationPendingError("The person has not decided.")

    def create_token_response(self) -> Response:
        """Issue the tokens, once."""
        issuer: Issuer = self.server.issuer
        request: Any = self.request
        device: Device = request.credential
        assert device.granted is not None  # noqa: S101 - validate_device_credential has seen it
        document = issue(
            issuer,
            device.granted,
            confirmation=self.server.confirmation(request),
            refresh=request.client.check_grant_type("refresh_token"),
            id_token="openid" in device.granted.scopes,
        )
        issuer.pending.devices.pop(device.code)
        return respond(document)


def _refuse(error: str) -> None:
    if error == "access_denied":
        raise AccessDeniedError("The person has said no.")
    raise OAuth2Error("That was decided on the login page.", error=error)
