"""The bands of rates that work: their holes and their ends.

A seed may shift an end of a band, so an end is known to one step of the grid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from study.claims.frame import Grid
from study.storage.records import Outcome


def holes(state: NDArray[np.int64]) -> tuple[int, int]:
    """The widest hole in a band: neighbouring rates that fail between two that work.

    Returns:
        Its width in rates: at least, whatever the missing trials do, and at most.
    """

    def widest(inside: NDArray[np.bool_], failing: NDArray[np.bool_]) -> int:
        places = np.flatnonzero(inside)
        runs, now = [0], 0
        for i in range(places[0], places[-1] + 1) if len(places) else ():
            now = now + 1 if failing[i] else 0
            runs.append(now)
        return max(runs)

    least = widest(state == 1, state == -1)
    possible = np.flatnonzero(state >= 0)
    most = 0
    for a, start in enumerate(possible):
        for end in possible[a + 1 :]:
            if (state[start + 1 : end] == 1).any():
                break
            most = max(most, int(end - start - 1))
    return least, most


def surely_works(state: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(..., rates), the rates that work whose neighbours work, too."""
    return np.asarray((state == 1) & ~_beside(state != 1))


def possibly_works(state: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(..., rates), the rates that work or of which it is not known, and their neighbours."""
    return np.asarray((state >= 0) | _beside(state == 1))


def _beside(what: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(..., rates), whether it is so at a neighbouring rate."""
    found = np.zeros_like(what)
    found[..., 1:] |= what[..., :-1]
    found[..., :-1] |= what[..., 1:]
    return found


def counts(state: NDArray[np.int64]) -> tuple[int, int]:
    """The least and the most number of rates that work, an end of a band known to one step."""
    return int(surely_works(state).sum()), int(possibly_works(state).sum())


def ends_as_claimed(grid: Grid, optimizer: str) -> bool:
    """Whether most trials below the optimizer's band run out of time, and most above it break."""
    i = grid.optimizers.index(optimizer)
    band = np.flatnonzero(grid.state[i] == 1)
    below, above = grid.outcomes[i, : band[0]], grid.outcomes[i, band[-1] + 1 :]
    broken = [
        (np.isin(part, [Outcome.DIVERGED, Outcome.STUCK])).mean() if part.size else None
        for part in (below, above)
    ]
    return (broken[0] is None or broken[0] < 0.5) and (broken[1] is None or broken[1] > 0.5)
