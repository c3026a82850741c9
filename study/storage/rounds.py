"""What timing found: seconds of a step, round by round."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

import numpy as np

from study.machine.quiet import Load


@dataclass(frozen=True)
class Rounds:
    """Step times of one trial or array, round by round.

    Args:
        seconds: seconds of a step in each round.
        steps: steps of a round.
        processor: processor seconds of a step in each round; empty if a GPU computes.
        load: how busy other programs kept the machine; None if this was not measured.
    """

    seconds: list[float]
    steps: int
    processor: list[float] = field(default_factory=list)
    load: Load | None = None

    @property
    def estimate(self) -> float:
        """Seconds of a step on a quiet machine, as well as the rounds tell.

        The median, if the machine was quiet or a GPU computed. Other programs only add time. On a
        busy machine two values bound the step time from above, and the smaller one counts: the
        lower quartile of the rounds, and the processor seconds, because a step that keeps a
        processor busy takes no longer than that on its own.
        """
        if self.load is None or self.load.quiet or not self.processor:
            return statistics.median(self.seconds)
        bounds = (float(np.quantile(self.seconds, 0.25)), statistics.median(self.processor))
        return min(bounds)
