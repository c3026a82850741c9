"""Is a line enough? Shapes of time against size, compared by AICc."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from study.tables.intervals import Floats

ENOUGH = 4.0
"""A line is enough where no other shape's AICc is lower by more: below it the line has considerable
support (Burnham and Anderson 2002).
"""


def shapes(n: Floats, t: Floats) -> dict[str, float]:
    """AICc of three shapes of time against size, each with normal scatter; less is better.

    AICc = m log(RSS / m) + 2 p + 2 p (p + 1) / (m - p - 1), m points, p parameters with the
    scatter's (Hurvich and Tsai 1989).

    Args:
        n: (points,), the sizes.
        t: (points,), the times.

    Returns:
        AICc of `line`, c + k n; `quadratic`, c + k n + q n^2; and `power`, a n^b. Infinite if there
        are too few points.
    """
    x, y = n / np.median(n), t / np.median(t)

    def aicc(predicted: NDArray[np.floating[Any]], parameters: int) -> float:
        m = len(y)
        if m - parameters - 1 <= 0:
            return math.inf
        rss = max(float(((y - predicted) ** 2).sum()), 1e-12 * m)
        return (
            m * math.log(rss / m)
            + 2 * parameters
            + 2 * parameters * (parameters + 1) / (m - parameters - 1)
        )

    found = {
        "line": aicc(np.polyval(np.polyfit(x, y, 1), x), 3),
        "quadratic": math.inf,
        "power": math.inf,
    }
    if len(set(x)) > 3:
        found["quadratic"] = aicc(np.polyval(np.polyfit(x, y, 2), x), 4)
    with warnings.catch_warnings(), suppress(RuntimeError):  # no power law comes near
        warnings.simplefilter(
            "ignore", optimize.OptimizeWarning
        )  # of its parameters' errors, which are not used
        (a, b), _ = optimize.curve_fit(lambda x, a, b: a * x**b, x, y, p0=(1.0, 1.0), maxfev=2000)
        found["power"] = aicc(a * x**b, 3)
    return found


def shape_of(aicc: Mapping[str, float]) -> str | None:
    """The shape that holds: the line, unless another's AICc is lower by more than `ENOUGH`.

    None if there are too few points to compare them.
    """
    if not math.isfinite(aicc["line"]) or not math.isfinite(aicc["quadratic"]):
        return None
    least = min(aicc, key=lambda name: aicc[name])
    return least if aicc["line"] - aicc[least] > ENOUGH else "line"
