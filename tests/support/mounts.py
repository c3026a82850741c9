"""A file system of a test's own, in a mount namespace of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import ROOT, environment

PRIVATE = ("unshare", "--map-root-user", "--mount")


def beside_mounts(code: str, *words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python code that may mount a tmpfs.

    Args:
        code: what it runs.
        words: its arguments.
        folder: where a mount is tried first. The test is skipped where nobody may mount.
    """
    mount = [*PRIVATE, "mount", "-t", "tmpfs", "none", str(folder)]
    if shutil.which(PRIVATE[0]) is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a tmpfs of their own")
    command = [*PRIVATE, sys.executable, "-c", code, *map(str, words)]
    answer = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer
