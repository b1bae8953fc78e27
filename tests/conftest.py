"""Options and fixtures that every test file may use."""

from __future__ import annotations

import signal

import pytest


def pytest_configure() -> None:
    # A shell that runs the tests in the background makes its children deaf to Ctrl-C,
    # and a test that interrupts a program would wait for nothing.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-goldens",
        action="store_true",
        help="rewrite the expected texts that are kept in files, instead of comparing with them",
    )


@pytest.fixture(scope="session")
def update_goldens(request: pytest.FixtureRequest) -> bool:
    """True when expected texts are to be rewritten."""
    return bool(request.config.getoption("--update-goldens"))
