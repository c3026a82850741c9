"""Time against model size: time = c + k n at each rate, beside other shapes of curve."""

from study.tables.fits.censored import tobit
from study.tables.fits.line import NO_LINE, Line, least_squares, robust
from study.tables.fits.shape import ENOUGH, shape_of, shapes
from study.tables.fits.table import MEASURES, lines, points, sentence
from study.tables.rows import SIZES

__all__ = [
    "ENOUGH",
    "MEASURES",
    "NO_LINE",
    "SIZES",
    "Line",
    "least_squares",
    "lines",
    "points",
    "robust",
    "sentence",
    "shape_of",
    "shapes",
    "tobit",
]
