"""The command line: in this process, where TensorFlow is loaded and programs are compiled once for
many tests, or in one of its own.
"""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from study.cli.main import main
from support.paths import ROOT, environment


def call(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`study` with the arguments: its exit code, and what it printed."""
    said, complained = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(complained):
        patch.setattr(sys, "argv", ["study", *map(str, arguments)])
        if cwd is not None:
            patch.chdir(cwd)
        with pytest.raises(SystemExit) as end:
            main()
    return subprocess.CompletedProcess(
        ["study"], int(end.value.code or 0), said.getvalue(), complained.getvalue()
    )


def call_process(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """`python -m study` with the arguments."""
    return subprocess.run(
        [sys.executable, "-m", "study", *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
    )
