"""Options that change while requests are served: where they were read, whether that has changed, what to make of it.

A file is looked at, not watched: its times, size and number tell whether it is still the one that was read. So it does
not matter how it was changed: written again, replaced by another, or reached by a symbolic link that leads elsewhere
now, as the secrets of Kubernetes are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from resource_server._validation.forks import fork_safe_lock
from resource_server._validation.state import Policy

if TYPE_CHECKING:
    from resource_server.settings import Settings

LOOK_EVERY = 1.0
"""Seconds between looks, at least."""
OLD_SECRET_FOR = 300.0
"""Seconds for which credentials that were replaced are tried where the new ones are refused."""
AT_A_RESTART = frozenset(
    {
        "cache_secret",
        "cache_size",
        "cache_timeout",
        "cache_url",
        "leeway",
        "negative_cache_size",
        "revocation_memory",
    }
)
"""Options that take effect when the process starts anew: what is remembered was laid out for them."""
_WITH_A_STORE = frozenset({"audience", "client_id", "introspection_endpoint", "issuer"})
"""What the names in a shared store are made of: with one, these too take effect at a restart, all options together."""
_CERTIFICATES = ("ca_file", "client_certificate_file", "client_certificate_key_file")
"""What names the files of certificates that connections are made with."""
_CONNECTIONS = frozenset({*_CERTIFICATES, "max_concurrent_calls", "retries", "timeout", "trust_env"})
"""What connections are made by."""
_JUDGEMENT = frozenset(
    {
        "algorithms",
        "audience",
        "client_id",
        "content_encryption_algorithms",
        "cross_check",
        "decryption_algorithms",
        "decryption_key",
        "encrypted_tokens",
        "introspection_endpoint",
        "issuer",
        "jwks_uri",
        "jwt_profile",
        "require_audience",
        "resource",
        "scope_claims",
        "signed_introspection",
        "strategy",
        "token_format",
        "token_pattern",
    }
)
"""What a verdict depends on: what was found out under others is forgotten."""

_PLACES = ("env_file", "secrets_dir", "toml_file")

Look = tuple[tuple[str, int, int, int], ...]
"""What files look like from outside: the name of each, when it was last changed, its size and its number."""


class Change(NamedTuple):
    """What is different about newly read options, and what is to be in force."""

    settings: Settings
    changed: tuple[str, ...]
    """The names of the options that are different, and take effect."""
    at_a_restart: tuple[str, ...]
    """The names of those that do not."""
    connections: bool
    """Connections are to be made anew."""
    judgement: bool
    """What has been found out about tokens does not hold any more."""


class Files:
    """Where the options of a server are read from, and when they were last looked at; safe for threads.

    Args:
        options: the keywords of :meth:`resource_server.Settings.from_env`.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        """Note the places, as they are seen from where the process is now."""
        named = {"env_file": ".env"} | options
        places = {name: Path(named[name]).absolute() for name in _PLACES if named.get(name) is not None}
        self._options = named | places
        self._places = list(places.values())
        self._lock = fork_safe_lock()
        self._seen: Look = ()
        self._certificates: Look = ()
        self._last_read: Settings | None = None
        self._looked_at = self._doubted_at = -math.inf

    def read(self) -> Settings:
        """Read the options.

        Raises:
            ConfigurationError: a value is not acceptable or a file cannot be read.
        """
        from resource_server.settings import Settings  # noqa: PLC0415 - pydantic is loaded when options are validated

        # Looked at before they are read: what changes in between is seen at the next look.
        self._seen = _look(self._places)
        settings = Settings.from_env(**self._options)
        self._certificates = _look_at_certificates(settings)
        self._last_read = settings
        return settings

    def may_look(self, now: float) -> bool:
        """Tell whether it is time to look again; then nobody is told so for a second.

        Args:
            now: monotonic seconds.
        """
        if now < self._looked_at + LOOK_EVERY:
            return False
        self._looked_at = now
        return True

    def may_doubt(self, now: float) -> bool:
        """Tell whether to read again whatever the files look like; then nobody is told so for a second.

        Args:
            now: monotonic seconds.
        """
        if now < self._doubted_at + LOOK_EVERY:
            return False
        self._doubted_at = now
        return True

    def renew(self, current: Callable[[], Settings], apply: Callable[[Change], None], *, anyway: bool) -> Change | None:
        """Read the options where their files have changed, and put them in force.

        Args:
            current: returns the options in force.
            apply: puts others in force.
            anyway: read them whatever the files look like.

        Returns:
            What was different.

        Raises:
            ConfigurationError: they are not acceptable.
        """
        with self._lock:  # who comes second finds it done
            in_force, known = current(), self._last_read
            certificates_changed = _look_at_certificates(in_force) != self._certificates
            if not anyway and not certificates_changed and _look(self._places) == self._seen:
                return None
            found = self.read()
            if found == known and not certificates_changed:
                return None
            change = compare(in_force, found, certificates_changed=certificates_changed)
            if change is not None:
                self._last_read = known  # until they are in force
                apply(change)
                self._last_read = found
            return change


