"""Options and fixtures that every test file may use."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # Two workers of one thread each use two cores better than four threads do.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # What models were found to be on this machine is neither believed nor changed.
    cache = tempfile.mkdtemp(prefix="gz-test-cache-")
    os.environ["XDG_CACHE_HOME"] = cache
    config.add_cleanup(lambda: shutil.rmtree(cache, ignore_errors=True))
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


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small model of SigLIP's classes."""
    from tiny_siglip import make_model

    folder = tmp_path_factory.mktemp("model") / "tiny"
    make_model(folder)
    return folder


@pytest.fixture(scope="session")
def trained_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small model that matches drawings with their sentences."""
    from trained_siglip import train_on_drawings

    folder = tmp_path_factory.mktemp("trained") / "model"
    train_on_drawings(folder)
    return folder
