"""The figures of a study as files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import matplotlib
from matplotlib.figure import Figure

from study import tables
from study.figures.curves import curves
from study.figures.final import final
from study.figures.sizes import size, size_parts, size_valley, sizes, slopes
from study.figures.style import own_settings
from study.figures.targets import targets
from study.figures.valley import envelope, profile, valley
from study.machine.forks import share
from study.spec.goals import has_target
from study.storage.jsonl import replace
from study.storage.links import refuse_links
from study.tables import intervals

if TYPE_CHECKING:
    import pandas as pd


LONGEST = 80
"""Letters of an optimizer in the name of a file, which no system lets grow for ever."""


MOST_WIDTHS = 2
"""Valleys drawn of a study of many sizes: the smallest size's and the largest's."""


def draw(
    runs: pd.DataFrame, stored: pd.DataFrame, rising: pd.DataFrame | None = None
) -> dict[str, Figure]:
    """Draw every figure of a study. A study of few widths has a valley and an envelope for each.

    Args:
        runs: the study's runs.
        stored: its validation curves.
        rising: its steps as the target rises, see `tables.targets`; None draws none.

    Returns:
        The figures by the name of the file.
    """
    return {name: drawing() for name, drawing in _drawings(runs, stored, rising).items()}


def _drawings(
    runs: pd.DataFrame, stored: pd.DataFrame, rising: pd.DataFrame | None
) -> dict[str, Callable[[], Figure]]:
    """What draws each figure of `draw`."""
    found: dict[str, Callable[[], Figure]] = {}
    widths = tables.comparable(runs)["width"].nunique()
    if "final" in runs:
        for width, mine in list(runs.groupby("width"))[:MOST_WIDTHS]:
            found[f"final{'' if widths == 1 else f'-width-{width:g}'}"] = partial(final, mine)
        if not has_target(float(runs["target"].iloc[0])) or tables.timeless(runs):
            return found
    of_size = widths >= intervals.FEWEST_SIZES
    if not of_size or runs["optimizer"].nunique() > 1:
        groups = list(runs.groupby("width"))
        for width, mine in groups if len(groups) <= MOST_WIDTHS else (groups[0], groups[-1]):
            suffix = "" if widths == 1 else f"-width-{width:g}"
            found[f"valley{suffix}"] = partial(valley, mine)
            if _shared(mine):
                found[f"envelope{suffix}"] = partial(envelope, mine)
    if not of_size and runs["optimizer"].nunique() > 1:
        found["profile"] = partial(profile, runs)
    for name in list(runs["optimizer"].cat.categories) if of_size else []:
        mine = runs[runs["optimizer"] == name]
        if mine["width"].nunique() < intervals.FEWEST_SIZES:
            continue
        suffix = "" if runs["optimizer"].nunique() == 1 else f"-{_in_file(name)}"
        kinds = {"sizes": sizes, "size-valley": size_valley}
        if runs["optimizer"].nunique() == 1:
            kinds = {"size": size, **kinds, "slopes": slopes}
            if mine["steps"].notna().any():
                kinds["size-parts"] = size_parts
        found |= {f"{kind}{suffix}": partial(function, mine) for kind, function in kinds.items()}
    if rising is not None and widths == 1 and rising["median_steps"].notna().any():
        found["targets"] = partial(targets, rising, runs)
    mine = runs[runs["width"] == stored["width"].iloc[0]] if len(stored) else stored
    if len(mine):
        found["curves"] = partial(curves, stored, mine)
    return found


def _shared(runs: pd.DataFrame) -> bool:
    """Whether several optimizers share a rate; each of an import may have its own."""
    names = runs.groupby("learning_rate")["optimizer"].nunique()
    several = runs["optimizer"].nunique() > 1
    return bool(several and ("final" not in runs or (names > 1).any()))


def _in_file(optimizer: str) -> str:
    """An optimizer in the name of a file.

    >>> _in_file("sgd(momentum=0.9,nesterov=true)")
    'sgd-momentum=0.9-nesterov=true'
    """
    plain = re.sub(r"[^\w.=+-]+", "-", optimizer).strip("-")
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}-{crc32(optimizer.encode()):08x}"


def write(
    folder: tables.Source, out: str | Path | None = None, machine: str | None = None
) -> list[Path]:
    """Draw every figure of a stored study, each as PNG and as SVG.

    Args:
        folder: the study's folder, or a `StoredStudy`.
        out: the folder to write into; `StoredStudy.place` if None.
        machine: whose runs, see `tables.load`.

    Returns:
        The paths of the PNG files.

    Raises:
        StudyError: no runs, or runs that must not share a figure.
    """
    study = tables.stored(folder, machine)
    refuse_links(Path(study.folder))
    place = Path(out) if out is not None else study.place("figures")
    drawings: Mapping[str, Callable[[], Figure]]
    if study.published is not None and study.runs.empty and len(study.curves):
        drawings = {"curves": partial(curves, study.curves, study.spec)}
    else:
        drawings = _drawings(study.runs, study.curves, tables.targets(study))
    place.mkdir(parents=True, exist_ok=True)
    share([partial(_drawn, drawing, place / name) for name, drawing in drawings.items()])
    return [place / f"{name}.png" for name in drawings]


def _drawn(drawing: Callable[[], Figure], path: Path) -> None:
    _save(drawing(), path)


def save(drawn: Mapping[str, Figure], out: Path) -> list[Path]:
    """Write figures as PNG and as SVG.

    Args:
        drawn: the figures by the name of the file.
        out: the folder to write into.

    Returns:
        The paths of the PNG files.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, figure in drawn.items():
        _save(figure, out / name)
    return [out / f"{name}.png" for name in drawn]


def _save(figure: Figure, path: Path) -> None:
    """Write a figure; the endings come behind the path, whose name may have dots."""
    with own_settings(), matplotlib.rc_context({"svg.hashsalt": path.name}):
        replace(path.with_name(f"{path.name}.png"), _png(figure))
        figure.set_layout_engine("none")  # laid out once is enough
        replace(path.with_name(f"{path.name}.svg"), _svg(figure))


# `savefig` draws every figure twice, for layouts that these do not have.
def _png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    before, buffer = figure.dpi, io.BytesIO()
    figure.dpi = 150
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(buffer)
    figure.dpi = before
    return buffer.getvalue()


def _svg(figure: Figure) -> bytes:
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.BytesIO()
    # Without a date the same table draws the same file.
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(buffer, metadata={"Date": None})
    return buffer.getvalue()