class Handover:
    """Which credentials to try where those of a policy are refused.

    The authorization server and we do not learn of a new secret at the same moment: those that have replaced them, or,
    for a while, those that they have replaced.
    """

    def __init__(self) -> None:
        """Begin with none replaced."""
        self._replaced: Policy | None = None
        self._until = -math.inf

    def note(self, before: Policy, after: Policy, now: float) -> None:
        """Note that a policy has replaced another one.

        Args:
            before: the one that was in force.
            after: the one that is.
            now: monotonic seconds.
        """
        if _credentials(after) != _credentials(before):
            self._replaced = before if _place(after) == _place(before) else None
            self._until = now + OLD_SECRET_FOR

    def other(self, refused: Policy, current: Policy, now: float) -> Policy | None:
        """Return a policy with other credentials, where there are any for the same place: they are sent nowhere else.

        Args:
            refused: the policy with the credentials that were refused.
            current: the one in force.
            now: monotonic seconds.
        """
        if _place(refused) != _place(current):
            return None
        if _credentials(current) != _credentials(refused):
            return current
        return self._replaced if now < self._until else None


def _credentials(policy: Policy) -> tuple[object, object]:
    return (policy.client, policy.token_client)


def _place(policy: Policy) -> tuple[str, str | None, str | None]:
    return (policy.issuer, policy.introspection_endpoint, policy.token_endpoint)


def compare(current: Settings, found: Settings, *, certificates_changed: bool = False) -> Change | None:
    """Say what is different, and what of it takes effect; ``None`` where nothing is.

    Args:
        current: the options in force.
        found: the options as they are read now.
        certificates_changed: the file of certificates has other content.
    """
    different = {name for name in type(found).model_fields if getattr(found, name) != getattr(current, name)}
    postponed = different & AT_A_RESTART
    if "client_secret" in different and current.cache_url is not None and current.cache_secret is None:
        postponed |= {"cache_secret"}  # it is made from the other
    changes_kind = bool(found.authorization_servers) != bool(current.authorization_servers)
    if changes_kind or (current.cache_url is not None and different & _WITH_A_STORE):
        postponed = different
    if not different and not certificates_changed:
        return None
    kept = {name: getattr(current, name) for name in postponed}
    changed = different - postponed
    return Change(
        settings=found.model_copy(update=kept),
        changed=tuple(sorted(changed)),
        at_a_restart=tuple(sorted(postponed)),
        connections=certificates_changed or bool(changed & _CONNECTIONS),
        judgement=bool(changed & _JUDGEMENT),
    )


def _look(places: list[Path]) -> Look:
    files: list[Path] = []
    for place in places:
        with suppress(OSError):  # a folder that cannot be read looks like an empty one
            files += sorted(place.iterdir()) if place.is_dir() else [place]
    return tuple(_look_at(file) for file in files)


def _look_at(file: Path) -> tuple[str, int, int, int]:
    try:
        seen = file.stat()
    except OSError:
        return (str(file), 0, 0, 0)
    return (str(file), seen.st_mtime_ns, seen.st_size, seen.st_ino)


def _look_at_certificates(settings: Settings) -> Look:
    servers = () if callable(settings.authorization_servers) else settings.authorization_servers
    told: list[Mapping[str, Any]] = [vars(settings), *(server.options for server in servers)]
    return _look([Path(options[name]) for options in told for name in _CERTIFICATES if options.get(name) is not None])
