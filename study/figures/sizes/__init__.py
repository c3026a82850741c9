"""Training time against model size."""

from study.figures.sizes.drawing import MOST_NAMED
from study.figures.sizes.lines import size, sizes, slopes
from study.figures.sizes.rates import size_parts, size_valley

__all__ = ["MOST_NAMED", "size", "size_parts", "size_valley", "sizes", "slopes"]
