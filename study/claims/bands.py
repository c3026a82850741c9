"""The bands of rates that work: their holes and their ends.

A seed may shift an end of a band, so an end is known to one step of the grid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from study.claims.evidence import Evidence, Known, beyond
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
    return as_claimed(below[below != ""], above[above != ""])


def as_claimed(below: NDArray[np.str_], above: NDArray[np.str_]) -> bool:
    """Whether most of the first ran out of time, and most of the second broke; empty is as good."""
    broken = [
        (np.isin(part, [Outcome.DIVERGED, Outcome.STUCK])).mean() if part.size else None
        for part in (below, above)
    ]
    return (broken[0] is None or broken[0] < 0.5) and (broken[1] is None or broken[1] > 0.5)


def ends_beyond(study: Evidence, studies: Known, grid: Grid, optimizer: str) -> bool:
    """Whether a band that reaches the grid's edge ends at rates that other studies tried.

    None of them arrived there, and they ended as claimed.
    """
    row = grid.state[grid.optimizers.index(optimizer)]
    width = 1.0 if 1.0 in study.spec.widths else study.spec.widths[0]
    tried = beyond(study, studies, optimizer, width)
    below, above = (
        tried["outcome"][side].to_numpy(str)
        for side in (
            tried["learning_rate"] < grid.rates[0],
            tried["learning_rate"] > grid.rates[-1],
        )
    )
    open_ = (row[0] == 1 and not below.size) or (row[-1] == 1 and not above.size)
    arrived = bool((tried["outcome"] == Outcome.REACHED).any())
    return not open_ and not arrived and as_claimed(below, above)
