"""The report's figures as pictures inside the page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from matplotlib.figure import Figure

from study import figures, tables
from study.figures.style.titles import unit_of
from study.spec.goals import label as words_of
from study.spec.goals import of_curves

DPI = 150
"""Dots an inch, as the figures' own files have: a picture opened at its full size is larger than
the page's column.
"""


AT_BEST = " at its best rate"
"""Of the curves of a study; published ones do not tell their rates."""


ALT = {
    "valley": (
        "Seconds of training against learning rate, both logarithmic, a curve an "
        "optimizer; above it how each other trial ended"
    ),
    "final": "The metric at the end of training against learning rate, a curve an optimizer",
    "envelope": "The fastest and the slowest optimizer's seconds at each learning rate",
    "profile": "Share of each optimizer's trials that arrive within a multiple of the fastest time",
    "targets": "Steps of training as the target rises, at the best rate and over many rates",
    "curves": f"Validation accuracy against seconds of training, a curve an optimizer{AT_BEST}",
    "size": (
        "Seconds of training against weights at one rate, a dot a trial, with its straight line"
    ),
    "sizes": "Seconds of training against weights at every rate, each with the shape that holds",
    "size-valley": "Seconds of training against learning rate, a curve for each model size",
    "slopes": "Seconds for each million weights more, against learning rate, with 95 % intervals",
    "size-parts": (
        "Steps to the target against weights at every rate; below, milliseconds of a "
        "step against weights"
    ),
}
"""What each figure shows, for readers who do not see it."""


@dataclass(frozen=True)
class Picture:
    """A figure as a PNG in base 64.

    Args:
        name: what it is called.
        alt: a sentence on what it shows.
        data: the PNG.
        kind: the name of its file.
    """

    name: str
    alt: str
    data: str
    kind: str = ""


def picture(figure: Figure, name: str, alt: str, kind: str = "") -> Picture:
    """Make a picture of a figure.

    Args:
        figure: the figure.
        name: its name.
        alt: what it shows, for those who do not see it.
        kind: the name of its file.

    Returns:
        The picture.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI, format="png")
    return Picture(name, alt, base64.b64encode(buffer.getvalue()).decode(), kind)


def drawings(study: tables.StoredStudy) -> list[Picture]:
    """Every figure of a study."""
    found, unit = [], unit_of(tables.timed(study.runs))
    drawn = figures.draw(study.runs, study.curves, tables.targets(study))
    for name, figure in drawn.items():
        kind = max((kind for kind in ALT if name.startswith(kind)), key=len)
        of = name[len(kind) + 1 :].replace("width-", "width ")
        label = f"{kind.replace('-', ' ')}{of and f' {of}'} of {study.spec.name}"
        alt = ALT[kind] if study.published is None else ALT[kind].replace(AT_BEST, "")
        shown = words_of(of_curves(study.spec.metric))
        alt = alt.replace("Validation accuracy", shown[:1].upper() + shown[1:])
        alt = alt.replace("Seconds", unit.capitalize()).replace("seconds", unit)
        if "unit" in study.runs:
            alt = alt.replace("Steps", f"{study.runs['unit'].iloc[0]}s".capitalize())
        found.append(picture(figure, label, f"{alt} ({of})" if of else alt, name))
    return found
