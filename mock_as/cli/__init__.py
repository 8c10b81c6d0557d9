"""The command line.

``serve`` and ``check`` work here; every other command asks the server that ``MOCK_AS_URL`` names. Whatever is wrong
ends with a sentence and a status: 2 for a value that cannot be used, 1 for a server that says no or is not there.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from mock_as.cli import control, serving, tokens
from mock_as.cli.remote import RemoteError
from mock_as.cli.screen import REFUSED, USAGE, fail
from mock_as.errors import UsageError

__all__ = ["app", "main"]


class _Commands(TyperGroup):
    """Ends a command that cannot do what it was told with a sentence, never with a traceback."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - click's, wherever typer has it from
        """Run the command."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise fail(str(error), USAGE) from None
        except RemoteError as error:
            raise fail(str(error), REFUSED) from None


app = typer.Typer(
    name="mock-as",
    cls=_Commands,
    help="A mock OAuth 2.0 authorization server for the tests of resource servers. All commands but serve and check "
    "ask the server that MOCK_AS_URL names, http://127.0.0.1:9000 by default.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serving.serve)
app.command()(serving.check)
app.command()(tokens.token)
app.command()(tokens.revoke)
app.command()(tokens.expire)
app.command()(tokens.introspect)
# The name of a key may begin with a minus, and so may a move of the clock: neither is an option.
app.command(context_settings={"ignore_unknown_options": True})(control.keys)
app.command(context_settings={"ignore_unknown_options": True})(control.clock)
app.command()(control.fault)
app.command()(control.requests)
app.command()(control.reset)
app.command()(control.health)


def main() -> None:
    """Run the command line."""
    app()
