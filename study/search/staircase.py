"""The staircase search: the rate climbs step by step (Microsoft's ai-edu, LearningRateSearcher).

As in the source, weights are kept from rate to rate, and a stage ends at ten times its start unless
its end is given. The rate at which one stage ends and the next starts comes twice. Two mistakes of
the source are not copied. Its sum of floats loses the last rate of a decade; here rates are counted
in whole numbers. It counts repeats by the epochs of the whole run; here each stage counts its own.

Later rates start from better weights, so a curve with kept weights mixes the rate with the
progress. Two things are not in the source: `fresh` starts every rate from the same weights, and
`Staircase.pick` reads the rate, which the source leaves to the eye.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from study.engines.learner import Learner
from study.errors import StudyError
from study.search.curve import Pick, moved, noise
from study.stopping import heed
from study.validation import integer, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure


DECADE = 10.0
"""A stage ends at this many times its start, unless its end is given."""


MAX_RATES = 100_000
"""Largest number of rates of a stage."""


@dataclass(frozen=True)
class Stage:
    """The rates start, start + step, ... up to stop, with `repeats` units at each.

    Args:
        start: the first rate.
        step: the difference between two rates.
        repeats: units (epochs or steps) at each rate.
        stop: no rate is above it; ten times the start where None.

    Raises:
        StudyError: a value is out of its range.

    >>> Stage(0.1, 0.4, repeats=5).rates
    (0.1, 0.5, 0.9)
    """

    start: float
    step: float
    repeats: int
    stop: float | None = None

    def __post_init__(self) -> None:
        for field in ("start", "step"):
            object.__setattr__(
                self, field, number(f"a stage's {field}", getattr(self, field), 0, 1e12)
            )
        object.__setattr__(self, "repeats", integer("a stage's repeats", self.repeats, 1, 10**6))
        stop = (
            DECADE * self.start
            if self.stop is None
            else number("a stage's stop", self.stop, 0, 1e13)
        )
        if stop < self.start:
            raise StudyError(f"a stage's stop {stop:g} must not be below its start {self.start:g}")
        object.__setattr__(self, "stop", stop)
        if (stop - self.start) / self.step >= MAX_RATES:
            raise StudyError(
                f"a stage from {self.start:g} by {self.step:g} to {stop:g} has more than "
                f"{MAX_RATES} rates: take a larger step"
            )

    @property
    def rates(self) -> tuple[float, ...]:
        """start + i step for i = 0 .. floor((stop - start) / step), to 12 digits."""
        assert self.stop is not None
        count = math.floor((self.stop - self.start) / self.step + 1e-9) + 1
        return tuple(float(f"{self.start + i * self.step:.12g}") for i in range(count))


SEARCHES = {
    "coarse": (
        Stage(1e-4, 1e-4, 10),
        Stage(1e-3, 1e-3, 10),
        Stage(0.01, 0.01, 10),
        Stage(0.1, 0.1, 100),
    ),
    "fine": (Stage(0.1, 0.1, 100), Stage(1.0, 0.01, 100, 1.1)),
}
"""The first two searches of the source."""


@dataclass(frozen=True)
class Row:
    """One unit of a search.

    Args:
        place: number of the rate within the search, from 0; a rate may come twice.
        rate: the rate.
        repeat: number of the unit at this rate, from 1.
        step: steps taken until its end.
        loss: mean loss of its batches; infinite where one was not finite.
        accuracy: mean accuracy of its batches.
    """

    place: int
    rate: float
    repeat: int
    step: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class End:
    """The result of a rate: the mean loss over the later half of its units, and their number."""

    place: int
    rate: float
    loss: float
    units: int


@dataclass(frozen=True)
class Staircase:
    """A finished search of one lane.

    Args:
        rows: its units.
        fresh: whether every rate started from the same weights.
    """

    rows: tuple[Row, ...]
    fresh: bool

    def ends(self) -> list[End]:
        """The result of each rate, in their order."""
        return [_end(list(group)) for _, group in groupby(self.rows, key=lambda row: row.place)]

    def pick(self) -> Pick:
        """The rate with the smallest loss; None where noise explains the whole fall of the loss.

        With kept weights the loss falls as long as the rates are good, so this is the last good
        one.
        """
        finite = [row for row in self.rows if math.isfinite(row.loss)]
        if not finite:
            return Pick(None, "the loss was not finite at any rate: start lower")
        ends = self.ends()
        best = min(ends, key=lambda end: end.loss)
        start, deviation = (
            finite[0].loss,
            _noise([row for row in finite if row.place <= best.place]),
        )
        if not start - best.loss > 1e-6 * abs(start) or not moved(
            start - best.loss, deviation, 1, best.units
        ):
            return Pick(
                None,
                f"the loss never fell by more than its noise explains (it began at {start:.4g})",
            )
        how = "from the same weights" if self.fresh else "with the weights carried on"
        last = "; it is the last of all, and higher ones may do better" if best is ends[-1] else ""
        return Pick(best.rate, f"the rate that led to the least loss, {best.loss:.4g}, {how}{last}")

    def plot(self) -> Figure:
        """Draw the losses over the rates; see `study.figures.staircase`."""
        from study import figures

        return figures.staircase(self)


def parse(text: str) -> tuple[Stage, ...]:
    """The stages that a text names.

    Args:
        text: `coarse`, `fine`, or `START:STEP:REPEATS[:STOP],...`.

    Raises:
        StudyError: another text, or a stage with a value out of its range.
    """
    if text in SEARCHES:
        return SEARCHES[text]
    stages = []
    for part in text.split(","):
        fields = part.strip().split(":")
        if len(fields) not in (3, 4):
            raise StudyError(
                f"search {part.strip()!r} must be {', '.join(SEARCHES)}, or stages that read "
                "START:STEP:REPEATS[:STOP],..."
            )
        stop = number("a stage's stop", fields[3], 0, 1e13) if len(fields) == 4 else None
        # A stage turns digits into numbers.
        stages.append(Stage(fields[0], fields[1], fields[2], stop))  # type: ignore[arg-type]
    return tuple(stages)


def units(stages: Sequence[Stage]) -> int:
    """Largest number of units that a search of these stages takes."""
    return sum(len(stage.rates) * stage.repeats for stage in stages)


def search(
    learner: Learner,
    stages: Sequence[Stage],
    unit_steps: int,
    fresh: bool = False,
    watch: Callable[[Row], None] = lambda row: None,
) -> list[Staircase]:
    """Climb the rates of all stages, all lanes together, and restore the learner.

    A loss that is not finite ends the search of a lane. With `fresh` it ends only that rate, and
    the next starts from the first weights again.

    Args:
        learner: the lanes.
        stages: in their order.
        unit_steps: steps of a unit: 1, or those of an epoch.
        fresh: start every rate from the same weights.
        watch: called after every unit with the row of the first lane.

    Returns:
        A staircase for each lane.

    Raises:
        StudyError: there is no stage, or a unit has no step.
    """
    if not stages:
        raise StudyError("a staircase search needs at least one stage")
    integer("unit_steps", unit_steps, 1, 10**7)
    rows: list[list[Row]] = [[] for _ in range(learner.lanes)]
    alive, taken = np.ones(learner.lanes, bool), 0
    before = learner.snapshot()
    try:
        learner.prepare()
        for place, (rate, repeats) in enumerate(
            (rate, stage.repeats) for stage in stages for rate in stage.rates
        ):
            if fresh:
                learner.restore(before)
                alive[:] = True
            for repeat in range(1, repeats + 1):
                if not alive.any():
                    break
                losses, correct = learner.advance(np.full((unit_steps, learner.lanes), rate))
                heed()
                with np.errstate(over="ignore", invalid="ignore"):
                    means, right = (
                        losses.mean(axis=0, dtype=np.float64),
                        correct.mean(axis=0, dtype=np.float64),
                    )
                taken += unit_steps
                for lane in np.flatnonzero(alive):
                    alive[lane] = np.isfinite(means[lane])
                    loss = float(means[lane]) if alive[lane] else math.inf
                    rows[lane].append(Row(place, rate, repeat, taken, loss, float(right[lane])))
                watch(rows[0][-1])
    finally:
        learner.restore(before)
    return [Staircase(tuple(mine), fresh) for mine in rows]


def _end(rows: Sequence[Row]) -> End:
    half = _later(rows)
    return End(rows[0].place, rows[0].rate, float(np.mean(half)), len(half))


def _later(rows: Sequence[Row]) -> list[float]:
    """The losses of the later half of the units of a rate."""
    return [row.loss for row in rows[len(rows) // 2 :]]


def _noise(rows: Sequence[Row]) -> float:
    """The noise of the loss of a unit.

    It comes from the later halves of the rates, if they are long enough: elsewhere the loss falls.
    """
    halves = [_later(list(group)) for _, group in groupby(rows, key=lambda row: row.place)]
    within = np.concatenate([np.diff(half) for half in halves])
    return noise(within if len(within) >= 3 else np.diff([row.loss for row in rows]))
