"""The one seam: a Learner trains K models ("lanes") at once, each at its own learning rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from study.spec.trial import Trial

Floats = NDArray[np.floating[Any]]


Bools = NDArray[np.bool_]


T = TypeVar("T")


LANE_SIZES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 144, 192, 288)
"""Arrays have one of these numbers of lanes, since each number costs a compilation."""


def array_size(lanes: int) -> int:
    """The smallest array that holds so many lanes."""
    return next(size for size in LANE_SIZES if size >= lanes)


def padded(items: Sequence[T], size: int) -> list[T]:
    """The items, then the first again until there are `size`: padding lanes repeat a lane that
    trains anyway.
    """
    return [*items, *[items[0]] * (size - len(items))]


class Learner(Protocol):
    """K models in lockstep: same width, seed, initial weights and batches; rates and update rules
    differ. No operation mixes lanes.
    """

    lanes: int
    """K, the lanes in the array."""

    def prepare(self) -> None:
        """Compile for the present number of lanes where that is still to be done, and change
        nothing: what comes before the clock.
        """
        ...

    def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
        """Take T steps at `rates` (T, K); return losses (T, K) and fractions of the batch
        classified right (T, K), device finished.

        `momenta` (T, K) are Momentum's coefficients, 0.5 where they are not given; lanes of other
        optimizers have none.
        """
        ...

    def evaluate(self, test: bool = False) -> Floats:
        """Accuracy of each lane on the validation set, or on the test set, (K,)."""
        ...

    def stuck(self, lanes: Sequence[int]) -> Bools:
        """Which of the given lanes can provably never learn again, at a rate that never rises; one
        truth value each.
        """
        ...

    def snapshot(self) -> Any:
        """Weights, optimizer slots, step counter and place in the batch order, bit for bit."""
        ...

    def restore(self, state: Any) -> None:
        """Go back to a snapshot, its number of lanes included."""
        ...

    def keep(self, lanes: Sequence[int]) -> None:
        """Keep the lanes at these indices, slots included, in this order; one may come twice."""
        ...


CHUNK = 50
"""Steps that a search's learner takes at once: one that has ended costs at most so many more."""


def advance_finite(
    learner: Learner, rates: Floats, momenta: Floats | None = None
) -> Iterator[tuple[Floats, Floats, Bools]]:
    """Take T steps at `rates` (T, K), `CHUNK` at a time; yield each chunk's losses and fractions
    classified right, as `Learner.advance` has them, and which lanes' losses were all finite so far,
    (K,).
    """
    finite: Bools = np.ones(learner.lanes, bool)
    for begin in range(0, len(rates), CHUNK):
        chunk = slice(begin, begin + CHUNK)
        losses, correct = learner.advance(rates[chunk], None if momenta is None else momenta[chunk])
        finite = finite & np.isfinite(losses).all(axis=0)
        yield losses, correct, finite


def constant_rates(row: Sequence[float], steps: int, lanes: int) -> Floats:
    """Rates (steps, lanes) that stay: the row's, padded. A view, which takes no memory."""
    return np.broadcast_to(np.array(padded(row, lanes), float), (steps, lanes))


class Engine(Protocol):
    """Makes learners; the one thing the outside world needs of the tensor world."""

    def learner(self, trials: Sequence[Trial]) -> Learner:
        """A fresh learner with a lane for each trial; they differ in optimizer and rate alone."""
        ...
