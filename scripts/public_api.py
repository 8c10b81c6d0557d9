"""Write down the public face of every module: names, signatures, fields, bases. A change of it is seen in a review.

    python -m scripts.public_api             write tests/public_api.txt
    python -m scripts.public_api --check     say how it differs, and end with 1 where it does

Django's modules are imported with the settings of the tests.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

SNAPSHOT = Path(__file__).parents[1] / "tests" / "public_api.txt"
MODULES = (
    "mock_as",
    "mock_as.pytest_plugin",
    "resource_server",
    "resource_server.asgi",
    "resource_server.authlib",
    "resource_server.blocking",
    "resource_server.django",
    "resource_server.downstream",
    "resource_server.drf",
    "resource_server.errors",
    "resource_server.events",
    "resource_server.fastapi",
    "resource_server.flask",
    "resource_server.forward_auth",
    "resource_server.health",
    "resource_server.hosts",
    "resource_server.lease",
    "resource_server.mcp",
    "resource_server.opentelemetry",
    "resource_server.principal",
    "resource_server.prometheus",
    "resource_server.receiver",
    "resource_server.requirements",
    "resource_server.server",
    "resource_server.settings",
    "resource_server.statistics",
    "resource_server.testing",
    "resource_server.wsgi",
)
_MEMORY = re.compile(r" at 0x[0-9a-f]+")


def draw() -> str:
    """Return the public face of all modules, a line for each thing."""
    return "\n".join(line for name in MODULES for line in _module(import_module(name)))


def _module(module: ModuleType) -> Iterator[str]:
    yield f"# {module.__name__}"
    for name in sorted(_names(module)):
        yield from _thing(name, getattr(module, name))
    yield ""


def _names(module: ModuleType) -> list[str]:
    """Return what a module names as public, else what is defined in it and has no underscore in front."""
    said: list[str] | None = getattr(module, "__all__", None)
    if said is not None:
        return list(said)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def _thing(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever a module has
    if inspect.isclass(value):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        yield f"class {name}({bases}){_signature(value)}"
        for member in sorted(vars(value)):
            if not member.startswith("_"):
                yield from (f"    {line}" for line in _member(member, inspect.getattr_static(value, member)))
    elif inspect.isroutine(value):
        yield f"{_def(value)} {name}{_signature(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def _member(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    if isinstance(value, property):
        yield f"property {name}{_returns(value.fget)}"
    elif isinstance(value, classmethod | staticmethod):
        yield f"{type(value).__name__} {name}{_signature(value.__func__)}"
    elif inspect.isroutine(value):
        yield f"{_def(value)} {name}{_signature(value)}"
    elif not dataclasses.is_dataclass(value):
        yield f"{name}"


def _def(value: Any) -> str:  # noqa: ANN401 - as above
    return "async def" if inspect.iscoroutinefunction(value) else "def"


def _signature(value: Any) -> str:  # noqa: ANN401 - as above
    try:
        return _MEMORY.sub("", str(inspect.signature(value)))
    except (TypeError, ValueError):
        return "(...)"


def _returns(getter: Any) -> str:  # noqa: ANN401 - as above
    return f" -> {getter.__annotations__.get('return', '?')}"


def main(arguments: list[str]) -> int:
    """Write the snapshot, or compare it; return the exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.django_project")
    drawn = draw() + "\n"
    if "--check" not in arguments:
        SNAPSHOT.write_text(drawn, encoding="utf-8")
        return 0
    known = SNAPSHOT.read_text(encoding="utf-8")
    sys.stdout.writelines(difflib.unified_diff(known.splitlines(keepends=True), drawn.splitlines(keepends=True)))
    return int(drawn != known)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
