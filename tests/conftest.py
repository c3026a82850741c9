"""Settings shared by all tests."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path

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
