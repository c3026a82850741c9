"""The Learner of a user's own model: a program, a place in the data, and the lanes' state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from study.engines.learner import LANE_SIZES, Bools, Floats, array_size
from study.engines.own.data.feeds import Arrays, Stream
from study.engines.own.data.samples import Samples
from study.engines.own.program import Program
from study.errors import StudyError

ANY = range(1, 10_001)
"""The sizes of an array whose lanes train one after another: any, so that none is padding."""


class OwnLanes:
    """See `study.engines.learner.Learner`.

    Args:
        program: trains the lanes.
        samples: the data.
        seed: of the weights and of the order of the data.
        batch: samples a step, of data in memory.
        lanes: how many are wanted.
        metric: what is looked at beside the loss.
        sign: 1 where a larger value of it is better, else -1.

    Raises:
        StudyError: the batch is larger than the data.
    """

    form: str | None = None

    def __init__(
        self,
        program: Program,
        samples: Samples,
        seed: int,
        batch: int,
        lanes: int,
        metric: str,
        sign: int,
    ) -> None:
        self.program, self.seed, self.batch = program, seed, batch
        self.metric, self.sign = metric, sign
        self.validation = samples.validation
        self.train: Arrays | Stream = samples.train.reader()
        if isinstance(self.train, Arrays) and batch > self.train.count:
            raise StudyError(f"batch {batch} is more than the {self.train.count} training samples")
        self.sizes: Sequence[int] = LANE_SIZES if program.together else ANY
        self.lanes = array_size(lanes, self.sizes)
        self.state: Any = program.begin(seed, self.lanes)
        self.step = 0

    def prepare(self) -> None:
        """See `Learner.prepare`: a step compiles the program, and is forgotten."""
        before = self.snapshot()
        self.advance(np.zeros((1, self.lanes)))
        self.restore(before)

    def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
        """See `Learner.advance`; the momentum of a user's optimizer is its own."""
        losses, found = [], []
        rates, begin = np.asarray(rates, float), 0
        for arrays, order in self.train.batches(self.seed, self.step, len(rates), self.batch):
            part = rates[begin : begin + len(order)]
            self.state, one, other = self.program.steps(self.state, arrays, order, part)
            losses.append(one)
            found.append(other)
            begin += len(order)
        self.step += len(rates)
        return np.concatenate(losses), np.concatenate(found)

    def evaluate(self, test: bool = False) -> Floats:
        """The metric of each lane on the validation data, (K,); there are no other held-out data.

        Raises:
            StudyError: there are none.
        """
        if self.validation is None:
            raise StudyError(
                "there are no validation data: let the function that loads the data return a pair "
                "(training, validation), or choose a metric of the training data"
            )
        return self.program.measure(self.state, self.validation.epoch(self.seed))

    def stuck(self, lanes: Sequence[int]) -> Bools:
        """See `Learner.stuck`: of a user's own model nothing is proved."""
        return np.zeros(len(lanes), bool)

    def snapshot(self) -> Any:
        """See `Learner.snapshot`; a state is never changed, so it is its own copy."""
        return self.state, self.step, self.lanes

    def restore(self, state: Any) -> None:
        """See `Learner.restore`."""
        self.state, self.step, self.lanes = state

    def keep(self, lanes: Sequence[int]) -> None:
        """See `Learner.keep`."""
        if list(lanes) != list(range(self.lanes)):
            self.state = self.program.take(self.state, lanes)
        self.lanes = len(lanes)
