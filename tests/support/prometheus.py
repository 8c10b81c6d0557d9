"""A real Prometheus, and the alert rules of the project as it reads them.

Its programs come with the system. A server is a process of its own on a free port, and is ended by its process id.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.live import PATIENCE, end, wait_for
from tests.support.valkey import free_port

MONITORING = Path(__file__).parents[2] / "deploy/monitoring"
RULES = MONITORING / "alerts.yaml"
DASHBOARD = MONITORING / "dashboard.json"
INTERVAL = "500ms"
"""How often the server looks, and judges its rules."""
_DURATION = re.compile(r"(?<=\[)\d+[smh](?=\])|(?<=offset )\d+[smh]\b|(?<=for: )\d+[smh]\b")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def program(name: str) -> str:
    """Find a program of Prometheus, or skip the test."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: Debian's prometheus has it")
    return found


def promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the tool that judges what Prometheus reads."""
    command = [program("promtool"), *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE * 3)


@cache
def rules() -> list[dict[str, Any]]:
    """Read the alert rules."""
    [group] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    assert group["name"] == "resource-server"
    found: list[dict[str, Any]] = group["rules"]
    return found


def expressions() -> list[str]:
    """Return what the panels of the dashboard ask for, with its variables filled in as Grafana does."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    for name, value in {"$__rate_interval": "1m", "$job": ".*", "$issuer": ".*"}.items():
        asked = [expression.replace(name, value) for expression in asked]
    assert not [expression for expression in asked if "$" in expression]
    return asked


def hurried(text: str, times: int = 30) -> str:
    """Let rules judge what they see in less time: nothing but their durations is another one.

    Each ``for``, each window and each offset is divided by the same number, so that five minutes of the rules are ten
    seconds of a test. Thresholds stay as they are: rates are by the second in both.

    Args:
        text: the file of the rules.
        times: how many times as fast time passes.
    """

    def shorten(found: re.Match[str]) -> str:
        return f"{int(found[0][:-1]) * _SECONDS[found[0][-1]] * 1000 // times}ms"

    return _DURATION.sub(shorten, text)


class Prometheus:
    """A server that runs.

    Args:
        url: where it is.
    """

    def __init__(self, url: str) -> None:
        """Take over what has been started."""
        self._client = httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Evaluate an expression, as of now."""
        answer = self._client.post("/api/v1/query", data={"query": expression}).json()
        assert answer["status"] == "success", (expression, answer)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def firing(self) -> dict[str, dict[str, str]]:
        """Return the alerts that fire: by job, each with its severity."""
        found: dict[str, dict[str, str]] = {}
        for sample in self.query('ALERTS{alertstate="firing"}'):
            labels = sample["metric"]
            found.setdefault(labels["job"], {})[labels["alertname"]] = labels["severity"]
        return found

    def annotations(self) -> list[dict[str, str]]:
        """Return what the alerts say that fire or are about to."""
        answer = self._client.get("/api/v1/alerts").json()
        return [alert["annotations"] for alert in answer["data"]["alerts"]]

    def scraped(self) -> dict[str, str]:
        """Return how each job's last scrape went."""
        targets = self._client.get("/api/v1/targets").json()["data"]["activeTargets"]
        return {target["labels"]["job"]: target["health"] for target in targets}

    def ready(self) -> bool:
        """Tell whether it answers queries."""
        try:
            return self._client.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """Close the connections to it."""
        self._client.close()


def _configuration(ports: Mapping[str, int]) -> str:
    times = {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL}
    jobs = [{"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]} for job, port in ports.items()]
    return yaml.safe_dump({"global": times, "rule_files": ["alerts.yaml"], "scrape_configs": jobs})


@contextmanager
def run_prometheus(folder: Path, ports: Mapping[str, int]) -> Generator[Prometheus]:
    """Run a server in a hurry while the block runs: see :func:`hurried`.

    Args:
        folder: where it may leave files.
        ports: of each job, which answers at ``/metrics``.
    """
    found, port, log = program("prometheus"), free_port(), folder / "prometheus.log"
    (folder / "alerts.yaml").write_text(hurried(RULES.read_text(encoding="utf-8")), encoding="utf-8")
    (folder / "prometheus.yaml").write_text(_configuration(ports), encoding="utf-8")
    command = [found, f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=1h"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    server = Prometheus(f"http://127.0.0.1:{port}")
    try:
        wait_for(process, server.ready, lambda: log.read_text(encoding="utf-8"))
        yield server
    finally:
        server.close()
        end(process)
