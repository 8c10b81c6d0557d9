"""The containers are as narrow as they say, wherever no engine is at hand to show it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from resource_server import Settings

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SMOKE = ROOT / "scripts/compose-smoke"


def instructions(name: str) -> list[str]:
    """Return what the instructions of one name in the Dockerfile say, in order."""
    lines = DOCKERFILE.replace("\\\n", "").splitlines()
    return [rest for word, _, rest in (line.partition(" ") for line in lines) if word == name]


@pytest.mark.parametrize("name", SERVICES)
def test_hardened(name: str) -> None:
    """A container has no capability, gains none, and writes to no file of its own."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "volumes", "network_mode", "user"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_loopback_only(name: str) -> None:
    """Whoever reaches the mock can mint any token: nothing is published beyond this machine."""
    assert [port.rsplit(":", 2)[0] for port in SERVICES[name]["ports"]] == ["127.0.0.1"]


@pytest.mark.parametrize("name", SERVICES)
def test_healthcheck_needs_nothing_more(name: str) -> None:
    """Each service says whether it is well with what is in the image anyway."""
    program = SERVICES[name]["healthcheck"]["test"][:2]
    assert program in (["CMD", "mock-as"], ["CMD", "python"])


def test_order() -> None:
    """The API starts when the authorization server answers, not when its process exists."""
    assert SERVICES["api"]["depends_on"] == {"mock-as": {"condition": "service_healthy"}}


def test_addresses() -> None:
    """The API's issuer is the mock's to the letter, and people come in by the port that is published."""
    options = dict(word.removeprefix("--").partition("=")[::2] for word in SERVICES["mock-as"]["command"][2:])
    assert SERVICES["api"]["environment"]["RESOURCE_SERVER_ISSUER"] == options["issuer"]
    [published] = SERVICES["mock-as"]["ports"]
    assert options["front-url"] == f"http://localhost:{published.split(':')[1]}"


def test_options_exist() -> None:
    """Each command that a container runs has the options that it is given, and each setting is one."""
    helped = subprocess.run(
        [Path(sys.executable).with_name("mock-as"), "serve", "--help"],
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    command = [*SERVICES["mock-as"]["command"], *re.findall(r'"(--[a-z-]+)"', instructions("CMD")[-1])]
    options = {word.partition("=")[0] for word in command if word.startswith("--")}
    assert options <= set(re.findall(r"--[a-z-]+", helped))
    names = {name.removeprefix("RESOURCE_SERVER_").lower() for name in SERVICES["api"]["environment"]}
    assert names <= set(Settings.model_fields)


def test_image() -> None:
    """The image is built apart from what it runs, by a user who owns nothing, of one base."""
    bases = [base.split()[0] for base in instructions("FROM")]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert instructions("USER") == ["10001:10001"]
    assert instructions("HEALTHCHECK")[0].endswith('CMD ["mock-as", "health"]')
    assert "--require-hashes" in shlex.split(instructions("RUN")[1])


def test_context() -> None:
    """What is copied into the build is named file by file: no secret of a working copy can be among it."""
    everything, *kept = [
        line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] not in {"#", ""}
    ]
    assert everything == "*"
    assert all(line == "**/__pycache__/" or (ROOT / line.removeprefix("!")).exists() for line in kept)


def test_smoke_skips(tmp_path: Path) -> None:
    """Where no engine answers and none can be made the script ends well, and says why."""
    for name, text in {"docker": "exit 1", "id": "echo 1000"}.items():
        stub = tmp_path / name
        stub.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        stub.chmod(0o755)
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    path = f"{tmp_path}:{os.environ['PATH']}"
    result = subprocess.run([SMOKE], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True)
    assert result.stdout == "compose-smoke skipped: no engine answers, and making one needs root\n"
