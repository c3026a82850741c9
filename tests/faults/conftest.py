"""An undisturbed study, and the tally of what a fault has cost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from study.storage.jsonl import append_line
from study.storage.store import Store
from support.driving import SMALL, Tally, run


@pytest.fixture
def tally() -> Tally:
    """Asserts that nothing was lost, and keeps the count for `scripts/faults`."""

    def note(fault: str, tried: int, lost: int) -> None:
        if "STUDY_FAULTS_TALLY" in os.environ:
            append_line(
                Path(os.environ["STUDY_FAULTS_TALLY"]),
                {"fault": fault, "tried": tried, "lost": lost},
            )
        assert tried > 0
        assert lost == 0

    return note


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """An uninterrupted study."""
    return run(SMALL, tmp_path_factory.mktemp("whole") / "study")
