"""A report on studies of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from study import report
from study.experiments import cycles
from study.storage.jsonl import append_line
from study.tables import contests
from support import sizes
from support.made import stored
from support.parabola import ParabolaEngine
from support.published import GRID, in_band


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on a grid, a study of sizes, a contest and a case study of cycles."""
    root = tmp_path_factory.mktemp("report")
    folders = [
        stored(root / "grid", GRID, in_band),
        stored(root / "sizes", sizes.SPEC.with_(name="sizes", dataset="a<b>.npz"), sizes.takes),
    ]
    pick = contests.Pick("adam", "finder", "tenth", 0, None, "the <loss> never fell", 300)
    (root / "contest").mkdir()
    append_line(
        root / "contest" / contests.PICKS, {"seed": 0, "method": "finder", "picks": [pick.__dict__]}
    )
    contests.table(folders[0], root / "contest").to_csv(root / "contest" / contests.TABLE)
    cycles.run_cycles(root / "cycles", 2, factory=lambda images: ParabolaEngine())
    return report.write([*folders, root / "contest", root / "cycles"], root / "out" / "report.html")
