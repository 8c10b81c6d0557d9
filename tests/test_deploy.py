"""The manifests are what a cluster takes, to the letter of its schema, and mean what the gateway understands."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from typer.testing import CliRunner

from resource_server import ResourceServer, Settings
from resource_server._gateway.identity import NAMES
from resource_server._gateway.policy import read_policy
from resource_server._gateway.words import read_query
from resource_server.cli import build_app

FOLDER = Path(__file__).parents[1] / "deploy/kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
VERSIONS = ["1.31", "1.35", "1.37"]
VALIDATE: Any = import_module("kubernetes_validate").validate  # it has no types
ANNOTATION = "nginx.ingress.kubernetes.io"


@cache
def manifests() -> list[dict[str, Any]]:
    """Read all of them."""
    return [found for file in FILES for found in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def of_kind(kind: str) -> Iterator[dict[str, Any]]:
    """Find those of a kind."""
    return (manifest for manifest in manifests() if manifest["kind"] == kind)


def only(kind: str) -> dict[str, Any]:
    """Find the one of a kind."""
    [found] = of_kind(kind)
    return found


def container() -> dict[str, Any]:
    """Find the gateway's container."""
    found: list[dict[str, Any]] = only("Deployment")["spec"]["template"]["spec"]["containers"]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_cluster_takes_them(version: str) -> None:
    """Each manifest is valid by the schema of the oldest and the newest release, with no member that it ignores."""
    assert len(manifests()) == 10
    for manifest in manifests():
        VALIDATE(manifest, version, strict=True)


def test_the_pod_may_do_nothing() -> None:
    """The gateway runs as nobody, writes nothing, gains nothing, and has no access to the cluster."""
    pod = only("Deployment")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_what_belongs_together_finds_each_other() -> None:
    """Selectors, ports, secrets and the policy file are named alike in all places."""
    deployment, labels = only("Deployment"), only("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert only("Service")["spec"]["selector"] == labels
    assert only("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    policies = [found for found in of_kind("NetworkPolicy") if found["spec"]["podSelector"]["matchLabels"] == labels]
    assert len(policies) == 1
    [port] = container()["ports"]
    assert f"--port={port['containerPort']}" in container()["command"]
    ports = [probe["httpGet"]["port"] for name, probe in container().items() if name.endswith("Probe")]
    assert {*ports, only("Service")["spec"]["ports"][0]["targetPort"]} == {port["name"]}
    maps = {found["metadata"]["name"]: found["data"] for found in of_kind("ConfigMap")}
    [volume] = deployment["spec"]["template"]["spec"]["volumes"]
    [mount] = container()["volumeMounts"]
    path = maps["resource-server"]["RESOURCE_SERVER_FORWARD_AUTH_POLICY"]
    assert path in {f"{mount['mountPath']}/{name}" for name in maps[volume["configMap"]["name"]]}
    assert only("Deployment")["spec"]["replicas"] > only("PodDisruptionBudget")["spec"]["minAvailable"]


def test_probes() -> None:
    """A gateway that cannot judge tokens gets no requests, and is not killed for it."""
    assert container()["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container()["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container()["startupProbe"]["httpGet"]["path"] == "/healthz"


def environment() -> dict[str, str]:
    """Collect what the gateway is told, with a secret in the place of each that is only named."""
    told: dict[str, str] = next(
        found["data"] for found in of_kind("ConfigMap") if found["metadata"]["name"] == "resource-server"
    )
    secrets = {variable["name"]: "a-secret-of-thirty-two-bytes-or-more" for variable in container()["env"]}
    return told | secrets


def test_the_gateway_understands_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable is an option of the resource server or of the gateway, and they are good together."""
    own = "RESOURCE_SERVER_FORWARD_AUTH_"
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
        assert name.startswith(own) or name.removeprefix("RESOURCE_SERVER_").lower() in Settings.model_fields
    settings = ResourceServer.from_env().settings
    assert settings.client_secret is not None
    assert all(ip_network(proxy).is_private for proxy in settings.trusted_proxies)
    helped = CliRunner(env={"COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"}).invoke(
        build_app(), ["forward-auth", "--help"]
    )
    options = {word.partition("=")[0] for word in container()["command"] if word.startswith("--")}
    assert {name for name in options if name not in helped.output} == set()
    assert {name for name in environment() if name.startswith(own) and name not in helped.output} == set()


def test_no_secret_is_in_a_manifest() -> None:
    """Secrets are made on the command line, and named here."""
    assert list(of_kind("Secret")) == []
    names = {variable["valueFrom"]["secretKeyRef"]["name"] for variable in container()["env"]}
    assert names == {"resource-server"}


def test_the_policy_file(tmp_path: Path) -> None:
    """The policy in the ConfigMap is one that the gateway takes."""
    [text] = [found["data"]["policy.toml"] for found in of_kind("ConfigMap") if "policy.toml" in found["data"]]
    assert tomllib.loads(text)
    file = tmp_path / "policy.toml"
    file.write_text(text, encoding="utf-8")
    demanded = read_policy(file).demand("GET", b"/admin/orders", "api.example.com")
    assert demanded is not None
    assert demanded.hide is True


def test_the_question_of_each_ingress() -> None:
    """Each Ingress asks the gateway's Service, and what it demands can be understood."""
    service = only("Service")
    found = list(of_kind("Ingress"))
    assert len(found) == 2
    for ingress in found:
        url = urlsplit(ingress["metadata"]["annotations"][f"{ANNOTATION}/auth-url"])
        host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local"
        assert (url.scheme, url.hostname, url.port) == ("http", host, service["spec"]["ports"][0]["port"])
        assert url.path == "/auth/nginx"
        assert read_query(url.query.encode()).scopes.alternatives != ((),)


@pytest.mark.attack("A-FA-1")
def test_each_ingress_overwrites_every_identity() -> None:
    """Each field that tells who is calling comes from the gateway, so that no client's own copy survives."""
    for ingress in of_kind("Ingress"):
        annotations = ingress["metadata"]["annotations"]
        passed = set(annotations[f"{ANNOTATION}/auth-response-headers"].split(","))
        assert passed == {"Authorization", *(f"X-Auth-{name.title()}" for name in NAMES)}


def test_no_ingress_weakens_a_refusal() -> None:
    """No annotation is used that keeps answers for others, drops the challenge, or sends people somewhere else."""
    named = {name.partition("/")[2] for ingress in of_kind("Ingress") for name in ingress["metadata"]["annotations"]}
    weaker = {"auth-cache-key", "auth-keepalive", "auth-signin", "auth-method", "satisfy", "custom-http-errors"}
    assert named & weaker == set()


def test_only_the_ingress_controller_reaches_them() -> None:
    """Gateway and application each let in the pods of the ingress controller, and nobody else."""
    found = list(of_kind("NetworkPolicy"))
    assert len(found) == 2
    for policy in found:
        assert policy["spec"]["policyTypes"] == ["Ingress"]
        [entry] = policy["spec"]["ingress"]
        [peer] = entry["from"]
        assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ingress-nginx"}
        assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "ingress-nginx"
