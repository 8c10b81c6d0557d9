"""What is printed is the tested configuration with the values that were wished, and nothing else."""

from __future__ import annotations

import json
import tomllib
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from resource_server import cli
from resource_server._gateway.policy import read_policy
from resource_server._gateway.words import read_query
from resource_server._snippets import sources
from resource_server._snippets.render import TARGETS, apply, render
from resource_server._snippets.wishes import Origin, Wishes, read_wishes
from resource_server.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
VALIDATE: Any = import_module("kubernetes_validate").validate  # it has no types
KUBERNETES = "1.35"
SHELF = "examples/{0}/{1}"
GATEWAY, UPSTREAM, NAME = "http://gateway.internal:9100", "http://127.0.0.1:8099", "api.example.test"
SCOPE = "orders:read pay/all"
EVERYTHING = {"gateway": GATEWAY, "upstream": UPSTREAM, "scope": SCOPE, "server_name": NAME}
PROXIES = ("traefik", "caddy", "envoy", "haproxy", "apache")


def written(target: str, **wishes: str) -> dict[str, str]:
    """Render with wishes as options have them."""
    return render(target, read_wishes(**wishes))


def run(*arguments: str) -> object:
    """Run the command, and return its exit status."""
    with pytest.raises(SystemExit) as ending:
        cli.main(["snippets", *arguments])
    return ending.value.code


@pytest.mark.parametrize("target", PROXIES)
def test_without_wishes_it_is_the_example(target: str) -> None:
    """Without options the files of the example come out, to the letter."""
    for name, text in written(target).items():
        assert text == (ROOT / "examples" / target / name).read_text(encoding="utf-8")


