"""Time against model size: time = c + k n at each rate, beside other shapes."""

from study.tables.fits.censored import tobit
from study.tables.fits.curves import curves
from study.tables.fits.line import NO_LINE, Line, least_squares, robust
from study.tables.fits.shape import ENOUGH, Fit, fitted, shape_of, shapes
from study.tables.fits.table import MEASURES, lines, points
from study.tables.fits.words import NAMES, factors, jump, sentence, sentences, step_times
from study.tables.rows import SIZES

__all__ = [
    "ENOUGH",
    "MEASURES",
    "NAMES",
    "NO_LINE",
    "SIZES",
    "Fit",
    "Line",
    "curves",
    "factors",
    "fitted",
    "jump",
    "least_squares",
    "lines",
    "points",
    "robust",
    "sentence",
    "sentences",
    "shape_of",
    "shapes",
    "step_times",
    "tobit",
]
