"""Stored runs to tables."""

from study.tables.best_rates import (
    AROUND,
    MARGIN,
    Scatter,
    Wanted,
    best,
    cube,
    on_axes,
    rates_around,
    scatter,
    wanted,
)
from study.tables.cells import cells, envelope, profile, sizes, valley
from study.tables.cost import costs, hindsight, predicted
from study.tables.files import SIZE_TABLES, TABLES, write, write_csv
from study.tables.rows import CELL, SAME, budget, comparable, curves_of, frame, some
from study.tables.stored import Source, StoredStudy, checks, curves, elsewhere, load, stored
from study.tables.warnings import COLLAPSE, busy, collapsed, kind_unknown, unreached, warnings

__all__ = [
    "AROUND",
    "CELL",
    "COLLAPSE",
    "MARGIN",
    "SAME",
    "SIZE_TABLES",
    "TABLES",
    "Scatter",
    "Source",
    "StoredStudy",
    "Wanted",
    "best",
    "budget",
    "busy",
    "cells",
    "checks",
    "collapsed",
    "comparable",
    "costs",
    "cube",
    "curves",
    "curves_of",
    "elsewhere",
    "envelope",
    "frame",
    "hindsight",
    "kind_unknown",
    "load",
    "on_axes",
    "predicted",
    "profile",
    "rates_around",
    "scatter",
    "sizes",
    "some",
    "stored",
    "unreached",
    "valley",
    "wanted",
    "warnings",
    "write",
    "write_csv",
]
