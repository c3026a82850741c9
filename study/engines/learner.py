"""The seam: a Learner trains K models ("lanes") at once, each at its own learning rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from study.spec.trial import Trial
from study.stopping import heed

Floats = NDArray[np.floating[Any]]


Bools = NDArray[np.bool_]


T = TypeVar("T")


LANE_SIZES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 144, 192, 288)
"""The sizes that an array may have; they are few, since each costs a compilation."""


FEW_SIZES = (1, 4, 8, 16, 48, 96, 144, 288)
"""The sizes on a GPU that XLA compiles for. There idle lanes cost little, and a compilation costs
thousands of steps.
"""


def array_size(lanes: int, sizes: Sequence[int] = LANE_SIZES) -> int:
    """The smallest of the sizes of an array that holds `lanes` lanes.

    >>> array_size(5)
    8
    """
    return next(size for size in sizes if size >= lanes)


def padded(items: Sequence[T], size: int) -> list[T]:
    """The items, followed by copies of the first up to the length `size`.

    So padding lanes repeat a lane that trains anyway.

    >>> padded(["a", "b"], 4)
    ['a', 'b', 'a', 'a']
    """
    return [*items, *[items[0]] * (size - len(items))]


class Learner(Protocol):
    """K models in lockstep, which differ in rates and update rules alone.

    They share width, seed, initial weights and batches. No operation mixes lanes.
    """

    lanes: int
    """K, the lanes in the array."""

    sizes: Sequence[int]
    """The sizes that its arrays should have."""

    form: str | None
    """The form of the second convolution, where there are several."""

    metric: str
    """The name of what `advance` tells beside the losses."""

    sign: int
    """1 where a larger value of the metric is better, -1 where a smaller one is."""

    def prepare(self) -> None:
        """Compile for the present number of lanes, if needed, and change nothing.

        It is called before the clock runs.
        """
        ...

    def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
        """Take T steps, and wait until the device has finished.

        Args:
            rates: a learning rate for each step and lane, (T, K).
            momenta: coefficients of momentum, (T, K); an optimizer's own where None or NaN. One
                without momentum ignores them.

        Returns:
            Losses (T, K), each before its step, and the metric on each batch (T, K): the fraction
            classified right of the built-in networks.
        """
        ...

    def evaluate(self, test: bool = False) -> Floats:
        """The metric of each lane on the validation set, or if `test` on the test set, (K,)."""
        ...

    def stuck(self, lanes: Sequence[int]) -> Bools:
        """Which lanes can provably never learn again, at rates and momenta that never rise.

        Args:
            lanes: indices of the lanes to examine.

        Returns:
            A truth value for each of them; False where there is no proof.
        """
        ...

    def snapshot(self) -> Any:
        """Weights, optimizer slots, number of steps and place in the batch order, bit for bit."""
        ...

    def restore(self, state: Any) -> None:
        """Go back to a snapshot, its number of lanes included."""
        ...

    def keep(self, lanes: Sequence[int]) -> None:
        """Keep these lanes with their slots, in this order, and drop the others.

        Args:
            lanes: indices of lanes; one may come twice.
        """
        ...


CHUNK = 50
"""Steps that a search takes at once; a lane that has ended costs at most this many more."""


def advance_finite(
    learner: Learner, rates: Floats, momenta: Floats | None = None
) -> Iterator[tuple[Floats, Floats, Bools]]:
    """Take T steps, `CHUNK` at a time, and watch for losses that are not finite.

    Args:
        learner: takes the steps.
        rates: (T, K).
        momenta: (T, K), or None; as in `Learner.advance`.

    Yields:
        Of each chunk, the losses and the fractions classified right, as `Learner.advance` returns
        them, and which lanes have had finite losses alone so far, (K,).
    """
    finite: Bools = np.ones(learner.lanes, bool)
    # One whose lanes start again at each call is called once.
    size = max(1, len(rates)) if getattr(learner, "again", False) else CHUNK
    for begin in range(0, len(rates), size):
        chunk = slice(begin, begin + size)
        losses, correct = learner.advance(rates[chunk], None if momenta is None else momenta[chunk])
        heed()
        finite = finite & np.isfinite(losses).all(axis=0)
        yield losses, correct, finite


def constant_rates(row: Sequence[float], steps: int, lanes: int) -> Floats:
    """Rates that stay the same over all steps.

    Args:
        row: a rate for each lane that is no padding.
        steps: T.
        lanes: K, padding included.

    Returns:
        (T, K), a view that takes no memory.
    """
    return np.broadcast_to(np.array(padded(row, lanes), float), (steps, lanes))


class Engine(Protocol):
    """Makes learners: all that other packages need of the tensors."""

    def learner(self, trials: Sequence[Trial]) -> Learner:
        """A fresh learner with a lane for each trial; trials differ in optimizer and rate alone."""
        ...
