"""The rates of each optimizer that work, the best of them, and how sure that is."""

from study.tables.best_rates.axes import cube, on_axes
from study.tables.best_rates.fresh import CONFIRM, SELECTED, Selection, confirmed
from study.tables.best_rates.noise import (
    ONE_DRAW,
    Scatter,
    best_margin,
    centres,
    least_margins,
    pair_margin,
    scatter,
)
from study.tables.best_rates.table import best
from study.tables.best_rates.training import AROUND, MARGIN, Wanted, rates_around, wanted

__all__ = [
    "AROUND",
    "CONFIRM",
    "MARGIN",
    "ONE_DRAW",
    "SELECTED",
    "Scatter",
    "Selection",
    "Wanted",
    "best",
    "best_margin",
    "centres",
    "confirmed",
    "cube",
    "least_margins",
    "on_axes",
    "pair_margin",
    "rates_around",
    "scatter",
    "wanted",
]
