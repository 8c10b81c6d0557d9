"""What the page about the command line says of every command, from the functions that the commands are."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from inspect import Parameter, signature
from types import NoneType
from typing import Any, get_args, get_type_hints

from typer.models import ArgumentInfo, CommandInfo, OptionInfo

from resource_server.cli import build_app
from resource_server.cli.shared import EXTRAS

WIDTH = 112
_KINDS = {str: "text", int: "whole number", float: "number"}


def commands() -> str:
    """Describe every command: its arguments and options, their defaults and variables, and its exit statuses."""
    return "\n\n".join("\n\n".join(_command(command)) for command in build_app().registered_commands)


def _command(command: CommandInfo) -> Iterator[str]:
    run: Callable[..., Any] | None = command.callback
    if run is None:
        raise LookupError("a command without a function")
    name = command.name or run.__name__.replace("_", "-")
    found = list(_parameters(run))
    arguments = [_argument(parameter) for parameter, _, info in found if isinstance(info, ArgumentInfo)]
    yield f"### `resource-server {name}`"
    yield from map(_filled, inspect.cleandoc(run.__doc__ or "").split("\n\n"))
    yield f"```text\n{' '.join(['resource-server', name, '[OPTIONS]', *arguments])}\n```"
    yield "\n".join(["| | what it is | default |", "|---|---|---|", *(_row(*item) for item in found)])
    if command.epilog:
        yield _filled(command.epilog)
    if extras := EXTRAS.get(name):
        yield _filled(f"Needs more than the extra `cli`: `resource-server[{','.join(extras)}]`.")


def _parameters(run: Callable[..., Any]) -> Iterator[tuple[Parameter, Any, ArgumentInfo | OptionInfo]]:
    """Return each parameter, its type, and what typer reads of it."""
    hints = get_type_hints(run, include_extras=True)
    for name, parameter in signature(run).parameters.items():
        kind, info = get_args(hints[name])[:2]
        yield parameter, kind, info


def _argument(parameter: Parameter) -> str:
    name = parameter.name.upper()
    return name if parameter.default is Parameter.empty else f"[{name}]"


def _row(parameter: Parameter, kind: Any, info: ArgumentInfo | OptionInfo) -> str:  # noqa: ANN401 - any type
    if isinstance(info, ArgumentInfo):
        names = f"`{parameter.name.upper()}`"
    else:
        # In an annotation the first name stands where a default would.
        declared = [name for name in (info.default, *(info.param_decls or ())) if str(name).startswith("-")]
        names = ", ".join(f"`{name}`" for name in declared or [f"--{parameter.name.replace('_', '-')}"])
        names += _kind(kind, info)
    variables = [info.envvar] if isinstance(info.envvar, str) else info.envvar or []
    told = " ".join([info.help or "", *(f"Variable `{name}`." for name in variables)]).replace("|", "\\|")
    return f"| {names} | {told} | {_default(parameter.default)} |"


def _kind(kind: Any, info: OptionInfo) -> str:  # noqa: ANN401 - any type
    if kind is bool:
        return ""
    chosen = next((item for item in get_args(kind) if item is not NoneType), kind)
    several = re.match(r"(?:collections\.abc\.)?(?:list|Sequence)\[", str(chosen))
    plain = get_args(chosen)[0] if several else chosen
    bounds = [f"{word} {value}" for word, value in (("at least", info.min), ("at most", info.max)) if value is not None]
    return f" ({', '.join([_KINDS.get(plain, 'text'), *bounds, *(['may be repeated'] if several else [])])})"


def _default(value: Any) -> str:  # noqa: ANN401 - any value
    if value is Parameter.empty:
        return "required"
    return "" if value is None or value is False or value == "" else f"`{value}`"


def _filled(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), WIDTH, break_on_hyphens=False, break_long_words=False)
