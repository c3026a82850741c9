"""Training time against model size."""

from study.figures.sizes.factors import MOST_NAMED, draw_censored, size_parts, size_valley
from study.figures.sizes.shapes import size, sizes, slopes

__all__ = ["MOST_NAMED", "draw_censored", "size", "size_parts", "size_valley", "sizes", "slopes"]
