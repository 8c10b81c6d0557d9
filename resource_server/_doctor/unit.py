"""One authorization server, and what the checks of the doctor want to know of it."""

from __future__ import annotations

import ssl

from resource_server._doctor.reach import Place, Reached, Unreached, place_of, reach
from resource_server._rehearsal import Rehearsal
from resource_server._runtime.tls import tls_context


class Unit(Rehearsal):
    """One authorization server, with nothing known of it yet; what the doctor's checks ask of it."""

    @property
    def introspects(self) -> bool:
        """Whether the service introspects tokens."""
        return self.settings.strategy != "jwks"

    @property
    def verifies(self) -> bool:
        """Whether the service verifies signatures."""
        return self.state.policy.needs_keys

    async def reach(self, place: Place) -> Reached | Unreached:
        """Connect to a server as the service would."""
        return await reach(place, self._context() if place.tls else None, self.patience)

    def endpoint(self, name: str) -> str | None:
        """Return the URL of an endpoint, as far as it is known."""
        configured: str | None = getattr(self.state.policy, name)
        metadata = self.state.metadata
        if configured is not None or metadata is None:
            return configured
        return metadata.endpoint(name, shows_certificate=self.state.policy.shows_certificate)

    def places(self) -> tuple[Place, ...]:
        """Return where the servers are that the service would ask, each once."""
        names = [
            name for name, used in (("introspection_endpoint", self.introspects), ("jwks_uri", self.verifies)) if used
        ]
        urls = [url for url in map(self.endpoint, names) if url is not None]
        return tuple(dict.fromkeys(map(place_of, urls)))

    def _context(self) -> ssl.SSLContext:
        settings = self.settings
        ca_file = None if settings.ca_file is None else str(settings.ca_file)
        return tls_context(ca_file, settings.certificate_files, trust_env=settings.trust_env)
