"""What a learner of the user's model needs of a framework, and what it is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from study.engines.learner import Floats
from study.engines.own.code import Code
from study.engines.own.data.feeds import Order
from study.engines.own.optimizers import Named


@dataclass(frozen=True)
class Task:
    """A model with an optimizer, as a program trains it.

    Args:
        code: the user's.
        width: what `build` is given.
        optimizer: of every lane.
        metric: the metric's name without `val_`; `loss` is always there.
        batch: (x, y) or (x, y, weights) of a step, to make the model with.
    """

    code: Code
    width: float
    optimizer: Named
    metric: str
    batch: Any


class Program(Protocol):
    """Trains lanes of one model with one optimizer. A state is never changed, but made anew."""

    together: bool
    """Whether the lanes train in one array; else one after another."""

    def begin(self, seed: int, lanes: int) -> Any:
        """The state of so many lanes before the first step."""
        ...

    def take(self, state: Any, lanes: Sequence[int]) -> Any:
        """The state of some lanes, in this order; one may come twice."""
        ...

    def steps(self, state: Any, arrays: Any, order: Order, rates: Floats) -> Any:
        """Take steps, and wait until they are done.

        Args:
            state: of K lanes.
            arrays: (x, y) or (x, y, weights), each a tree of arrays, (N, ...).
            order: rows of a batch, (T, B).
            rates: (T, K).

        Returns:
            The new state, the losses before each step (T, K), and the metric on each batch (T, K).
        """
        ...

    def measure(self, state: Any, batches: Iterable[Any]) -> Floats:
        """The metric over batches without training, (K,)."""
        ...

    def weights(self, state: Any, lane: int) -> list[Any]:
        """The arrays of a lane's model, its statistics included, in one order."""
        ...
