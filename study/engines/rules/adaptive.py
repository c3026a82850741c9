"""Rules that scale each weight's step by the gradients that it has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from study.engines.rules.base import Array, Options, Step

SURE_EPSILON = 1e-16
"""An epsilon from this on stays far above what single precision flushes to zero."""


class Moments(NamedTuple):
    """Adam's slots: running means of the gradient and of its square."""

    m: Array
    v: Array


@dataclass(frozen=True)
class Adam(Options):
    """m += (g - m)(1 - beta1); v += (g^2 - v)(1 - beta2);
    w <- w - rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon).

    Kingma and Ba 2015, in the form whose epsilon stands outside the bias correction (TensorFlow 1,
    Keras 3).
    """

    epsilon: float
    beta1: float = 0.9
    beta2: float = 0.999
    start: ClassVar[Moments] = Moments(0.0, 0.0)

    def update(self, gradient: Array, state: Moments, step: Step) -> tuple[Array, Moments]:
        """See `Rule.update`."""
        sqrt, t = step.xp.sqrt, step.number
        m = state.m + (gradient - state.m) * (1 - self.beta1)
        v = state.v + (gradient * gradient - state.v) * (1 - self.beta2)
        rate = step.rate * sqrt(1 - self.beta2**t) / (1 - self.beta1**t)
        return rate * m / (sqrt(v) + self.epsilon), Moments(m, v)

    def fades(self, number: int) -> bool:
        """See `Rule.fades`.

        Without a gradient m falls by beta1 a step, sqrt(v) by sqrt(beta2) at most, and the bias
        correction grows by sqrt(1 + 1/t) at most. So a step is no longer than the last one if
        beta1^2 (1 + 1/t) <= beta2. At other betas m / sqrt(v) grows without a gradient.
        """
        slow = self.beta1**2 * (1 + 1 / max(number, 1)) <= self.beta2
        return slow and self.epsilon >= SURE_EPSILON and super().fades(number)


class SumOfSquares(NamedTuple):
    """Adagrad's slot."""

    total: Array


@dataclass(frozen=True)
class Adagrad(Options):
    """s += g^2; w <- w - rate g / sqrt(s + epsilon).

    Duchi et al. 2011.
    """

    epsilon: float
    initial_accumulator: float = 0.1

    @property
    def start(self) -> SumOfSquares:
        """See `Rule.start`."""
        return SumOfSquares(self.initial_accumulator)

    def update(
        self, gradient: Array, state: SumOfSquares, step: Step
    ) -> tuple[Array, SumOfSquares]:
        """See `Rule.update`."""
        total = state.total + gradient * gradient
        return step.rate * gradient / step.xp.sqrt(total + self.epsilon), SumOfSquares(total)


class MeanSquares(NamedTuple):
    """Adadelta's slots: running means of the squared gradient and of the squared update."""

    gradient: Array
    update: Array


@dataclass(frozen=True)
class Adadelta(Options):
    """a <- rho a + (1 - rho) g^2; u = sqrt(b + epsilon) / sqrt(a + epsilon) g; w <- w - rate u;
    b <- rho b + (1 - rho) u^2.

    Zeiler 2012.
    """

    epsilon: float
    rho: float = 0.95
    start: ClassVar[MeanSquares] = MeanSquares(0.0, 0.0)

    def update(self, gradient: Array, state: MeanSquares, step: Step) -> tuple[Array, MeanSquares]:
        """See `Rule.update`."""
        sqrt, rho, epsilon = step.xp.sqrt, self.rho, self.epsilon
        a = rho * state.gradient + (1 - rho) * gradient * gradient
        u = sqrt(state.update + epsilon) / sqrt(a + epsilon) * gradient
        return step.rate * u, MeanSquares(a, rho * state.update + (1 - rho) * u * u)

    def fades(self, number: int) -> bool:
        """See `Rule.fades`: without an epsilon, a faded mean would divide nothing by nothing."""
        return self.epsilon >= SURE_EPSILON and super().fades(number)


class MeanSquare(NamedTuple):
    """RMSProp's slot: the running mean of the squared gradient."""

    gradient: Array


class Means(NamedTuple):
    """RMSProp's slots with options: the mean of the squared gradient, that of the gradient, and the
    velocity.
    """

    gradient: Array
    mean: Array
    velocity: Array


@dataclass(frozen=True)
class RMSProp(Options):
    """s += (g^2 - s)(1 - rho); u = rate g / sqrt(s + epsilon); w <- w - u.

    With `centered` a += (g - a)(1 - rho), and a^2 is subtracted from s below the root. With a
    momentum m, v <- m v + u; w <- w - v. Tieleman and Hinton 2012, Graves 2013.
    """

    epsilon: float
    rho: float = 0.9
    initial_accumulator: float = 0.0
    momentum: float = 0.0
    centered: bool = False

    @property
    def start(self) -> MeanSquare | Means:
        """See `Rule.start`."""
        if self.centered or self.momentum:
            return Means(self.initial_accumulator, 0.0, 0.0)
        return MeanSquare(self.initial_accumulator)

    def update(
        self, gradient: Array, state: MeanSquare | Means, step: Step
    ) -> tuple[Array, MeanSquare | Means]:
        """See `Rule.update`."""
        s = self.mean(state.gradient, gradient * gradient)
        if isinstance(state, MeanSquare):
            return step.rate * gradient / step.xp.sqrt(s + self.epsilon), MeanSquare(s)
        mean, velocity = state.mean, state.velocity
        if self.centered:
            mean = self.mean(mean, gradient)
        spread = s - mean * mean if self.centered else s
        change = step.rate * gradient / step.xp.sqrt(spread + self.epsilon)
        if self.momentum:
            m = self.momentum if step.momentum is None else step.momentum
            change = velocity = m * velocity + change
        return change, Means(s, mean, velocity)

    def mean(self, old: Array, new: Array) -> Array:
        """The running mean (TensorFlow 1)."""
        return old + (new - old) * (1 - self.rho)

    def fades(self, number: int) -> bool:
        """See `Adadelta.fades`."""
        return self.epsilon >= SURE_EPSILON and super().fades(number)


@dataclass(frozen=True)
class KerasRMSProp(RMSProp):
    """As `RMSProp`, with s <- rho s + (1 - rho) g^2 (Keras 3).

    So a square that overflows stays infinite, and its weight stands still.
    """

    def mean(self, old: Array, new: Array) -> Array:
        """The running mean (Keras 3)."""
        return self.rho * old + (1 - self.rho) * new
