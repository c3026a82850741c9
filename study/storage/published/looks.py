"""How far apart the published code looked at the accuracy, from the times of arrival alone.

A trial ends at a look. So arrivals at one look lie close together, and those at the next lie one
spacing apart. Steps of two optimizers do not take the same time, so gaps within each are counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

SPREAD = 1.25
"""Gaps of one spacing lie within this factor: a step does not take the same time everywhere."""

EMPTY = 1.5
"""No gap lies between those of one spacing and this factor below or above them."""

FEWEST = 8
"""Gaps that make a spacing."""


@dataclass(frozen=True)
class Looks:
    """The spacing of looks, and what it was estimated from.

    Args:
        seconds: the median of the gaps of one spacing.
        low, high: the shortest and the longest of them, in seconds.
        gaps: their number.
        of: the number of all gaps.
        below, above: the next shorter and the next longer gap, in seconds; 0 and infinity where
            there is none.
    """

    seconds: float
    low: float
    high: float
    gaps: int
    of: int
    below: float
    above: float

    def __str__(self) -> str:
        return (
            f"of {self.of} gaps between an optimizer's neighbouring arrivals {self.gaps} take "
            f"{self.low:.2f} to {self.high:.2f} s, the next shorter one {self.below:.2f} s, the "
            f"next longer one {self.above:.2f} s; the median of the {self.gaps} is "
            f"{self.seconds:.2f} s"
        )


def spacing(arrivals: Iterable[Iterable[float]]) -> Looks | None:
    """The spacing of looks.

    The gaps between neighbouring arrivals are of no look, of one, of two and so on. The most that
    lie within a factor of `SPREAD` are of one, if none is near them.

    Args:
        arrivals: the times of arrival in seconds, optimizer by optimizer.

    Returns:
        The spacing; None if the gaps do not fall into such groups.
    """
    gaps = sorted(
        later - earlier for times in arrivals for earlier, later in pairwise(sorted(set(times)))
    )
    groups = [[gap for gap in gaps if low <= gap <= SPREAD * low] for low in gaps]
    one = max(groups, key=len, default=[])
    if len(one) < FEWEST:
        return None
    low, high = one[0], one[-1]
    below = max((gap for gap in gaps if gap < low), default=0.0)
    above = min((gap for gap in gaps if gap > high), default=math.inf)
    if below > low / EMPTY or above < EMPTY * high:
        return None
    return Looks(median(one), low, high, len(one), len(gaps), below, above)
