"""Several learners as one: lanes of different optimizers, which are different programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from study.engines.learner import Bools, Floats, Learner
from study.engines.own.lanes import ANY


class Blocks:
    """See `study.engines.learner.Learner`.

    Args:
        learners: each trains the lanes of one block.
        places: of each lane its block, and its place in that.
    """

    form: str | None = None

    def __init__(self, learners: Sequence[Learner], places: Sequence[tuple[int, int]]) -> None:
        self.learners, self.places = list(learners), list(places)
        self.sizes: Sequence[int] = ANY
        self.lanes = len(self.places)
        self.metric, self.sign = learners[0].metric, learners[0].sign

    def prepare(self) -> None:
        """See `Learner.prepare`."""
        for block in self._used():
            self.learners[block].prepare()

    def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
        """See `Learner.advance`."""
        rates = np.asarray(rates, float)
        losses, found = np.empty(rates.shape), np.empty(rates.shape)
        for block in self._used():
            learner, mine = self.learners[block], self._mine(block)
            given = np.zeros((len(rates), learner.lanes))
            for lane, place in mine:
                given[:, place] = rates[:, lane]
            told = learner.advance(given)
            for lane, place in mine:
                losses[:, lane], found[:, lane] = told[0][:, place], told[1][:, place]
        return losses, found

    def evaluate(self, test: bool = False) -> Floats:
        """See `Learner.evaluate`."""
        return self._by_lane(lambda learner: learner.evaluate(test))

    def stuck(self, lanes: Sequence[int]) -> Bools:
        """See `Learner.stuck`."""
        return np.zeros(len(lanes), bool)

    def snapshot(self) -> Any:
        """See `Learner.snapshot`."""
        return [learner.snapshot() for learner in self.learners], list(self.places)

    def restore(self, state: Any) -> None:
        """See `Learner.restore`."""
        for learner, own in zip(self.learners, state[0], strict=True):
            learner.restore(own)
        self.places = list(state[1])
        self.lanes = len(self.places)

    def keep(self, lanes: Sequence[int]) -> None:
        """See `Learner.keep`."""
        kept = [self.places[lane] for lane in lanes]
        places: list[tuple[int, int]] = [(0, 0)] * len(kept)
        for block, learner in enumerate(self.learners):
            mine = [at for at, (of, _) in enumerate(kept) if of == block]
            if not mine:
                continue
            wanted = [kept[at][1] for at in mine]
            size = next(size for size in learner.sizes if size >= len(wanted))
            learner.keep([*wanted, *[wanted[0]] * (size - len(wanted))])
            for place, at in enumerate(mine):
                places[at] = (block, place)
        self.places, self.lanes = places, len(places)

    def _used(self) -> list[int]:
        return sorted({block for block, _ in self.places})

    def _mine(self, block: int) -> list[tuple[int, int]]:
        """The lanes of a block, and their places in it."""
        return [(lane, at) for lane, (of, at) in enumerate(self.places) if of == block]

    def _by_lane(self, read: Callable[[Learner], Floats]) -> Floats:
        found = np.empty(self.lanes)
        for block in self._used():
            told = read(self.learners[block])
            for lane, place in self._mine(block):
                found[lane] = told[place]
        return found
