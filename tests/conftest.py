"""What holds for every test: the event loop, the random examples, no silent skip, no network but the loopback.

And no secret in what the library logs or raises: see ``tests/support/keeping.py``, and ``tests/support/secrecy.py``
for the secrets that each test has brought along.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.support import wiretap
from tests.support.keeping import secrets_are_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["secrets_are_kept"]

# The same examples in every run and on every machine; `--hypothesis-profile=explore` goes looking for new ones.
hypothesis.settings.register_profile(
    "default", derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("default")


wiretap.lay()


@pytest.fixture(autouse=True)
def no_secret_is_seen(request: pytest.FixtureRequest) -> Generator[None]:
    """Find no secret of the test in anything that others can read: logs, responses, events, texts, exceptions."""
    if "mock_as" in request.path.parts:
        yield  # nothing there goes through the resource server
        return
    with wiretap.listening() as ledger:
        yield
    request.node.user_properties.append(("secrets", len(ledger.secrets)))
    leaks = ledger.leaks()
    if leaks:
        pytest.fail("\n".join(leaks), pytrace=False)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many secrets were looked for in how many tests."""
    reports = [
        report for found in terminalreporter.stats.values() for report in found if hasattr(report, "user_properties")
    ]
    counts = [
        dict(report.user_properties)["secrets"] for report in reports if "secrets" in dict(report.user_properties)
    ]
    terminalreporter.write_line(f"{sum(counts)} secrets were looked for in {len(counts)} tests")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run every test marked `anyio` on asyncio, the only loop that is supported."""
    return "asyncio"


# A part that a user's machine lacks (a browser, a server) skips its tests there. Where the machine is known to be
# whole, CI_NO_SKIP=1 makes a skip the failure that it is: else nobody would notice the tests that no longer run.


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI_NO_SKIP") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"CI_NO_SKIP=1 allows no skip. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a test into a failure, where no skip is allowed."""
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a whole module into a failure, where no skip is allowed."""
    report = yield
    _fail_if_skipped(report)
    return report


class OutsideNetworkError(BaseException):
    """A test reached for a host that is not this one; not an `Exception`, so that no code under test can swallow it."""


def _is_loopback(host: str | bytes | None) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in {None, "", "localhost"}:
        return True
    try:
        address = ipaddress.ip_address(str(name))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified  # the latter is what a server binds for "everywhere"


def _guarded(function: Callable[..., Any], host_of: Callable[..., Any]) -> Callable[..., Any]:
    def guard(*args: Any, **kwargs: Any) -> Any:
        host = host_of(*args)
        if not _is_loopback(host):
            raise OutsideNetworkError(f"{function.__name__} of {host!r}: tests use the loopback network only")
        return function(*args, **kwargs)

    return guard


def _host_of_peer(_socket: socket.socket, address: Any) -> Any:
    return address[0] if isinstance(address, tuple) else None  # a Unix socket's address is a path


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Generator[None]:
    """Refuse every connection and every name look-up that would leave this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _guarded(socket.socket.connect, _host_of_peer))
        patch.setattr(socket.socket, "connect_ex", _guarded(socket.socket.connect_ex, _host_of_peer))
        patch.setattr(socket, "getaddrinfo", _guarded(socket.getaddrinfo, lambda host, *_: host))
        yield
