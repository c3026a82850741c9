"""Times on a line in the size, and how often an interval of the line covers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from study.tables.fits import Line, tobit
from study.tables.intervals import Floats

C, K = 5.0, 2e-4


def truth(sizes: int, grows: bool, count: int, scatter: float = 0.2) -> Iterator[Any]:
    """Sizes, and times on a line: scatter is a share of each, or the same share of their mean
    (there a little less, so that no time is negative).
    """
    n = np.linspace(3e3, 3e5, sizes)
    line = C + K * n
    for seed in range(count):
        noise = np.random.default_rng([seed, sizes]).normal(size=sizes)
        yield n, line + scatter * noise * (line if grows else line.mean() * 0.43)


def covers(line: Line) -> Floats:
    return np.array([line.c_low <= C <= line.c_high, line.k_low <= K <= line.k_high], float)


def coverage(sizes: int, grows: bool, late: float, count: int) -> Floats:
    """The shares of lines whose c and whose k the likeliest line's intervals cover.

    Args:
        sizes: how many there are.
        grows: whether the scatter grows with the time.
        late: the share of times that are beyond the cap.
        count: of so many lines.
    """
    found = []
    for n, t in truth(sizes, grows, count):
        cap = C + K * np.quantile(n, 1 - late) if late else np.inf
        found.append(covers(tobit(n, np.minimum(t, cap), t > cap)[0]))
    return np.asarray(np.mean(found, axis=0))
