"""The Learner of lanes in registers; see `study.engines.learner.Learner`.

An array has as many lanes as a register has places, or a multiple of it. The weights and the slots
of all lanes are one array (slots, n, K): the lane is innermost, so that no layout ever changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import halide as hl
import numpy as np
from numpy.typing import NDArray

from study.data.images import Images
from study.engines.batches import batch_order
from study.engines.learner import LANE_SIZES, Bools, Floats, array_size, padded
from study.engines.native.program import Program, buffers, program_of
from study.engines.native.registers import placed, registers, zeros
from study.engines.native.update import bounded, update_of
from study.engines.rules import Rule, coefficient, rule_of, slots_of, starts
from study.engines.rules.proof import has_common_class, proved
from study.errors import StudyError
from study.spec.networks import Network, network_of
from study.spec.trial import Trial

Array = NDArray[Any]


@dataclass(frozen=True)
class State:
    """All that a step changes.

    Args:
        slots: the weights and the arrays of the optimizers, (slots, n, places): the K lanes, and
            copies of the first in what is left of the last register.
        rules: of each lane.
        rates: the last rate of each lane, (K,).
        momenta: the last coefficient of momentum of each lane, (K,).
        step: steps taken; with the seed it fixes the next batch.
    """

    slots: Array
    rules: tuple[Rule, ...]
    rates: Array
    momenta: Array
    step: int


class NativeLanes:
    """The `Learner` of lanes in registers: one for each trial, and padding.

    Args:
        trials: they differ in optimizer and learning rate alone.
        images: the data set.

    Raises:
        StudyError: the batch is larger than the training set, or the network has dropout.
    """

    metric, sign = "accuracy", 1
    form: str | None = None

    def __init__(self, trials: Sequence[Trial], images: Images) -> None:
        trial = trials[0]
        self.images, self.seed, self.batch = images, trial.seed, trial.batch
        self.network: Network = network_of(trial)
        if self.batch > len(images.y_train):
            most = len(images.y_train)
            raise StudyError(f"batch {self.batch} is more than the {most} training images")
        if self.network.dropout:
            raise StudyError(
                f"the engine native trains no dropout: the network {trial.network} takes tensorflow"
            )
        self.sizes: Sequence[int] = sizes()
        self.lanes = array_size(len(trials), self.sizes)
        own = tuple(rule_of(t.hyper, t.optimizer) for t in padded(trials, self.lanes))
        begin = np.array([starts(rule, slots_of(own)) for rule in own], np.float32).T
        n = self.network.weights
        slots = np.empty((1 + len(begin), n, self.lanes), np.float32)
        slots[0] = self.network.initial_weights(self.seed)[:, None]
        slots[1:] = begin[:, None]
        slots = taken(slots, range(self.lanes))
        momenta = np.array([coefficient(rule) for rule in own], np.float32)
        self.state = State(slots, own, np.zeros(self.lanes, np.float32), momenta, 0)

    def program(self, lanes: int) -> Program:
        """The network, compiled for its batch and so many lanes side by side."""
        return program_of(self.network, self.batch, lanes)

    def prepare(self) -> None:
        """See `Learner.prepare`: a step compiles the programs, and is undone."""
        before = self.snapshot()
        self.advance(np.zeros((1, self.lanes)))
        self.restore(before)

    def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
        """See `Learner.advance`."""
        rates, state = np.asarray(rates, np.float32), self.state
        own = np.array([coefficient(rule) for rule in state.rules], np.float32)
        given = np.nan if momenta is None else np.asarray(momenta, np.float32)
        momenta = np.broadcast_to(np.where(np.isnan(given), own, given), rates.shape)
        order = batch_order(self.seed, state.step, len(rates), self.batch, len(self.images.y_train))
        lanes = in_registers(range(self.lanes))
        found = [
            self._advance(group, order, rates[:, lanes[group]], momenta[:, lanes[group]])
            for group in groups(self.lanes)
        ]
        self.state = replace(
            state, rates=rates[-1].copy(), momenta=momenta[-1].copy(), step=state.step + len(rates)
        )
        losses, correct = (
            np.concatenate(values, axis=1)[:, : self.lanes] for values in zip(*found, strict=True)
        )
        return losses, correct

    def _advance(
        self, group: slice, order: Array, rates: Array, momenta: Array
    ) -> tuple[Array, Array]:
        """Take all steps with the lanes of one register, in place."""
        state, images = self.state, self.images
        program, slots = self.program(rates.shape[1]), state.slots[:, :, group]
        weights = buffers(self.network, slots[0])
        lanes = in_registers(range(self.lanes))[group]
        step = _Step([state.rules[lane] for lane in lanes], slots, program.gradient)
        losses, correct = np.empty_like(rates), np.empty_like(rates)
        with np.errstate(all="ignore"):
            for i, chosen in enumerate(order):
                # The compiler may take sums for finite; so it is asked here.
                finite = np.isfinite(slots[0]).all(axis=0)
                program.see(images.x_train[chosen])
                z = program.forward(weights)
                loss, correct[i], program.of_z.values[:] = softmax(z, images.y_train[chosen])
                losses[i] = np.where(finite, loss, np.nan)
                bounded(step.rules, self.network.sizes, step.kind, program.back(weights))
                step(rates[i], momenta[i], state.step + i + 1)
        return losses, correct

    def evaluate(self, test: bool = False) -> Floats:
        """See `Learner.evaluate`."""
        images = self.images
        x, y = (
            (images.x_test, images.y_test) if test else (images.x_validation, images.y_validation)
        )
        right = np.zeros(self.state.slots.shape[2])
        for group, seen, program in self._read(x, self.state.slots[0], self.lanes):
            found = program.z.values[: seen.stop - seen.start].argmax(axis=1)
            right[group] += (found == y[seen, None]).sum(axis=0)
        accuracy: Floats = right[: self.lanes] / len(y)
        return accuracy

    def stuck(self, lanes: Sequence[int]) -> Bools:
        """See `Learner.stuck`, and the proof in `study.engines.rules.proof`."""
        images, state, count = self.images, self.state, len(lanes)
        sets = ((images.x_train, images.y_train), (images.x_validation, images.y_validation))
        if any(has_common_class(y) for _, y in sets):
            return np.zeros(count, bool)
        found: Bools = np.zeros(count, bool)
        # Few lanes have a silent layer, and they alone are shown all images.
        few = np.flatnonzero(self._silent(lanes, [images.x_train[: self.batch]]).any(axis=0))
        if not len(few):
            return found
        places = [lanes[int(index)] for index in few]
        silent = self._silent(places, [x for x, _ in sets])
        still = self._without_gradient(places) == state.slots[0][:, places]
        fades = np.array([state.rules[place].fades(state.step) for place in places])
        found[few] = proved(silent, still, self.network.sizes, fades)
        return found

    def _silent(self, places: Sequence[int], sets: Sequence[Array]) -> Bools:
        """Whether each hidden layer of these lanes gives zero for all images, (layers, lanes)."""
        w, count = taken(self.state.slots, places)[0], len(places)
        layers = len(self.network.sizes) // 2 - 1
        silent: Bools = np.ones((layers, groups(count)[-1].stop), bool)
        for group, _, program in (read for x in sets for read in self._read(x, w, count)):
            silent[:, group] &= program.greatest() <= 0
            if not silent.any():
                break
        return silent[:, :count]

    def _without_gradient(self, places: Sequence[int]) -> Array:
        """The weights (n, lanes) of these lanes after one more step, if their gradient is zero."""
        state, filled = self.state, np.array(in_registers(places))
        slots = taken(state.slots, places)
        for group in groups(len(places)):
            chosen = filled[group]
            zero = zeros(slots.shape[1], len(chosen))
            step = _Step([state.rules[place] for place in chosen], slots[:, :, group], zero)
            step(state.rates[chosen], state.momenta[chosen], state.step + 1)
        weights: Array = slots[0][:, : len(places)]
        return weights

    def snapshot(self) -> State:
        """See `Learner.snapshot`."""
        return replace(self.state, slots=self.state.slots.copy())

    def restore(self, state: State) -> None:
        """See `Learner.restore`."""
        self.state, self.lanes = replace(state, slots=placed(state.slots)), len(state.rules)

    def keep(self, lanes: Sequence[int]) -> None:
        """See `Learner.keep`."""
        state, kept = self.state, list(lanes)
        rules = tuple(state.rules[lane] for lane in kept)
        slots = taken(state.slots, kept)
        self.restore(State(slots, rules, state.rates[kept], state.momenta[kept], state.step))

    def _read(self, x: Array, w: Array, count: int) -> Iterator[tuple[slice, slice, Program]]:
        """Run the network over a whole set.

        Args:
            x: images.
            w: weights, (n, places).
            count: lanes among the places.

        Yields:
            The places of a register, the images of a batch, and the program that has seen them.
        """
        parts = [
            (group, self.program(group.stop - group.start), buffers(self.network, w[:, group]))
            for group in groups(count)
        ]
        programs = dict.fromkeys(program for _, program, _ in parts)
        for begin in range(0, len(x), self.batch):
            seen = slice(begin, min(begin + self.batch, len(x)))
            for program in programs:
                program.see(x[padded(range(seen.start, seen.stop), self.batch)])
            for group, program, own in parts:
                program.forward(own)
                yield group, seen, program


class _Step:
    """The update of the lanes of a register, in place.

    Args:
        rules: of each lane.
        slots: weights and slots, (slots, n, lanes).
        gradient: (n, lanes), as it is at each step.
    """

    def __init__(self, rules: Sequence[Rule], slots: Array, gradient: Array) -> None:
        self.rules = tuple(dict.fromkeys(rules))
        self.kind = placed(np.array([self.rules.index(rule) for rule in rules], np.int32))
        self.now = zeros(2, len(rules))
        self.update = update_of(self.rules, len(rules))
        kept = [hl.Buffer(slot) for slot in slots[: 1 + slots_of(self.rules)]]
        self.kept, self.gradient, self.kinds = kept, hl.Buffer(gradient), hl.Buffer(self.kind)
        self.rates, self.momenta = (hl.Buffer(row) for row in self.now)

    def __call__(self, rates: Array, momenta: Array, number: int) -> None:
        """Take the step; `number` counts from 1."""
        self.now[0], self.now[1] = rates, momenta
        self.update(self.kept, self.gradient, self.kinds, self.rates, self.momenta, number)


def sizes() -> tuple[int, ...]:
    """The sizes that an array may have: those of all engines, and registers, filled."""
    filled = range(registers().least, LANE_SIZES[-1], registers().least)
    return tuple(sorted({*LANE_SIZES, *filled}))


def in_registers(lanes: Sequence[int]) -> list[int]:
    """The lanes, with copies of the first where the last register has places left."""
    return padded(lanes, -(-len(lanes) // registers().lanes) * registers().lanes)


def taken(slots: Array, lanes: Sequence[int]) -> Array:
    """The weights and slots of these lanes, in registers; a copy whose lanes are innermost."""
    return placed(slots[:, :, in_registers(lanes)])


def groups(lanes: int) -> list[slice]:
    """The places of each register that lanes fill; of half of one for the few that are left."""
    whole, least = registers().lanes, registers().least
    begins = range(0, lanes, whole)
    return [slice(i, i + (least if lanes - i <= least else whole)) for i in begins]


def softmax(z: Array, labels: Array) -> tuple[Array, Array, Array]:
    """The mean cross-entropy after a softmax.

    Args:
        z: logits, (B, 10, K).
        labels: (B,).

    Returns:
        The losses (K,), the fractions classified right (K,), and the gradient of the loss by the
        logits, (B, 10, K).
    """
    every, most = np.arange(len(labels)), z.max(axis=1)
    p = np.exp(z - most[:, None])
    whole = p.sum(axis=1)
    losses = (np.log(whole) - (z[every, labels] - most)).mean(axis=0)
    correct = (z.argmax(axis=1) == labels[:, None]).mean(axis=0)
    p /= whole[:, None]
    p[every, labels] -= 1
    return losses, correct, p / np.float32(len(labels))
