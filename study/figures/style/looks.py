"""How each optimizer looks, in every figure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

from study.spec.trial import OPTIMIZERS
from study.tables.rows import in_order

if TYPE_CHECKING:
    import pandas as pd


LABELS = {
    "sgd": "SGD",
    "momentum": "Momentum",
    "adam": "Adam",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
    "rmsprop": "RMSProp",
}


PALETTE = (
    *("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc"),
    *("#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9"),
)
"""seaborn's `colorblind`, which takes a second to import."""


COLOURS = dict(zip(OPTIMIZERS, PALETTE, strict=False))


MARKERS = dict(zip(OPTIMIZERS, "osD^vP", strict=True))


NAMES = LABELS | {
    "adafactor": "Adafactor",
    "adamax": "Adamax",
    "adamw": "AdamW",
    "asgd": "ASGD",
    "ftrl": "Ftrl",
    "lamb": "LAMB",
    "lion": "Lion",
    "muon": "Muon",
    "nadam": "Nadam",
    "radam": "RAdam",
    "rprop": "Rprop",
}
"""How optimizers are written; another's name stands as it is."""


OTHER_COLOURS = ("#882255", "#999933", "#332288", "#56b4e9", "#00707a")
OTHER_MARKERS = "<>p*hdX"
OTHER_LINES = ("-", "--", "-.")
"""Of optimizers beside the six. No two of fifteen have curves alike."""


WIDEST_LABEL = 32
"""Letters of a legend's line; a longer label has several lines."""


@dataclass(frozen=True)
class Look:
    """How an optimizer looks.

    Args:
        label: its name, in lines that fit a legend.
        colour: of its curve and points.
        marker: of its points.
        line: the style of its curve.
    """

    label: str
    colour: Any
    marker: str
    line: str = "-"

    @property
    def points(self) -> dict[str, Any]:
        """How points are drawn, as matplotlib takes it."""
        return {"color": self.colour, "marker": self.marker}

    @property
    def curve(self) -> dict[str, Any]:
        """How a curve without points is drawn."""
        return {"color": self.colour, "linestyle": self.line}


def label_of(name: str) -> str:
    """An optimizer with its settings, as it is written.

    >>> label_of("adam"), label_of("sgd(momentum=0.9,nesterov=true)")
    ('Adam', 'SGD (momentum=0.9, nesterov=true)')
    """
    head, bracket, settings = name.partition("(")
    spaced = f" ({settings.replace(',', ', ')}" if bracket else ""
    return NAMES.get(head, head.lstrip("_")) + spaced  # a legend hides what begins with a _


def folded(label: str) -> str:
    """A label in lines that fit a legend."""
    options: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(label, WIDEST_LABEL, **options)


def looks(names: Iterable[str]) -> dict[str, Look]:
    """How each of a study's optimizers looks, in the order of `in_order`.

    The six of the built-in networks look the same in every study. How others look follows from
    their places among the others of their study.

    Args:
        names: all optimizers of the study.

    Returns:
        The looks by the optimizer.
    """
    ordered = in_order(names)
    others = [name for name in ordered if name not in COLOURS]
    lines = cycle(line for line in OTHER_LINES for _ in OTHER_COLOURS)
    beyond = zip(others, cycle(OTHER_COLOURS), cycle(OTHER_MARKERS), lines, strict=False)
    drawn = {name: (COLOURS[name], MARKERS[name], "-") for name in COLOURS}
    drawn |= {name: (colour, marker, line) for name, colour, marker, line in beyond}
    return {name: Look(folded(label_of(name)), *drawn[name]) for name in ordered}


def looks_of(runs: pd.DataFrame) -> dict[str, Look]:
    """The looks of the optimizers of some runs, and of those of their study that have none."""
    return looks(map(str, runs["optimizer"].cat.categories))
