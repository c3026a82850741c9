"""Settings shared by all tests."""

from __future__ import annotations

import atexit
import importlib.machinery
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "agg")

# A temporary folder of this process's own: it holds the locks of timed jobs, and tests beside these
# are not to wait for them.
tempfile.tempdir = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="study-tests-")
atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)

if (
    signal.getsignal(signal.SIGINT) == signal.SIG_IGN
):  # as where the tests run in the background, and so would the programs they start
    signal.signal(signal.SIGINT, signal.default_int_handler)

LIMIT = 300.0
"""Seconds that a process of a test may take, so that no test waits for ever."""

LOOK = 1.0
"""Seconds between two looks at them."""


class Limited(subprocess.Popen[Any]):
    """A process that is killed `LIMIT` seconds after its start; whoever waits then sees -9."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        _started.append((time.monotonic(), self))


_started: list[tuple[float, subprocess.Popen[Any]]] = []


def _watch() -> None:
    """End what has run too long."""
    while True:
        time.sleep(LOOK)
        for entry in list(_started):
            begun, process = entry
            if process.returncode is not None:
                _started.remove(entry)
            elif time.monotonic() - begun > LIMIT:
                with suppress(OSError):
                    process.kill()
                _started.remove(entry)


FAST = "not slow"
"""What `scripts/test fast` runs: the marks of tests that pytest is asked for."""


class NoFramework:
    """An import of a framework is an error: a test that needs one has the mark `slow`."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        """A module that is there and cannot be loaded."""
        if name not in {"tensorflow", "keras", "jax", "torch"}:
            return None
        spec: Any = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None:
            spec.loader.exec_module = NoFramework.refuse
        return spec

    @staticmethod
    def refuse(module: Any) -> None:
        """Say which mark is missing."""
        raise RuntimeError(f"a test that loads {module.__name__} has the mark `slow`")


def pytest_configure(config: pytest.Config) -> None:
    """No framework is loaded where the tests that need one are left out."""
    if config.option.markexpr == FAST:
        sys.meta_path.insert(0, NoFramework)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file whose tests all have the mark is not even imported."""
    if config.option.markexpr != FAST or collection_path.suffix != ".py":
        return None
    marks = re.search(r"^pytestmark = .*\bslow\b", collection_path.read_text(), re.MULTILINE)
    return True if marks else None


@pytest.fixture(autouse=True, scope="session")
def limited_processes() -> None:
    """Those of libraries too, but not those in which pytest runs its tests: they take long."""
    subprocess.Popen = Limited  # type: ignore[misc]
    threading.Thread(target=_watch, daemon=True).start()


# Timing never decides a test, and the same examples every time keep a red run reproducible.
settings.register_profile("study", deadline=None, derandomize=True)
settings.load_profile("study")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study's folder that does not exist yet."""
    return tmp_path / "study"


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else runs on the machine decides no test: to this process it looks free."""
    monkeypatch.setattr("study.machine.quiet._busy", lambda: 0.0)


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Headless Chromium, with what its console and its network say."""
    if shutil.which("chromedriver") is None:
        pytest.skip("Debian's chromium and chromium-driver are not installed")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    monkeypatch.setenv("HOME", str(tmp_path))
    options = Options()
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened: Any = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield opened
    opened.quit()


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """A command that was stopped ignores further signals; the next test's processes must not."""
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)
