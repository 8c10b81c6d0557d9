"""What a resource server offers that needs no waiting, the same for tasks and for threads.

``ResourceServer`` and ``BlockingResourceServer`` add the verbs that wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resource_server._core import Core
from resource_server._protocol.bearer import TokenMethods
from resource_server._protocol.metadata import Metadata
from resource_server._protocol.problem import ErrorResponse, render_error
from resource_server.errors import BearerTokenError, VerificationUnavailable

if TYPE_CHECKING:
    from resource_server.settings import Settings


class Facade:
    """The verbs that answer at once.

    Args:
        core: what judges.
    """

    def __init__(self, core: Core) -> None:
        """Keep the core."""
        self._core = core

    def __repr__(self) -> str:
        """Name the issuer; nothing secret."""
        return f"{type(self).__name__}(issuer={self.settings.issuer!r}, strategy={self.settings.strategy!r})"

    def render(
        self, error: BearerTokenError | VerificationUnavailable, *, accept: bytes = b"", forbid: bool | None = None
    ) -> ErrorResponse:
        """Make the response for a refusal: status, headers with the challenge, and body.

        Args:
            error: what was raised.
            accept: the request's ``Accept`` field value.
            forbid: answer 403 in place of 401; ``None`` where the route knows no such rule.
        """
        return render_error(error, self._core.error_style, accept=accept, forbid=forbid)

    @property
    def settings(self) -> Settings:
        """The options, as they are in force."""
        return self._core.settings

    @property
    def token_methods(self) -> TokenMethods:
        """Where a token may be in a request."""
        return self._core.token_methods

    @property
    def metadata(self) -> Metadata | None:
        """The authorization server's metadata, as far as it has been needed yet."""
        return self._core.state.metadata
