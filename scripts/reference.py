"""Write what the documentation says of every option, public name and module, from the sources that define them.

    python -m scripts.reference             bring the pages up to date
    python -m scripts.reference --check     say which of them are not, and end with 1 where one is not

Each page is written by hand but for one part, between two comments that name it; only that part is replaced. The
drawing of the modules and the description of the mock's HTTP API are written as a whole.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mock_as.faults import FAMILIES, Action
from mock_as.journal import ENDPOINTS
from mock_as.profiles import PROFILES
from resource_server._sources import ENV_PREFIX
from resource_server.settings import Settings
from scripts import architecture, openapi
from scripts.cli_reference import commands
from scripts.public_names import MOCK_NAMES, NAMES
from scripts.suite_clauses import clauses

SOURCES = Path(__file__).parents[1]
ROOT = SOURCES
"""Where the pages are."""
WIDTH = 112
_ROLE = re.compile(r":\w+:`~?(?:\w+\.)*(?=\w+`)")

OPTIONS: dict[str, tuple[str, ...]] = {
    "The authorization server": (
        "issuer", "authorization_servers", "introspection_endpoint", "jwks_uri", "token_endpoint", "token_prefix",
    ),
    "Who we are to it": (
        "client_id", "client_secret", "client_auth_method", "client_key", "client_assertion_audience",
        "client_certificate_file", "client_certificate_key_file", "bearer_token", "bearer_token_file",
    ),
    "What makes a token good": (
        "audience", "require_audience", "strategy", "jwt_profile", "algorithms", "scope_claims", "leeway",
        "cross_check",
    ),
    "What is signed and encrypted for us": (
        "signed_introspection", "encrypted_tokens", "decryption_key", "decryption_algorithms",
        "content_encryption_algorithms",
    ),
    "Tokens bound to a key or a certificate": (
        "dpop", "external_url", "dpop_algorithms", "dpop_window", "dpop_nonce", "dpop_secret", "dpop_replay",
        "dpop_replay_size", "mtls", "certificate_header", "trusted_proxies", "sender_constrained",
    ),
    "Scopes": ("scope_strategy", "implied_scopes"),
    "What is remembered": (
        "cache_ttl", "negative_cache_ttl", "cache_size", "negative_cache_size", "revocation_memory",
    ),
    "What all workers share": ("cache_url", "cache_secret", "cache_timeout"),
    "Outages": (
        "timeout", "retries", "unavailable_status", "stale_if_error", "fallback_max_age",
        "fallback_on_configuration_fault",
    ),
    "Floods": (
        "max_concurrent_calls", "token_format", "token_pattern", "rate_limit", "rate_limit_burst",
        "rate_limited_status",
    ),
    "Where a token may stand": ("max_token_length", "query_token", "form_token"),
    "What we say of ourselves": (
        "resource", "resource_name", "resource_documentation", "resource_policy_uri", "resource_tos_uri",
        "scopes_supported", "metadata_key",
    ),
    "How a refusal looks": ("realm", "error_format", "verbose_errors"),
    "Connections": ("allow_insecure_http", "ca_file", "trust_env"),
}  # fmt: skip
"""Every option, by what it is about."""


# ------------------------------------------------------------------------------------------------------------- options


_FORMATS = {"password": "secret text", "path": "path of a file"}
_TYPES = {
    "array": "list of texts",
    "boolean": "`true` or `false`",
    "integer": "whole number",
    "number": "number",
    "object": "a list of texts for each name",
    "string": "text",
}


def options() -> str:
    """Describe every option.

    Raises:
        LookupError: an option has no place in :data:`OPTIONS`, or stands there and does not exist.
    """
    placed = [name for names in OPTIONS.values() for name in names]
    if sorted(placed) != sorted(Settings.model_fields):
        raise LookupError(f"misplaced: {sorted(set(placed) ^ set(Settings.model_fields))}")
    members: dict[str, dict[str, Any]] = Settings.model_json_schema()["properties"]
    parts: list[str] = []
    for title, names in OPTIONS.items():
        parts.append(f"## {title}")
        parts += [_option(name, members[name]) for name in names]
    return "\n\n".join(parts)


def _option(name: str, member: dict[str, Any]) -> str:
    value = f"{_kind(member)}; {_default(name, member)}."
    return (
        f"### `{name}`\n\n{textwrap.fill(member['description'], WIDTH)}\n\n"
        f"- Environment variable: `{ENV_PREFIX}{name.upper()}`\n"
        + textwrap.fill(f"- Value: {value}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    )


def _kind(member: dict[str, Any]) -> str:
    if "type" not in member and "anyOf" not in member:
        return "a list of tables, or a function"
    [chosen] = [kind for kind in member.get("anyOf", [member]) if kind["type"] != "null"]
    if "enum" in chosen:
        return " or ".join(f"`{value}`" for value in chosen["enum"])
    return (_FORMATS.get(chosen.get("format", "")) or _TYPES[chosen["type"]]) + _bounds(chosen)


def _bounds(member: dict[str, Any]) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}
    return "".join(f", {word} {member[bound]}" for bound, word in words.items() if bound in member)


def _default(name: str, member: dict[str, Any]) -> str:
    if name == "issuer":
        return "required, unless there are `authorization_servers`"
    default = member["default"]
    if default in (None, [], {}):
        return "no default"
    shown = [default] if not isinstance(default, list) else default
    return "default " + ", ".join(f"`{item if isinstance(item, str) else json.dumps(item)}`" for item in shown)


# --------------------------------------------------------------------------------------------------------------- names


def names(groups: Mapping[str, Mapping[str, tuple[str, ...]]]) -> str:
    """Describe public names, with their signatures as they stand in the source.

    Args:
        groups: the names, by what they are about and by the module that defines them.
    """
    parts: list[str] = []
    for title, modules in groups.items():
        parts.append(f"## {title}")
        for module, wanted in modules.items():
            defined = _definitions(module)
            parts += [f"### `{name}`\n\n```text\n{_describe(*defined[name])}\n```" for name in wanted]
    return "\n\n".join(parts)


def _definitions(module: str) -> dict[str, tuple[ast.stmt, str]]:
    """Return what a module defines, each with the text that documents it."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise LookupError(f"{module} has no source")
    return _documented(ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body)


