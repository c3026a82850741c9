"""Places in the repository, and how a process of a test finds its modules."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "study"
V1 = ROOT / "tests" / "assets" / "v1"
"""A study's folder of the first schema."""

PYTHONPATH = os.pathsep.join([str(ROOT), str(ROOT / "tests")])


def environment() -> dict[str, str]:
    """This process's, with the project and the tests' support to be imported."""
    return {**os.environ, "PYTHONPATH": PYTHONPATH}
