"""``resource-server inspect``: what a token says, who vouches for it, and what a caller with it would get."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from resource_server._protocol.plain import plain
from resource_server._protocol.sample import Sample
from resource_server.cli.given import Unreadable, clean_token, named_files, read_token
from resource_server.cli.shared import FINE, INTERRUPTED, NOT_BEGUN, UNEXPECTED, busy, console, print_json
from resource_server.errors import ConfigurationError
from resource_server.requirements import Requirement, all_of, any_of

if TYPE_CHECKING:
    from typer import Typer

_EPILOG = (
    "Exit status: 0 the token would be accepted (or nobody was asked); 1 it would be refused; 2 nothing could be "
    "begun; 130 a Ctrl-C."
)
_NARROW = 80
"""Columns where there is no terminal: what is mailed and pasted should not be wider."""
_INDENT = 16
_LONGEST = 400
"""Characters that are shown of one value."""
_SEEN_BY_ALL = (
    "resource-server inspect: a token in the arguments is seen by everybody on this machine, and kept in the "
    "history of the shell: give it by --token-file, or - for the standard input\n"
)
_STYLES = {"passed": "green", "refused": "bold red", "unanswered": "yellow"}


def add(app: "Typer") -> None:
    """Make the command known."""
    import typer  # noqa: PLC0415 - comes with an extra

    @app.command(epilog=_EPILOG)
    def inspect(  # noqa: PLR0913 - each is an option
        token: Annotated[str, typer.Argument(help="The access token; - for the standard input.")] = "",
        *,
        token_file: Annotated[str, typer.Option(help="A file with it; - for the standard input.")] = "",
        scope: Annotated[list[str] | None, typer.Option(help="A scope the route demands; may be repeated.")] = None,
        any_scope: Annotated[
            list[str] | None, typer.Option(help="One of these scopes is enough; may be repeated.")
        ] = None,
        audience: Annotated[str, typer.Option(help="An audience the route demands besides the server's own.")] = "",
        acr: Annotated[
            list[str] | None, typer.Option(help="An authentication context class that is enough; may be repeated.")
        ] = None,
        max_age: Annotated[
            int, typer.Option(help="Seconds since the user's authentication, at most; -1 for any.", min=-1)
        ] = -1,
        strategy: Annotated[str, typer.Option(help="Judge under another strategy than the service's.")] = "",
        offline: Annotated[bool, typer.Option("--offline", help="Ask nobody: read the token, and no more.")] = False,
        env_file: Annotated[str, typer.Option(help="A file of RESOURCE_SERVER_* lines.")] = ".env",
        secrets_dir: Annotated[str, typer.Option(help="A folder with one file for each secret option.")] = "",
        toml_file: Annotated[str, typer.Option(help="A TOML file with options.")] = "",
        as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
    ) -> None:
        """Read a token, ask what the service would ask, and tell the decision rung by rung.

        The options of the service are read as it reads them: from RESOURCE_SERVER_* and from the files that are named.
        """
        files = {"env_file": env_file, "secrets_dir": secrets_dir, "toml_file": toml_file}
        try:
            named = named_files(files)
            given = _given(token, token_file)
            requirement = Requirement.of(
                all_of(*scope or ()),
                *([any_of(*any_scope)] if any_scope else []),
                audience=audience or None,
                acr_values=acr or (),
                max_age=None if max_age < 0 else max_age,
            )
        except (Unreadable, ConfigurationError) as error:
            sys.stderr.write(f"resource-server inspect: {error}\n")
            raise typer.Exit(NOT_BEGUN) from None
        options = {"strategy": strategy} if strategy else {}
        raise typer.Exit(run_inspect(given, requirement, named, options, offline=offline, as_json=as_json))


def run_inspect(  # noqa: PLR0913 - each by name
    sample: Sample,
    requirement: Requirement,
    files: Mapping[str, Path],
    options: dict[str, str],
    *,
    offline: bool,
    as_json: bool,
) -> int:
    """Inspect a token, and show what was found.

    Args:
        sample: the access token.
        requirement: what the route demands that it is for.
        files: where options are read from, by the keywords of ``Settings.from_env``.
        options: options that win over them.
        offline: ask nobody.
        as_json: print JSON in place of text.

    Returns:
        The exit status: 1 where the token would be refused.
    """
    from resource_server._inspect.investigate import inspect_token  # noqa: PLC0415 - httpx, for this command only
    from resource_server.settings import Settings  # noqa: PLC0415 - pydantic, as above

    given: dict[str, Any] = {**files, **options}
    read_settings = partial(Settings.from_env, **given)
    try:
        with busy("Reading the token" if offline else "Asking about the token"):
            found = asyncio.run(inspect_token(sample, read_settings, requirement, offline=offline))
    except ConfigurationError as error:
        sys.stderr.write(f"resource-server inspect: {error} (--offline reads the token without asking anybody)\n")
        return NOT_BEGUN
    except KeyboardInterrupt:
        return INTERRUPTED
    if as_json:
        print_json(found)
    else:
        _show(found)
    decision = found["decision"]
    return FINE if decision is None or (decision["error"] is None and decision["reason"] is None) else UNEXPECTED


def _given(token: str, token_file: str) -> Sample:
    if token and token_file:
        raise Unreadable("give one token: as an argument, or by --token-file")
    if token and token != "-":  # noqa: S105 - stands for the standard input
        sys.stderr.write(_SEEN_BY_ALL)
        return clean_token(os.fsencode(token))
    found = read_token(token_file or token)
    if found is None:
        raise Unreadable("there is no token: give one by --token-file, or - for the standard input")
    return found


def _show(found: Mapping[str, Any]) -> None:
    from rich.text import Text  # noqa: PLC0415 - comes with an extra

    out = console()
    width = out.width if out.is_terminal else _NARROW
    for name, text, style in _lines(found):
        out.print(Text.assemble((f"{name:<{_INDENT}}", "bold"), (_fold(text, width), style)))


def _lines(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Write each line: its name, its text, and a style."""
    token, signature, introspection = found["token"], found["signature"], found["introspection"]
    yield "token", f"{token['says']} ({token['length']} bytes)", ""
    yield from _members("header", token["header"], {})
    yield from _members("claims", token["claims"], token["times"])
    if signature is not None:
        yield "signature", f"{signature['verdict']}: {signature['says']}", ""
    if introspection is not None:
        status = "" if introspection["status"] is None else f"{introspection['status']}, "
        yield "introspection", f"{status}{introspection['says']}", ""
        yield from _members("", introspection["answer"], introspection["times"])
    for rung in found["ladder"]:
        yield rung["rung"], f"{rung['outcome']}: {rung['says']}", _STYLES.get(rung["outcome"], "dim")
    if found["note"] is not None:
        yield "note", found["note"], "yellow"
    if found["decision"] is not None:
        yield from _decision(found["decision"])


def _decision(decision: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if decision["reason"] is None and decision["error"] is None:
        yield "decision", f"accepted, {decision['assurance']}", "bold green"
        return
    yield "decision", f"refused with {decision['status']}: {decision['reason'] or decision['error']}", "bold red"
    if decision["challenge"] is not None:
        yield "challenge", decision["challenge"], ""


def _members(name: str, members: Mapping[str, Any] | None, times: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Write each member on a line of its own: as JSON, so that nothing in it can move the cursor."""
    for number, (key, value) in enumerate((members or {}).items()):
        written = plain(json.dumps(value), _LONGEST)
        told = f"   {times[key]}" if key in times else ""
        yield "" if number else name, f"{plain(json.dumps(key)[1:-1])}: {written}{told}", ""


def _fold(text: str, width: int) -> str:
    from textwrap import wrap  # noqa: PLC0415 - for who draws

    lines = wrap(text, max(width - _INDENT, _INDENT), break_on_hyphens=False) or [""]
    return f"\n{' ' * _INDENT}".join(lines)