def _documented(body: list[ast.stmt]) -> dict[str, tuple[ast.stmt, str]]:
    found: dict[str, tuple[ast.stmt, str]] = {}
    for node, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = node, _summary(ast.get_docstring(node) or "")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            found[ast.unparse(target)] = node, _summary(_literal(following))
    return found


def _literal(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return ""


def _summary(docstring: str) -> str:
    """Take the first paragraph of a docstring, as plain text."""
    paragraph = " ".join(docstring.strip().partition("\n\n")[0].split())
    return _ROLE.sub("`", paragraph.replace("``", "`"))


def _describe(node: ast.stmt, summary: str) -> str:
    if isinstance(node, ast.ClassDef):
        return "\n".join(_class(node, summary))
    return _entry(_heading(node), summary)


def _class(node: ast.ClassDef, summary: str) -> Iterator[str]:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    yield _entry([f"class {node.name}{f'({bases})' if bases else ''}"], summary)
    for name, (member, text) in _documented(node.body).items():
        if name == "__init__":
            yield textwrap.indent(_entry(_call(node.name, member), ""), "    ")
        elif not name.startswith("_") and not (node.name == "Settings" and name not in ("build", "from_env")):
            yield textwrap.indent(_entry(_heading(member), text), "    ")


def _heading(node: ast.stmt) -> list[str]:
    """Write what is defined, as pieces between which a line may end."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        decorators = {ast.unparse(item) for item in node.decorator_list}
        if decorators & {"property", "cached_property"}:
            return [f"{node.name}: {ast.unparse(node.returns) if node.returns else 'Any'}"]
        prefixes = {"classmethod ": "classmethod" in decorators, "async ": isinstance(node, ast.AsyncFunctionDef)}
        return _call("".join(prefix for prefix, holds in prefixes.items() if holds) + node.name, node)
    if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "field":
        node.value = next((option.value for option in node.value.keywords if option.arg == "default"), None)
    text = ast.unparse(node)
    return [text] if len(text) <= WIDTH else re.split(r"(?<= \|) ", text)


def _call(name: str, node: ast.stmt) -> list[str]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        raise TypeError(f"line {node.lineno} is no function")
    parameters = list(_parameters(node.args))
    result = "" if node.returns is None or node.name == "__init__" else f" -> {ast.unparse(node.returns)}"
    return [f"{name}(", *(f"{item}, " for item in parameters[:-1]), *parameters[-1:], f"){result}"]


def _parameters(arguments: ast.arguments) -> Iterator[str]:
    positional = list(zip(arguments.args, _defaults(arguments), strict=True))
    yield from (_parameter(item, default) for item, default in positional if item.arg not in ("self", "cls"))
    if arguments.vararg is not None:
        yield "*" + _parameter(arguments.vararg, None)
    elif arguments.kwonlyargs:
        yield "*"
    for item, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _parameter(item, default)
    if arguments.kwarg is not None:
        yield "**" + _parameter(arguments.kwarg, None)


def _defaults(arguments: ast.arguments) -> list[ast.expr | None]:
    return [None] * (len(arguments.args) - len(arguments.defaults)) + list(arguments.defaults)


def _parameter(item: ast.arg, default: ast.expr | None) -> str:
    annotated = item.arg if item.annotation is None else f"{item.arg}: {ast.unparse(item.annotation)}"
    return annotated if default is None else f"{annotated} = {ast.unparse(default)}"


def _entry(heading: list[str], summary: str) -> str:
    """Write a heading, on one line where it fits and else with a line for each piece, and what it is about."""
    line = "".join(heading)
    if len(line) > WIDTH - 8 and len(heading) > 1:
        line = "\n".join([heading[0], *(f"    {piece.rstrip()}" for piece in heading[1:-1]), heading[-1]])
    lines = textwrap.wrap(summary, WIDTH - 8, initial_indent="    ", subsequent_indent="    ")
    return "\n".join([line, *lines])


# ------------------------------------------------------------------------------------------------------------- modules

PACKAGES = ("resource_server", "mock_as")


def modules() -> str:
    """Describe every module of both packages in the first words of its own docstring."""
    return "\n\n".join(f'```text title="{package}"\n{_map(SOURCES / package)}\n```' for package in PACKAGES)


def _map(folder: Path) -> str:
    files = sorted(folder.rglob("*.py"), key=lambda path: (path.parent, path.name))
    paths = [path.relative_to(folder).as_posix() for path in files]
    summaries = [_summary(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "") for path in files]
    return "\n".join(_module(path, summary) for path, summary in zip(paths, summaries, strict=True))


def _module(path: str, summary: str) -> str:
    return textwrap.fill(f"{path:<30} {summary}", 120, subsequent_indent=" " * 31, break_on_hyphens=False)


# -------------------------------------------------------------------------------------------------------------- routes


def routes() -> str:
    """Describe every route of the mock's control plane, by what it is about."""
    from mock_as.control import create_control_app  # noqa: PLC0415 - FastAPI is slow to load, and one page needs it

    document = create_control_app().openapi()
    rows: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            rows.setdefault(operation["tags"][0], []).append(_route(f"{method.upper()} {path}", operation, document))
    head = "| request | takes | does |\n|---|---|---|\n"
    return "\n\n".join(f"### {concern.capitalize()}\n\n{head}" + "\n".join(found) for concern, found in rows.items())


def _route(request: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    members = [item["name"] for item in operation.get("parameters", []) if item["in"] == "query"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    for schema in body.get("anyOf", [body]):
        name = schema.get("$ref", "").rpartition("/")[2]
        members += document["components"]["schemas"].get(name, {}).get("properties", {})
    takes = ", ".join(f"`{name}`" for name in members)
    return f"| `{request}` | {takes} | {_summary(operation['description'])} |"


# -------------------------------------------------------------------------------------------------------------- faults


def faults() -> str:
    """Describe every profile and every way in which the mock can misbehave."""
    profiles = "\n".join(f"| `{profile.name}` | {profile.description} |" for profile in PROFILES.values())
    parts = [f"### Profiles of real servers\n\n| profile | what it does |\n|---|---|\n{profiles}"]
    head = "| action | endpoints | argument | what happens |\n|---|---|---|---|\n"
    for family, actions in FAMILIES.items():
        rows = "\n".join(_action(name, action) for name, action in actions.items())
        parts.append(f"### {family}\n\n{head}{rows}")
    return "\n\n".join(parts)


def _action(name: str, action: Action) -> str:
    places = "any" if action.endpoints == ENDPOINTS else ", ".join(f"`{name}`" for name in sorted(action.endpoints))
    argument = ""
    if action.argument is not None:
        default = f", `{action.argument.default}` if left out" if action.argument.default else ""
        argument = f"{action.argument.name}{default}"
    return f"| `{name}` | {places} | {argument} | {action.description} |"


# --------------------------------------------------------------------------------------------------------------- pages

GENERATED: dict[str, tuple[str, Callable[[], str]]] = {
    "docs/configuration.md": ("options", options),
    "docs/cli.md": ("commands", commands),
    "docs/admin-api.md": ("routes", routes),
    "docs/fault-catalogue.md": ("faults", faults),
    "docs/api.md": ("names", partial(names, NAMES)),
    "docs/mock-api.md": ("names", partial(names, MOCK_NAMES)),
    "CONTRIBUTING.md": ("modules", modules),
    "docs/conformance-suite.md": ("clauses", clauses),
}
"""The name of the part of each page that is written, and what writes it."""
WHOLE: dict[str, Callable[[], str]] = {
    architecture.DRAWING: architecture.drawing,
    openapi.DOCUMENT: openapi.described,
}
"""What is written from the first line to the last."""


def renewed(page: str) -> str:
    """Return a file as it should be.

    Args:
        page: its path in the repository.

    Raises:
        ValueError: the page lacks one of the two comments.
    """
    if page in WHOLE:
        return WHOLE[page]()
    part, write = GENERATED[page]
    begin, end = f"<!-- {part}: written by scripts/reference.py -->\n", f"<!-- end of {part} -->"
    head, opened, rest = (ROOT / page).read_text(encoding="utf-8").partition(begin)
    _, closed, tail = rest.partition(end)
    if not (opened and closed):
        raise ValueError(f"{page} needs {begin.strip()!r} and {end!r}")
    return f"{head}{begin}\n{write()}\n\n{end}{tail}"


def main(*arguments: str) -> int:
    """Write the files, or only compare them; return 1 where one was to be compared and differs."""
    new = {page: renewed(page) for page in (*GENERATED, *WHOLE)}
    stale = [
        page for page, text in new.items() if not (ROOT / page).is_file() or (ROOT / page).read_text("utf-8") != text
    ]
    for page in stale:
        if "--check" not in arguments:
            (ROOT / page).write_text(new[page], encoding="utf-8")
        print(f"{page} {'is not up to date' if '--check' in arguments else 'is written'}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
