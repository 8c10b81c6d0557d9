"""What the commands share: the extras they need, their exit statuses, JSON for programs, and a sign of life.

The command line is the only part that speaks to typer and rich, which come with an extra. They are imported when a
command runs: before that, whoever lacks them is told what to install.
"""

import json
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

FINE, UNEXPECTED, NOT_BEGUN, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses: all is well; something is not as it should be; nothing could be begun; a Ctrl-C."""
EXTRAS: dict[str, dict[str, tuple[str, ...]]] = {
    "": {"cli": ("rich", "typer")},
    "demo": {"fastapi": ("fastapi",), "mock": ("authlib", "uvicorn")},
    "conformance": {"mock": ("authlib", "uvicorn")},
    "forward-auth": {"gateway": ("httptools", "prometheus_client", "uvicorn")},
}
"""What each command needs beyond the library, and what every one needs."""
_WIDE = 120
"""Columns where there is no terminal to ask."""


def need(command: str, name: str) -> None:
    """End the process where a command lacks an extra, and say which.

    Args:
        command: its key in :data:`EXTRAS`.
        name: what to call it.

    Raises:
        SystemExit: with 2.
    """
    missing = missing_extras(EXTRAS[command])
    if missing:
        remedy = f"pip install 'resource-server[{','.join(missing)}]'"
        sys.stderr.write(f"resource-server: {name} needs an extra that is not installed: {remedy}\n")
        raise SystemExit(NOT_BEGUN)


def missing_extras(extras: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names of the extras of which a module cannot be found.

    Args:
        extras: the modules that come with each.
    """
    return [name for name, modules in extras.items() if any(find_spec(module) is None for module in modules)]


def console(*, stderr: bool = False) -> "Console":
    """Return what draws: as wide as the terminal, and without colours where there is none.

    Args:
        stderr: draw to the standard error output.
    """
    from rich.console import Console  # noqa: PLC0415 - comes with an extra

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _WIDE, markup=False, highlight=False)


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can say
    """Print a document to the standard output, where nothing else is."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
    sys.stdout.flush()


@contextmanager
def busy(what: str) -> Generator[Callable[[str], None]]:
    """Show that something is under way, on the standard error output, where that is a terminal.

    Yields:
        What says something else from then on.
    """
    from rich.console import Console  # noqa: PLC0415 - comes with an extra

    with Console(stderr=True).status(what) as status:
        yield status.update
