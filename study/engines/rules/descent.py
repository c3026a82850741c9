"""Gradient descent, plain and with momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from study.engines.rules.base import MOMENTUM, Array, Options, Step


class NoSlots(NamedTuple):
    """SGD remembers nothing."""


@dataclass(frozen=True)
class SGD(Options):
    """w <- w - rate g."""

    start: ClassVar[NoSlots] = NoSlots()

    def update(self, gradient: Array, state: NoSlots, step: Step) -> tuple[Array, NoSlots]:
        """See `Rule.update`."""
        return step.rate * gradient, state


class Velocity(NamedTuple):
    """Momentum's slot: the decaying sum of the gradients, or of the steps."""

    velocity: Array


@dataclass(frozen=True)
class Momentum(Options):
    """v <- m v + g; w <- w - rate v, or with `nesterov` w <- w - rate (g + m v).

    The rate scales the whole velocity (TensorFlow 1's ApplyMomentum). Nesterov 1983, Sutskever et
    al. 2013.
    """

    momentum: float = MOMENTUM
    nesterov: bool = False
    start: ClassVar[Velocity] = Velocity(0.0)

    def update(self, gradient: Array, state: Velocity, step: Step) -> tuple[Array, Velocity]:
        """See `Rule.update`."""
        m = self.momentum if step.momentum is None else step.momentum
        velocity = m * state.velocity + gradient
        ahead = gradient + m * velocity if self.nesterov else velocity
        return step.rate * ahead, Velocity(velocity)


@dataclass(frozen=True)
class KerasMomentum(Momentum):
    """v <- m v - rate g; w <- w + v, or with `nesterov` w <- w + m v - rate g.

    Old gradients keep the rate of their own step (SGD with momentum of Keras 3).
    """

    def update(self, gradient: Array, state: Velocity, step: Step) -> tuple[Array, Velocity]:
        """See `Rule.update`."""
        m = self.momentum if step.momentum is None else step.momentum
        velocity = m * state.velocity - step.rate * gradient
        change = step.rate * gradient - m * velocity if self.nesterov else -velocity
        return change, Velocity(velocity)
