"""What is changed in each tested configuration: a text that stands there, and what stands there instead."""

from __future__ import annotations

from collections.abc import Iterator

from resource_server._snippets.wishes import Origin, Wishes

Edit = tuple[str, str]
_APPLICATION_OF_THE_EXAMPLE = "\n    # The orders API: it has no token"


def of_nginx(wishes: Wishes) -> Iterator[Edit]:
    """Change ``examples/nginx``: the application of the example is replaced by somebody's own."""
    yield "before an orders API that knows nothing of tokens, with the gateway on port 9100 between them", _NGINX_TITLE
    yield "$PWD/examples/nginx/nginx.conf", "$PWD/nginx.conf"
    yield "upstream orders {", "upstream api {"
    yield "http://orders;", "http://api;"
    yield "http://orders/healthz;", "http://api/healthz;"
    yield "What more it needs stands in policy.toml.", "What more it needs stands in the gateway's policy."
    if wishes.gateway:
        yield "server 127.0.0.1:9100;", f"server {wishes.gateway.authority};"
    if wishes.upstream:
        yield "server 127.0.0.1:8100;", f"server {wishes.upstream.authority};"
    if wishes.server_name:
        yield "listen 127.0.0.1:8000;", f"listen 127.0.0.1:8000;\n        server_name {wishes.server_name};"
    if wishes.scope:
        asked = f'        location / {{\n            set $resource_server_policy "{wishes.query}";'
        yield "        location / {", asked


_NGINX_TITLE = "before an application that knows nothing of tokens; the gateway is asked about each request"


def without_application(text: str) -> str:
    """Leave out the orders API, which the example of nginx has in the same file."""
    kept, found, _ = text.partition(_APPLICATION_OF_THE_EXAMPLE)
    return f"{kept}}}\n" if found else text


def of_traefik(wishes: Wishes) -> Iterator[Edit]:
    """Change ``examples/traefik``."""
    if wishes.gateway or wishes.scope:
        yield "http://127.0.0.1:4180/auth", f'"{_asked(wishes)}"'
    if wishes.upstream:
        yield "http://127.0.0.1:8081", f'"http://{wishes.upstream.authority}"'
    if wishes.server_name:
        yield "rule: PathPrefix(`/`)", f"rule: Host(`{wishes.server_name}`) && PathPrefix(`/`)"


def of_caddy(wishes: Wishes) -> Iterator[Edit]:
    """Change ``examples/caddy``."""
    if wishes.gateway:
        yield "forward_auth 127.0.0.1:4180 ", f"forward_auth {wishes.gateway.authority} "
    if wishes.scope:
        yield "uri /auth?", f"uri /auth?{wishes.query}"
    if wishes.upstream:
        yield "reverse_proxy 127.0.0.1:8081", f"reverse_proxy {wishes.upstream.authority}"
    if wishes.server_name:
        yield "http://:8080 {", f"http://{wishes.server_name}:8080 {{"


def of_envoy(wishes: Wishes) -> Iterator[Edit]:
    """Change ``examples/envoy``; what is demanded stands in the gateway's policy, for Envoy sends no query."""
    if wishes.gateway:
        yield "uri: http://127.0.0.1:4180,", f'uri: "http://{wishes.gateway.authority}",'
        yield from _cluster("resource-server", 4180, wishes.gateway)
    if wishes.upstream:
        yield from _cluster("api", 8081, wishes.upstream)
    if wishes.server_name:
        yield 'domains: ["*"]', f'domains: ["{wishes.server_name}", "{wishes.server_name}:*"]'


def _cluster(name: str, port: int, origin: Origin) -> Iterator[Edit]:
    old, new = "address: 127.0.0.1, port_value:", f'address: "{origin.host}", port_value:'
    yield f"{old} {port} ", f"{new} {origin.port} "
    if not origin.is_address:
        yield f"- name: {name}\n      type: STATIC", f"- name: {name}\n      type: STRICT_DNS"


def policy_of_envoy(wishes: Wishes) -> str:
    """Write the policy that the gateway is started with, where a scope is wished."""
    return f'[[rules]]\npath = "/*"\nscope = "{" ".join(wishes.scope)}"\n'


def of_haproxy(wishes: Wishes) -> Iterator[Edit]:
    """Change ``examples/haproxy``."""
    if wishes.gateway:
        yield 'GATEWAY = "http://127.0.0.1:4180"', f'GATEWAY = "http://{wishes.gateway.authority}"'
    if wishes.scope:
        yield "http-request lua.resource-server /auth\n", f"http-request lua.resource-server /auth?{wishes.query}\n"
    if wishes.upstream:
        yield "server api 127.0.0.1:8081", f"server api {wishes.upstream.authority}"
    if wishes.server_name:
        named = f"{{ req.hdr(host),host_only -i -m str {wishes.server_name} }}"
        yield (
            "    option forwardfor\n",
            f"    option forwardfor\n    http-request deny deny_status 421 unless {named}\n",
        )


def of_apache(wishes: Wishes) -> Iterator[Edit]:
    """Change ``examples/apache``."""
    if wishes.gateway or wishes.scope:
        yield '"http://127.0.0.1:4180/auth"', f'"{_asked(wishes)}"'
    if wishes.upstream:
        yield '"http://127.0.0.1:8081/"', f'"http://{wishes.upstream.authority}/"'
    if wishes.server_name:
        yield "ServerName localhost", f"ServerName {wishes.server_name}"


def _asked(wishes: Wishes) -> str:
    origin = wishes.gateway.authority if wishes.gateway else "127.0.0.1:4180"
    return f"http://{origin}/auth" + (f"?{wishes.query}" if wishes.query else "")


def of_ingress_nginx(wishes: Wishes) -> Iterator[Edit]:
    """Change the Ingress and the NetworkPolicy of ``deploy/kubernetes/orders.yaml``."""
    if wishes.gateway:
        yield "http://resource-server.resource-server.svc.cluster.local:9100", f"http://{wishes.gateway.authority}"
    if wishes.scope:
        yield "?scope=orders:read", f"?{wishes.query}"
    if wishes.server_name:
        yield "api.example.com", wishes.server_name
        yield "secretName: api-example-com", f'secretName: "{wishes.server_name.replace(".", "-")}"'
    if wishes.upstream:
        service, _, rest = wishes.upstream.host.partition(".")
        backend = "service:\n                name: {}\n                port:\n                  {}"
        yield backend.format("orders", "name: http"), backend.format(f'"{service}"', f"number: {wishes.upstream.port}")
        yield "  namespace: orders\n", f'  namespace: "{rest.partition(".")[0] or "default"}"\n'
        yield "app.kubernetes.io/name: orders\n", f'app.kubernetes.io/name: "{service}"\n'
        yield "  name: orders\n", f'  name: "{service}"\n'


def without_second_ingress(text: str) -> str:
    """Leave out the Ingress of the example's administrators."""
    first, _second, network_policy = text.split("---\n")
    return f"{first}---\n{network_policy}"


def of_kubernetes(wishes: Wishes) -> Iterator[Edit]:
    """Change the policy in ``deploy/kubernetes/gateway.yaml``."""
    yield " --filename deploy/kubernetes/gateway.yaml", " --filename gateway.yaml"
    if wishes.server_name:
        yield 'host = "api.example.com"', f'host = "{wishes.server_name}"'
    if wishes.scope:
        yield 'path = "/admin/*"', 'path = "/*"'
        yield 'scope = "admin"\n    hide = 404', f'scope = "{" ".join(wishes.scope)}"'
