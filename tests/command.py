"""The command line in this process, so that TensorFlow is loaded and programs are compiled once for
many tests.
"""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from study.cli.main import main


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
