"""Stored runs to tables."""

from study.tables.best_rates import (
    AROUND,
    MARGIN,
    Wanted,
    best,
    cube,
    on_axes,
    rates_around,
    wanted,
)
from study.tables.cells import cells, valley
from study.tables.cost import costs, hindsight, predicted
from study.tables.files import SIZE_TABLES, TABLES, write
from study.tables.load import (
    CELL,
    SAME,
    budget,
    checks,
    comparable,
    curves,
    curves_of,
    elsewhere,
    frame,
    load,
    of_machine,
)
from study.tables.summaries import envelope, profile, sizes
from study.tables.warnings import COLLAPSE, busy, collapsed, kind_unknown, unreached, warnings

__all__ = [
    "AROUND",
    "CELL",
    "COLLAPSE",
    "MARGIN",
    "SAME",
    "SIZE_TABLES",
    "TABLES",
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
    "of_machine",
    "on_axes",
    "predicted",
    "profile",
    "rates_around",
    "sizes",
    "unreached",
    "valley",
    "wanted",
    "warnings",
    "write",
]
