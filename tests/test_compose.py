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
from urllib.parse import urlsplit

import pytest
import yaml

from resource_server import Settings
from tests.support.nginx import find_nginx

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SMOKE = ROOT / "scripts/compose-smoke"


def instructions(name: str) -> list[str]:
    """Return what the instructions of one name in the Dockerfile say, in order."""
    lines = DOCKERFILE.replace("\\\n", "").splitlines()
    return [rest for word, _, rest in (line.partition(" ") for line in lines) if word == name]


OURS = {name for name, service in SERVICES.items() if service["image"] == "resource-server"}


@pytest.mark.parametrize("name", SERVICES)
def test_hardened(name: str) -> None:
    """A container has no capability, gains none, writes to no file of its own, and is nobody."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode"} & set(service)
    assert service.get("user") == (None if name in OURS else "10001:10001")
    assert set(service.get("tmpfs", ())) <= {"/tmp"}  # noqa: S108 - in the container, and in memory


@pytest.mark.parametrize("name", SERVICES)
def test_files_are_given_to_read(name: str) -> None:
    """What a container sees of this machine is a folder of the examples, which it cannot change."""
    for volume in SERVICES[name].get("volumes", ()):
        folder, _, options = volume.partition(":")
        assert (ROOT / folder).is_relative_to(ROOT / "examples")
        assert (ROOT / folder).is_dir()
        assert options.endswith(":ro")


@pytest.mark.parametrize("name", SERVICES)
def test_loopback_only(name: str) -> None:
    """Whoever reaches the mock can mint any token: nothing is published beyond this machine."""
    hosts = [port.rsplit(":", 2)[0] for port in SERVICES[name].get("ports", ())]
    assert set(hosts) <= {"127.0.0.1"}


def test_published_ports_differ() -> None:
    """All profiles can be up together."""
    ports = [port.split(":")[1] for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(ports) == len(set(ports)) == 4


@pytest.mark.parametrize("name", SERVICES)
def test_healthcheck_needs_nothing_more(name: str) -> None:
    """Each service says whether it is well with what is in the image anyway."""
    healthcheck = SERVICES[name]["healthcheck"]
    programs = {"resource-server": {"mock-as", "python"}, "nginx:1.28": {"curl"}, "valkey/valkey:8.1": {"valkey-cli"}}
    assert healthcheck["test"][0] == "CMD"
    assert healthcheck["test"][1] in programs[SERVICES[name]["image"]]
    assert healthcheck["interval"] == "5s"


def test_profiles() -> None:
    """Without a profile there are the authorization server and its API, and each profile adds what it is about."""
    profiles = {name: service.get("profiles", []) for name, service in SERVICES.items()}
    assert {name for name, found in profiles.items() if not found} == {"mock-as", "api"}
    assert {name for name, found in profiles.items() if found == ["gateway"]} == {"gateway", "nginx", "orders"}
    assert {name for name, found in profiles.items() if found == ["fleet"]} == {"fleet", "valkey", "worker"}


def networks(name: str) -> set[str]:
    """Return the networks that a service has a place in."""
    return set(SERVICES[name].get("networks", ["default"]))


@pytest.mark.attack("A-FA-1", "A-FA-2")
def test_who_reaches_whom() -> None:
    """Only nginx reaches the application, and only nginx is where the gateway believes what it is told."""
    assert networks("orders") == {"orders"}
    assert {name for name in SERVICES if "orders" in networks(name)} == {"orders", "nginx"}
    assert networks("nginx") & networks("gateway") == {"questions"}
    assert {name for name in SERVICES if "questions" in networks(name)} == {"nginx", "gateway"}
    [trusted] = COMPOSE["networks"]["questions"]["ipam"]["config"]
    assert SERVICES["gateway"]["environment"]["RESOURCE_SERVER_TRUSTED_PROXIES"] == trusted["subnet"]
    assert all(COMPOSE["networks"][name]["internal"] for name in ("questions", "orders", "memory"))
    assert {name for name in SERVICES if "memory" in networks(name)} == {"valkey", "worker"}


def test_the_fleet() -> None:
    """Three workers share one store and one secret, and the application that they run is in the image."""
    worker = SERVICES["worker"]
    assert worker["deploy"] == {"replicas": 3}
    assert urlsplit(worker["environment"]["RESOURCE_SERVER_CACHE_URL"]).hostname == "valkey"
    assert len(worker["environment"]["RESOURCE_SERVER_CACHE_SECRET"].encode()) >= 32
    copied = " ".join(instructions("COPY"))
    for name in ("api", "worker"):
        module = SERVICES[name]["command"][1].partition(":")[0]
        [file] = (ROOT / "examples").rglob(f"{module}.py")
        assert str(file.relative_to(ROOT)) in copied


def test_order() -> None:
    """Who asks the authorization server starts when that answers, not when its process exists."""
    for name in ("api", "gateway", "worker"):
        assert SERVICES[name]["depends_on"]["mock-as"] == {"condition": "service_healthy"}


def test_addresses() -> None:
    """Everybody's issuer is the mock's to the letter, and people come in by the port that is published."""
    options = dict(word.removeprefix("--").partition("=")[::2] for word in SERVICES["mock-as"]["command"][2:])
    for name in ("api", "gateway", "worker"):
        assert SERVICES[name]["environment"]["RESOURCE_SERVER_ISSUER"] == options["issuer"]
    [published] = SERVICES["mock-as"]["ports"]
    assert options["front-url"] == f"http://localhost:{published.split(':')[1]}"


def help_of(*command: str) -> str:
    """Return what a command says about itself."""
    program = Path(sys.executable).with_name(command[0])
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    result = subprocess.run(
        [program, *command[1:], "--help"], env=environment, capture_output=True, text=True, check=True
    )
    return result.stdout


def test_options_exist() -> None:
    """Each command that a container runs has the options that it is given, and each setting is one."""
    words = re.findall(r'"([^"]+)"', instructions("CMD")[-1])
    for command in (SERVICES["mock-as"]["command"], words, SERVICES["gateway"]["command"]):
        options = {word.partition("=")[0] for word in command if word.startswith("--")}
        assert options <= set(re.findall(r"--[a-z-]+", help_of(*command[:2])))
    for name in ("api", "gateway", "worker"):
        names = {name.removeprefix("RESOURCE_SERVER_").lower() for name in SERVICES[name]["environment"]}
        assert names <= set(Settings.model_fields)


def test_configurations_are_whole(tmp_path: Path) -> None:
    """What each nginx of compose.yaml is started with is a configuration, but for hosts that only containers know."""
    program = find_nginx()
    if program is None:
        pytest.skip("nginx is not installed")
    for name in ("nginx", "orders", "fleet"):
        folder, _, _ = SERVICES[name]["volumes"][0].partition(":")
        copied = tmp_path / name
        shutil.copytree(ROOT / folder, copied)
        for file in copied.rglob("*.conf"):
            text = file.read_text(encoding="utf-8")
            file.write_text(re.sub(r"server (gateway|orders|worker):", "server 127.0.0.1:", text), encoding="utf-8")
        main = copied / Path(SERVICES[name]["entrypoint"][-1]).name
        result = subprocess.run(
            [program, "-t", "-e", "stderr", "-p", copied, "-c", main], capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr


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
