"""Settings shared by all tests."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
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
