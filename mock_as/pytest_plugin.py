"""The pytest plugin: an authorization server for every test that asks for one.

A project that does not use it pays for this module and nothing else: what the fixtures need is loaded by the first
test that asks for one of them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mock_as.issuer import Issuer
    from mock_as.mock import MockAS

_MARKER = """mock_as(**options): how the authorization server of a test is made, as keywords of MockAS"""
_WATCHED = pytest.StashKey["list[MockAS]"]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


# ------------------------------------------------------------------------------------------------------------ fixtures


class MockASFactory:
    """Makes authorization servers for one test, and watches each of them as the ``mock_as`` of the test is watched.

    Args:
        node: the test.
        options: what every one is made with, as keywords of :class:`mock_as.MockAS`.
        stack: what ends with the test.
    """

    def __init__(self, node: pytest.Item, options: Mapping[str, Any], stack: ExitStack) -> None:
        self._node = node
        self._options = options
        self._stack = stack

    def __call__(self, **options: Any) -> MockAS:  # noqa: ANN401 - as MockAS takes them
        """Make one that answers in this process.

        Args:
            options: keywords of :class:`mock_as.MockAS`; those of the marker and of ``mock_as_options`` hold otherwise.

        Raises:
            UsageError: an option is not one that can be used.
        """
        mock = _make({**self._options, **options})
        _watch(self._node, mock)
        self._stack.callback(mock.release)
        return mock

    def serve(self, **options: Any) -> MockAS:  # noqa: ANN401 - as MockAS takes them
        """Make one, and serve it over a socket of its own until the test ends.

        Args:
            options: keywords of :class:`mock_as.MockAS`; those of the marker and of ``mock_as_options`` hold otherwise.

        Raises:
            UsageError: an option is not one that can be used.
        """
        mock = self(**options)
        self._stack.enter_context(mock.serve())
        return mock


class _Servers:
    """The servers of a session: one for every set of options that a test has asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._served: list[tuple[Mapping[str, Any], MockAS]] = []

    def get(self, options: Mapping[str, Any]) -> MockAS:
        """Return the server with these options, which is started when it is first asked for."""
        for known, mock in self._served:
            if known == options:
                return mock
        mock = _make(options)
        self._stack.enter_context(mock.serve())
        self._served.append((options, mock))
        return mock


@pytest.fixture(scope="session")
def mock_as_options() -> Mapping[str, Any]:
    """Say how authorization servers are made: override it, for a project or a folder, with keywords of MockAS."""
    return {}


@pytest.fixture
def mock_as_factory(request: pytest.FixtureRequest, mock_as_options: Mapping[str, Any]) -> Iterator[MockASFactory]:
    """Make authorization servers for a test that needs several, or one that is made otherwise."""
    with ExitStack() as stack:
        yield MockASFactory(request.node, _options(request.node, mock_as_options), stack)


@pytest.fixture
def mock_as(mock_as_factory: MockASFactory) -> MockAS:
    """Give an authorization server that answers in this process, new for each test."""
    return mock_as_factory()


@pytest.fixture(scope="session")
def _mock_as_servers() -> Iterator[_Servers]:
    """Keep the servers of the session, of which nothing has been started yet."""
    with ExitStack() as stack:
        yield _Servers(stack)


@pytest.fixture
def mock_as_server(
    request: pytest.FixtureRequest, mock_as_options: Mapping[str, Any], _mock_as_servers: _Servers
) -> Iterator[MockAS]:
    """Give an authorization server on a socket: started once, and as good as new for each test."""
    mock = _mock_as_servers.get(_options(request.node, mock_as_options))
    mock.reset()
    _watch(request.node, mock)
    yield mock
    # A request that is held back would keep the session from ending.
    mock.release()


def _options(node: pytest.Item, usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a test: the marker that is nearest to it has the last word."""
    options = dict(usual)
    for marker in reversed(list(node.iter_markers("mock_as"))):
        if marker.args:
            raise pytest.UsageError("the marker mock_as takes keywords only, those of MockAS")
        options |= marker.kwargs
    return options


def _make(options: Mapping[str, Any]) -> MockAS:
    """Make an authorization server, or say which option is none."""
    import inspect  # noqa: PLC0415 - a project that does not use the plugin does not wait for it

    from mock_as.errors import unknown  # noqa: PLC0415 - the same
    from mock_as.mock import MockAS  # noqa: PLC0415 - the same

    known = inspect.signature(MockAS).parameters
    for name in options:
        if name not in known:
            raise unknown("mock_as", name, known)
    return MockAS(**options)


def _watch(node: pytest.Item, mock: MockAS) -> None:
    node.stash.setdefault(_WATCHED, []).append(mock)


# ------------------------------------------------------------------------------------------------- the end of a test


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that has set a fault which nobody met: it has not tested what it says."""
    result = yield
    issuers = _issuers(item)
    left = [fault for issuer in issuers for fault in issuer.faults_left]
    if left:
        faults = "".join(f"\n  {fault!r}" for fault in left)
        pytest.fail(
            f"faults were set and did not happen, or not as often as they were to:{faults}\n"
            "clear_faults() takes back what a test has no more use for",
            pytrace=False,
        )
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the authorization server was asked, beside what made the test fail."""
    report = yield
    issuers = _issuers(item) if report.failed else []
    if issuers:
        from mock_as.redaction import written_down  # noqa: PLC0415 - as above

        for number, issuer in enumerate(issuers, start=1):
            title = "mock AS journal" if len(issuers) == 1 else f"mock AS journal {number} of {len(issuers)}"
            report.sections.append((title, written_down(issuer.requests(), issuer.tokens.id_of)))
    return report


def _issuers(item: pytest.Item) -> list[Issuer]:
    """Return every issuer that a test has had its hands on."""
    mocks = item.stash.get(_WATCHED, [])
    return [issuer for mock in mocks for issuer in (mock, *mock.tenants.values())]
