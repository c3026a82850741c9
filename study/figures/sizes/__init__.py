"""Training time against model size."""

from study.figures.sizes.drawing import MOST_NAMED
from study.figures.sizes.rates import size_parts, size_valley
from study.figures.sizes.shapes import size, sizes, slopes

__all__ = ["MOST_NAMED", "size", "size_parts", "size_valley", "sizes", "slopes"]
