"""The figures of a study as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
from matplotlib.figure import Figure

from study import tables
from study.figures.curves import curves
from study.figures.sizes import size, size_parts, size_valley, sizes, slopes
from study.figures.valley import envelope, profile, valley
from study.storage.store import refuse_links
from study.tables import intervals

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd


MOST_WIDTHS = 2
"""Valleys drawn of a study of sizes, the smallest's and the largest's; its figures of size show
them all.
"""


def draw(runs: pd.DataFrame, stored: pd.DataFrame) -> dict[str, Figure]:
    """Every figure of a study, by the name of its file; of a study of few widths each width has its
    own valley and envelope.

    Args:
        runs: the study's runs.
        stored: its validation curves.
    """
    drawn: dict[str, Figure] = {}
    widths = tables.comparable(runs)["width"].nunique()
    of_size = widths >= intervals.FEWEST_SIZES
    if not of_size or runs["optimizer"].nunique() > 1:
        groups = list(runs.groupby("width"))
        for width, mine in groups if len(groups) <= MOST_WIDTHS else (groups[0], groups[-1]):
            suffix = "" if widths == 1 else f"-width-{width:g}"
            drawn |= {f"valley{suffix}": valley(mine), f"envelope{suffix}": envelope(mine)}
    if not of_size and runs["optimizer"].nunique() > 1:
        drawn["profile"] = profile(runs)
    for name in list(runs["optimizer"].cat.categories) if of_size else []:
        mine = runs[runs["optimizer"] == name]
        if mine["width"].nunique() < intervals.FEWEST_SIZES:
            continue
        suffix = "" if runs["optimizer"].nunique() == 1 else f"-{name}"
        kinds = {"sizes": sizes, "size-valley": size_valley}
        if runs["optimizer"].nunique() == 1:
            kinds = {"size": size, **kinds, "slopes": slopes}
            if mine["steps"].notna().any():
                kinds["size-parts"] = size_parts
        drawn |= {f"{kind}{suffix}": function(mine) for kind, function in kinds.items()}
    mine = runs[runs["width"] == stored["width"].iloc[0]] if len(stored) else stored
    if len(mine):
        drawn["curves"] = curves(stored, mine)
    return drawn


def write(
    folder: str | Path, out: str | Path | None = None, machine: str | None = None
) -> list[Path]:
    """Draw every figure of a stored study into `figures/`, each as PNG and SVG; return the PNGs'
    paths.

    Raises:
        StudyError: no runs, or runs that must not share a figure.
    """
    refuse_links(Path(folder))
    runs = tables.load(folder, machine)
    return save(
        draw(runs, tables.curves_of(tables.curves(folder), runs)),
        Path(out) if out is not None else Path(folder) / "figures",
    )


def save(drawn: Mapping[str, Figure], out: Path) -> list[Path]:
    """Write figures by the name of each, as PNG and SVG; return the PNGs' paths."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in drawn.items():
        paths.append(out / f"{name}.png")
        figure.savefig(paths[-1], dpi=150)
        figure.set_layout_engine("none")  # laid out once is enough
        with matplotlib.rc_context({"svg.hashsalt": name}):  # the same table draws the same file
            figure.savefig(out / f"{name}.svg", metadata={"Date": None})
    return paths
