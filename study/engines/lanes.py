"""The Learner of lanes: K networks of one width and seed, trained by one compiled program.

All lanes see the same batches. The weights of all lanes are one array (K, n), and so is each
optimizer slot; a lane is a row. The first convolution is an ordinary one of the shared images with
K times the filters. The second is a grouped one, and the dense layers are batched matrix products.
The losses of the lanes are summed, never averaged, and no operation mixes rows.

Pooling comes before bias and ReLU: the same function, since max(x) + b = max(x + b) and ReLU is
monotone, at a quarter of the work. A narrow second convolution is folded: 2x2 blocks of pixels
become channels, so a 5x5 convolution over I channels is a 3x3 one over 4 I. That is 1.44 times the
arithmetic at three times the speed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.data.images import Images
from study.data.readers import Bytes
from study.engines.batches import batch_order
from study.engines.convolutions import MAX_ELEMENTS, folded_or_grouped, usual_form
from study.engines.framework import Framework, Tensor
from study.engines.learner import Bools, Floats, array_size, padded
from study.engines.programs import evaluation_program, training_program
from study.engines.rules import coefficient, mixed, rule_of, slots_of, starts
from study.engines.rules.proof import has_common_class, proved
from study.errors import StudyError
from study.spec.networks import SIDE, network_of
from study.spec.trial import OPTIMIZERS, Trial

EVALUATION_BATCH = 500
"""Images that are evaluated at once, if memory allows."""


@dataclass(frozen=True)
class State:
    """All that a step changes, as immutable tensors.

    Args:
        slots: the weights and the arrays of the optimizers, (K, n) each.
        kind: the optimizer of each lane, (K, 1).
        rates: the last rate of each lane, (K,).
        momenta: the last coefficient of momentum of each lane, (K,).
        step: steps taken; with the seed it fixes the next batch and the dropout masks.
    """

    slots: tuple[Tensor, ...]
    kind: Tensor
    rates: Tensor
    momenta: Tensor
    step: int


@dataclass(frozen=True)
class DeviceImages:
    """A data set on the device of a framework: pixels from 0 to 255, labels as int32."""

    framework: Framework
    x_train: Tensor
    y_train: Tensor
    x_validation: Tensor
    y_validation: Tensor
    x_test: Tensor
    y_test: Tensor

    @staticmethod
    def of(images: Images, framework: Framework) -> DeviceImages:
        """Copy the images to the device."""
        xp = framework.xp

        def pixels(x: Bytes) -> Tensor:
            return xp.constant(x.astype(framework.pixels()))

        def labels(y: Bytes) -> Tensor:
            return xp.constant(y.astype(np.int32))

        return DeviceImages(
            framework,
            pixels(images.x_train),
            labels(images.y_train),
            pixels(images.x_validation),
            labels(images.y_validation),
            pixels(images.x_test),
            labels(images.y_test),
        )


class Lanes:
    """The `Learner` of lanes; see `study.engines.learner.Learner`.

    There is a lane for each trial, and padding up to the size of the array.

    Args:
        trials: they differ in optimizer and learning rate alone.
        images: the data set.
        form: of the second convolution; the usual one where None.

    Raises:
        StudyError: the batch is larger than the training set.
    """

    metric, sign = "accuracy", 1

    def __init__(
        self, trials: Sequence[Trial], images: DeviceImages, form: str | None = None
    ) -> None:
        trial, xp = trials[0], images.framework.xp
        self.images, self.hyper = images, trial.hyper
        self.seed, self.batch = trial.seed, trial.batch
        if self.batch > len(images.y_train):
            most = len(images.y_train)
            raise StudyError(f"batch {self.batch} is more than the {most} training images")
        self.network = network_of(trial)
        self.form: str | None = form or usual_form(images.framework, self.network)
        # Arrays compute all six rules, so that all arrays share one compiled program. A single
        # trial computes only its own rule, because its step time is measured.
        self.optimizers = OPTIMIZERS if len(trials) > 1 else (trial.optimizer,)
        self.sizes: Sequence[int] = images.framework.array_sizes()
        self.lanes = array_size(len(trials), self.sizes)
        lanes = padded(trials, self.lanes)
        kind = [[self.optimizers.index(t.optimizer)] for t in lanes]
        self.rules = [rule_of(self.hyper, name) for name in self.optimizers]
        count, own = slots_of(self.rules), [rule_of(self.hyper, t.optimizer) for t in lanes]
        begin = np.array([starts(rule, count) for rule in own], np.float32)
        w = np.tile(self.network.initial_weights(self.seed), (self.lanes, 1))
        columns = begin.T[:, :, None]  # the start of each slot, (K, 1)
        self.state = State(
            (xp.constant(w), *(xp.constant(np.broadcast_to(x, w.shape)) for x in columns)),
            xp.constant(kind, xp.int32),
            xp.zeros(self.lanes),
            xp.constant([coefficient(rule) for rule in own], xp.float32),
            0,
        )

    def prepare(self) -> None:
        """See `Learner.prepare`: a step compiles the program, and is undone."""
        before = self.state
        self.advance(np.zeros((1, self.lanes)))
        self.state = before

    def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
        """See `Learner.advance`."""
        rates = np.asarray(rates, np.float32)
        own = np.array([coefficient(rule) for rule in self.rules], np.float32)[self._kinds()]
        given = np.nan if momenta is None else np.asarray(momenta, np.float32)
        momenta = np.broadcast_to(np.where(np.isnan(given), own, given), rates.shape)
        most = self.images.framework.MAX_STEPS_PER_CALL or len(rates)
        begins = range(0, len(rates), most)
        parts = [self._advance(rates[i : i + most], momenta[i : i + most]) for i in begins]
        counts = [min(most, len(rates) - i) for i in begins]
        np.asarray(self.state.slots[0][0, 0])  # waits for the last update, not just the last loss
        losses, correct = (
            np.concatenate(
                [np.asarray(value)[:count] for value, count in zip(values, counts, strict=True)]
            )
            for values in zip(*parts, strict=True)
        )
        return losses, correct

    def _advance(self, rates: Floats, momenta: Floats) -> tuple[Tensor, Tensor]:
        """Take at most `MAX_STEPS_PER_CALL` steps, in one call of the program.

        The next call may begin before this one's results are read: a GPU does not wait.
        """
        framework, xp = self.images.framework, self.images.framework.xp
        program = training_program(
            framework, self.network, self.lanes, self.batch, self.hyper, self.optimizers, self.form
        )
        images, state, count = self.images, self.state, len(rates)
        missing = (framework.MAX_STEPS_PER_CALL or count) - count

        def filled(array: NDArray[Any]) -> NDArray[Any]:
            return np.pad(array, ((0, missing), (0, 0)), mode="edge")

        slots, losses, correct = program(
            images.x_train,
            images.y_train,
            xp.constant(
                filled(batch_order(self.seed, state.step, count, self.batch, len(images.y_train)))
            ),
            xp.constant(filled(rates)),
            xp.constant(filled(momenta)),
            state.kind,
            state.slots,
            xp.constant(count),
            xp.constant(state.step),
            xp.constant(self.seed),
        )
        self.state = replace(
            state,
            slots=slots,
            rates=xp.constant(rates[-1], xp.float32),
            momenta=xp.constant(momenta[-1], xp.float32),
            step=state.step + count,
        )
        return losses, correct

    def evaluate(self, test: bool = False) -> Floats:
        """See `Learner.evaluate`."""
        images = self.images
        x, y = (
            (images.x_test, images.y_test) if test else (images.x_validation, images.y_validation)
        )
        # The device gets all batches before the first result is waited for.
        right = list(self._read(x, y, self.state.slots[0]))
        accuracy: Floats = np.concatenate(
            [np.asarray(correct)[:, seen] for correct, _, seen in right], axis=1
        ).mean(axis=1)
        return accuracy

    def stuck(self, lanes: Sequence[int]) -> Bools:
        """See `Learner.stuck`, and the proof in `study.engines.rules.proof`."""
        xp = self.images.framework.xp
        sets = (
            (self.images.x_train, self.images.y_train),
            (self.images.x_validation, self.images.y_validation),
        )
        if any(has_common_class(np.asarray(y)) for _, y in sets):
            return np.zeros(len(lanes), bool)
        places = padded(lanes, array_size(len(lanes), self.sizes))
        w, *slots = (xp.gather(slot, places) for slot in self.state.slots)
        dead = np.ones((len(self.network.sizes) // 2 - 1, len(places)), bool)
        for _, greatest, _ in chain.from_iterable(self._read(x, y, w) for x, y in sets):
            dead &= np.asarray(greatest) <= 0
            if not dead.any():
                break
        state, t = self.state, xp.constant(self.state.step + 1.0)
        rates, m = (xp.gather(last, places)[:, None] for last in (state.rates, state.momenta))
        kind = xp.gather(state.kind, places)
        moved, *_ = mixed(self.rules)(xp, kind, w, *slots, xp.zeros_like(w), rates, t, m)
        still = (np.asarray(moved) == np.asarray(w)).T
        fades = np.array([rule.fades(state.step) for rule in self.rules])[self._kinds()[places]]
        return proved(dead, still, self.network.sizes, fades)[: len(lanes)]

    def _kinds(self) -> NDArray[Any]:
        """The index of each lane's rule, (K,)."""
        return np.asarray(self.state.kind)[:, 0]

    def snapshot(self) -> State:
        """See `Learner.snapshot`; nothing is copied, since tensors are immutable."""
        return self.state

    def restore(self, state: State) -> None:
        """See `Learner.restore`."""
        self.state, self.lanes = state, int(state.kind.shape[0])

    def keep(self, lanes: Sequence[int]) -> None:
        """See `Learner.keep`."""
        xp = self.images.framework.xp
        kept = xp.constant(list(lanes), xp.int32)
        state = self.state
        *slots, kind, rates, momenta = (
            xp.gather(part, kept) for part in (*state.slots, state.kind, state.rates, state.momenta)
        )
        self.restore(State(tuple(slots), kind, rates, momenta, state.step))

    def _read(self, x: Tensor, y: Tensor, w: Tensor) -> Iterator[tuple[Tensor, Tensor, Bools]]:
        """Run `evaluation_program` over a whole set, batch by batch.

        Args:
            x, y: images and labels on the device.
            w: weights, (K, n).

        Yields:
            For each batch the two results of the program, and which images are no padding.
        """
        framework = self.images.framework
        lanes = int(w.shape[0])
        # Without a gradient, convolutions are as fast as products over patches, and take less
        # memory.
        batch = min(
            EVALUATION_BATCH, MAX_ELEMENTS // (SIDE**2 * lanes * max(1, *self.network.filters, 1))
        )
        program = evaluation_program(
            framework, self.network, lanes, batch, folded_or_grouped(self.network)
        )
        for begin in range(0, len(y), batch):
            chosen = np.arange(begin, begin + batch)
            correct, greatest = program(
                x, y, framework.xp.constant(np.minimum(chosen, len(y) - 1), framework.xp.int32), w
            )
            yield correct, greatest, chosen < len(y)
