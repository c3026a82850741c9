"""The published measurements, imported: their grid, their sizes, and their curves alone."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from study.storage.published.importing import Import, import_published
from support.paths import ROOT

FILES = ROOT / "tests" / "assets" / "published"
RATES, SIZES, CURVES = (
    FILES / f"{name}.csv" for name in ("time_vs_rate", "time_vs_size", "validation_over_time")
)


@cache
def imported(absent: str = "capped") -> tuple[Path, Import]:
    """A folder with the studies `grid` and `sizes`, and what was imported."""
    out = Path(tempfile.mkdtemp())
    return out, import_published([FILES], out, absent=absent)


@cache
def curves_alone() -> Path:
    """The study of the curves without the grid."""
    out = Path(tempfile.mkdtemp())
    import_published([CURVES], out)
    return out


def grid() -> Path:
    """The study of the grid."""
    return imported()[0] / "grid"


def sizes(absent: str = "capped") -> Path:
    """The study of the sizes."""
    return imported(absent)[0] / "sizes"