def test_nginx_without_the_example_application() -> None:
    """The orders API of the example is left out; the snippets are those of the example."""
    files = written("nginx")
    assert "8100" in files["nginx.conf"]
    assert files["nginx.conf"].count("    server {") == 1
    assert files["nginx.conf"].count("{") == files["nginx.conf"].count("}")
    assert "orders" not in files["nginx.conf"]
    for name in files.keys() - {"nginx.conf"}:
        assert files[name] == (ROOT / "examples/nginx" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("target", [name for name in TARGETS if name not in ("kubernetes", "ingress-nginx")])
def test_every_wish_is_in_the_configuration(target: str) -> None:
    """Each value that was wished stands in the files, and the example's own does not."""
    text = "\n".join(written(target, **EVERYTHING).values())
    assert "gateway.internal" in text
    assert "8099" in text
    assert NAME in text
    assert "orders:read" in text
    assert "4180" not in text
    assert "127.0.0.1:8081" not in text


@pytest.mark.parametrize("target", PROXIES)
def test_wishes_do_not_change_each_other(target: str) -> None:
    """A gateway that listens where the example's application did stays where it was wished."""
    files = written(target, gateway="http://127.0.0.1:8081", upstream="http://127.0.0.1:4180")
    both = [written(target, gateway="http://127.0.0.1:1111", upstream="http://127.0.0.1:2222")[name] for name in files]
    assert [text.replace("1111", "8081").replace("2222", "4180") for text in both] == list(files.values())


def test_addresses_of_ipv6() -> None:
    """An address of IPv6 has brackets where a URL has them, and none in Envoy's address."""
    wishes = read_wishes(gateway="http://[::1]:9100")
    assert wishes.gateway == Origin("::1", 9100)
    [envoy] = render("envoy", wishes).values()
    found = yaml.safe_load(envoy)["static_resources"]["clusters"][0]
    address = found["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert (address, found["type"]) == ({"address": "::1", "port_value": 9100}, "STATIC")
    assert "forward_auth [::1]:9100 {" in render("caddy", wishes)["Caddyfile"]


def test_envoy_looks_names_up() -> None:
    """A cluster with a name in it is one that looks names up; the policy goes into the gateway's file."""
    files = written("envoy", **EVERYTHING)
    clusters = {item["name"]: item for item in yaml.safe_load(files["envoy.yaml"])["static_resources"]["clusters"]}
    assert (clusters["resource-server"]["type"], clusters["api"]["type"]) == ("STRICT_DNS", "STATIC")
    assert tomllib.loads(files["policy.toml"])["rules"] == [{"path": "/*", "scope": SCOPE}]


def test_policy_of_envoy_is_understood(tmp_path: Path) -> None:
    """The policy demands the scope of every path."""
    file = tmp_path / "policy.toml"
    file.write_text(written("envoy", scope=SCOPE)["policy.toml"], encoding="utf-8")
    demanded = read_policy(file).demand("GET", b"/any/path", NAME)
    assert demanded is not None
    assert demanded.scopes.alternatives == (("orders:read", "pay/all"),)


@pytest.mark.parametrize("scope", ["a", "a b", "https://x/.default", "!#$%&'()*+-./:;<=>?@[]^_`{|}~"])
def test_a_scope_as_a_query(scope: str) -> None:
    """The gateway reads from the query what was wished; what a configuration might read is not in it."""
    query = read_wishes(scope=scope).query
    assert read_query(query.encode()).scopes.alternatives == (tuple(scope.split(" ")),)
    assert not set(query) & set("'\"`;{}$#\\<>() \n")
    assert Wishes().query == ""


@pytest.mark.parametrize(
    ("wish", "value"),
    [
        ("gateway", "https://gateway:9100"),
        ("gateway", "gateway:9100"),
        ("gateway", "http://gateway:9100/auth"),
        ("gateway", "http://gateway:9100;"),
        ("gateway", 'http://gateway"'),
        ("gateway", "http://gateway\n"),
        ("gateway", "http://gate{way"),
        ("gateway", "http://gateway:0"),
        ("gateway", "http://gateway:65536"),
        ("gateway", "http://[::g]:1"),
        ("gateway", "http://[1.2.3.4]:1"),
        ("upstream", "http://me:s3cr3t@host:1"),
        ("upstream", ""),
        ("scope", ""),
        ("scope", "a  b"),
        ("scope", "a,b"),
        ("scope", 'a"b'),
        ("scope", "a\nb"),
        ("scope", "a\\b"),
        ("server_name", "a b"),
        ("server_name", "a;"),
        ("server_name", "a\n"),
        ("server_name", "-a"),
        ("server_name", "*.example.test"),
        ("server_name", "`"),
        ("server_name", ".".join(["a" * 60] * 5)),
    ],
)
def test_values_that_are_more_than_values(wish: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A value that is not of its kind is refused by the name of its option, before it is in any configuration."""
    option = f"--{wish.replace('_', '-')}"
    with pytest.raises(ConfigurationError, match=option):
        read_wishes(**{wish: value})
    assert run("nginx", option, value) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert option in shown.err
    assert "s3cr3t" not in shown.err


def ingress(**wishes: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Render the Ingress, and its NetworkPolicy."""
    [text] = written("ingress-nginx", **wishes).values()
    first, second = yaml.safe_load_all(text)
    return first, second


def test_ingress() -> None:
    """The Ingress asks the gateway that was wished, for the Service that was wished; a cluster takes it."""
    found, policy = ingress(**EVERYTHING | {"upstream": "http://pay.shop.svc.cluster.local:8000"})
    for manifest in (found, policy):
        VALIDATE(manifest, KUBERNETES, strict=True)
        assert (manifest["metadata"]["namespace"], manifest["metadata"]["name"]) == ("shop", "pay")
    url = urlsplit(found["metadata"]["annotations"]["nginx.ingress.kubernetes.io/auth-url"])
    assert (url.hostname, url.port, url.path) == ("gateway.internal", 9100, "/auth/nginx")
    assert read_query(url.query.encode()).scopes.alternatives == (("orders:read", "pay/all"),)
    [rule] = found["spec"]["rules"]
    service = rule["http"]["paths"][0]["backend"]["service"]
    assert (rule["host"], service) == (NAME, {"name": "pay", "port": {"number": 8000}})
    assert found["spec"]["tls"] == [{"hosts": [NAME], "secretName": "api-example-test"}]
    assert policy["spec"]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "pay"}
    assert ingress(upstream="http://pay")[0]["metadata"]["namespace"] == "default"
    with pytest.raises(ConfigurationError, match="--upstream must name a Service"):
        ingress(upstream=UPSTREAM)


def test_ingress_of_the_example() -> None:
    """Without options it is the first Ingress of the example, with its NetworkPolicy."""
    example = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/orders.yaml").read_text(encoding="utf-8")))
    assert list(ingress()) == [example[0], example[2]]


def test_kubernetes() -> None:
    """The gateway's manifests are the example's, with the policy that was wished; a cluster takes them."""
    example = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/gateway.yaml").read_text(encoding="utf-8")))
    [text] = written("kubernetes").values()
    assert list(yaml.safe_load_all(text)) == example
    [text] = written("kubernetes", scope=SCOPE, server_name=NAME).values()
    manifests = list(yaml.safe_load_all(text))
    for manifest in manifests:
        VALIDATE(manifest, KUBERNETES, strict=True)
    [policy] = [item["data"]["policy.toml"] for item in manifests if "policy.toml" in item.get("data", {})]
    assert tomllib.loads(policy)["rules"] == [{"host": NAME, "path": "/*", "scope": SCOPE}]
    with pytest.raises(ConfigurationError, match=r"kubernetes has no --gateway"):
        written("kubernetes", gateway=GATEWAY)


def test_a_wish_that_finds_no_place() -> None:
    """An edit whose text is not in the example any more is an error, and no wish is lost."""
    with pytest.raises(LookupError, match="no configuration has"):
        apply({"a": "b"}, [("c", "d")])
    assert apply({"a": "x y"}, [("x", "y"), ("y", "x")]) == {"a": "y x"}


def test_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the sources are shipped, they are read there."""
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples/x").write_text("shipped", encoding="utf-8")
    monkeypatch.setattr(sources, "_SHIPPED", tmp_path)
    assert sources.read_source("examples/x") == "shipped"


def test_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """One file is printed as it is; of several each has its name above it, as a comment of its language."""
    assert run("caddy") == 0
    assert capsys.readouterr().out == written("caddy")["Caddyfile"]
    assert run("haproxy") == 0
    parts = capsys.readouterr().out
    files = written("haproxy")
    named = {"haproxy.cfg": "# ---- haproxy.cfg", "resource-server.lua": "-- ---- resource-server.lua"}
    assert parts == "\n".join(f"{named[name]}\n{text}" for name, text in files.items())


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON the files are there by their names."""
    assert run("haproxy", "--json", "--scope", "a") == 0
    assert json.loads(capsys.readouterr().out) == {"target": "haproxy", "files": written("haproxy", scope="a")}


def test_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files are written into a folder, and none is overwritten."""
    folder = tmp_path / "new"
    assert run("nginx", "--into", str(folder)) == 0
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.conf")}
    assert found == written("nginx")
    shown = capsys.readouterr()
    assert (shown.out, shown.err.splitlines()) == ("", [str(folder / name) for name in written("nginx")])
    assert run("nginx", "--into", str(folder)) == 2
    assert "is there already" in capsys.readouterr().err


def test_a_target_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """A proxy without a configuration is refused, with those that have one."""
    assert run("iis") == 2
    shown = capsys.readouterr().err
    assert all(name in shown for name in TARGETS)


def test_the_wheel_has_the_sources() -> None:
    """Every file that is read in a checkout is shipped, at the same path below the folder of the wheel."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shipped: dict[str, str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    folder = "resource_server/_snippets/files"
    mine = [source for source, target in shipped.items() if target == f"{folder}/{source}"]
    needed = [f"{target.folder}/{file}" for target in TARGETS.values() for file in target.files]
    assert [file for file in needed if not any(PurePosixPath(file).is_relative_to(known) for known in mine)] == []
