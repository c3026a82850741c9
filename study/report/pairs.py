"""A page on which the figures of several studies stand beside each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from study import figures
from study.report.page import environment
from study.report.pictures import Picture, drawings, picture
from study.storage.jsonl import replace
from study.tables import clocks, compare

TEMPLATE = "pairs.html.j2"


OVERLAID = {
    "valleys-seconds": "Valleys over each other, in seconds",
    "valleys-steps": "Valleys over each other, in steps",
    "valleys-relative": "Valleys over each other, each relative to its study's best time",
}
"""What `overlay` shows, by the name of its file."""


@dataclass(frozen=True)
class Pair:
    """The same figure of each study.

    Args:
        title: what it shows.
        pictures: one of each study.
    """

    title: str
    pictures: tuple[Picture, ...]


def write(
    studies: Sequence[compare.Side],
    said: Sequence[str],
    overlays: Mapping[str, Figure],
    out: Path,
) -> Path:
    """Write the page.

    Args:
        studies: as `compare.sides` gives them.
        said: sentences on what differs.
        overlays: figures of all studies together, by the name of the file.
        out: the file.

    Returns:
        The path of the file.
    """
    values: dict[str, Any] = {
        "names": [side.name for side in studies],
        "notes": compare.notes(studies),
        "differences": said,
        "best": best_rates(studies),
        "implied": _cells(clocks.implied(studies)),
        "pairs": pairs(studies),
        "overlays": [
            picture(figure, OVERLAID[name], OVERLAID[name]) for name, figure in overlays.items()
        ],
    }
    text = environment().get_template(TEMPLATE).render(values)
    out.parent.mkdir(parents=True, exist_ok=True)
    replace(out, text.encode(errors="backslashreplace"))
    return out


def pairs(studies: Sequence[compare.Side]) -> list[Pair]:
    """The figures that all studies have, in the order of the first one's."""
    drawn = [{one.kind: one for one in drawings(side.source)} for side in studies if side.source]
    common = [kind for kind in drawn[0] if all(kind in each for each in drawn)]
    return [
        Pair(kind.replace("-", " ").capitalize(), tuple(each[kind] for each in drawn))
        for kind in common
    ]


def best_rates(studies: Sequence[compare.Side]) -> list[dict[str, str]]:
    """The best rates, and their times relative to the study's least, a row an optimizer."""
    table = compare.best(studies)
    rows = []
    found: dict[Any, Any] = table.to_dict("index")
    for (width, optimizer), each in found.items():
        row = {"optimizer": figures.label_of(str(optimizer)), "width": f"{width:g}"}
        for side in studies:
            least = table[side.name, "seconds"].loc[width].min()
            mine = {name: float(value) for (of, name), value in each.items() if of == side.name}
            row |= {
                f"{side.name}: rates that work": f"{mine['arrived']:.0f} of {mine['rates']:.0f}",
                f"{side.name}: best rate": _number(mine["best_rate"]),
                f"{side.name}: time, over the least": _number(mine["seconds"] / least),
            }
        rows.append(row)
    return rows


def _cells(table: pd.DataFrame) -> list[dict[str, str]]:
    """A table's rows as text."""
    return [
        {
            str(name): value if isinstance(value, str) else _number(value)
            for name, value in row.items()
        }
        for row in table.to_dict("records")
    ]


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "-"
