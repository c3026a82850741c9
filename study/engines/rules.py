"""Six optimizers as update rules over lanes.

A rule is a frozen dataclass. Its hyper-parameters are its fields, and its slots are a NamedTuple,
so that each has a name. All arithmetic is elementwise: a rate of shape (K, 1) gives every lane its
own. The rules are written once for any array library.

There are two sets of hyper-parameters. `published` has those of TensorFlow 1, as the 2018 study
used them: its defaults, with Momentum 0.5. `keras` has the defaults and forms of Keras 3, with
Momentum 0.5 too: at Keras's default of 0 it would be SGD.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

Array = Any


MOMENTUM = 0.5
"""Momentum's coefficient, unless a lane is given its own."""


SLOTS = 2
"""Arrays (K, n) that are kept beside the weights; a rule names as many of them as it needs."""


class Step(NamedTuple):
    """What a step is taken with.

    Args:
        xp: the array library, a namespace with `sqrt` and `where` (numpy, tensorflow, jax.numpy).
        rate: the learning rate of each lane, (K, 1).
        number: the number of the step, from 1.
        momentum: Momentum's coefficient of each lane, (K, 1).
    """

    xp: Any
    rate: Array
    number: Array
    momentum: Array = MOMENTUM


class Rule(Hashable, Protocol):
    """An update rule."""

    @property
    def start(self) -> Any:
        """What the slots start at: a NamedTuple of one number a slot."""
        ...

    def update(self, gradient: Array, state: Any, step: Step) -> tuple[Array, Any]:
        """One step of all lanes.

        Args:
            gradient: of the loss by the weights, (K, n).
            state: the slots, (K, n) each.
            step: what the step is taken with.

        Returns:
            The change, (K, n), which is subtracted from the weights, and the new slots.
        """
        ...


class NoSlots(NamedTuple):
    """SGD remembers nothing."""


@dataclass(frozen=True)
class SGD:
    """w <- w - rate g."""

    start: ClassVar[NoSlots] = NoSlots()

    def update(self, gradient: Array, state: NoSlots, step: Step) -> tuple[Array, NoSlots]:
        """See `Rule.update`."""
        return step.rate * gradient, state


class Velocity(NamedTuple):
    """Momentum's slot: the decaying sum of the gradients, or of the steps."""

    velocity: Array


@dataclass(frozen=True)
class Momentum:
    """v <- m v + g; w <- w - rate v.

    The rate scales the whole velocity (TensorFlow 1's ApplyMomentum).
    """

    start: ClassVar[Velocity] = Velocity(0.0)

    def update(self, gradient: Array, state: Velocity, step: Step) -> tuple[Array, Velocity]:
        """See `Rule.update`."""
        velocity = step.momentum * state.velocity + gradient
        return step.rate * velocity, Velocity(velocity)


@dataclass(frozen=True)
class KerasMomentum:
    """v <- m v - rate g; w <- w + v.

    Old gradients keep the rate of their own step (SGD with momentum of Keras 3).
    """

    start: ClassVar[Velocity] = Velocity(0.0)

    def update(self, gradient: Array, state: Velocity, step: Step) -> tuple[Array, Velocity]:
        """See `Rule.update`."""
        velocity = step.momentum * state.velocity - step.rate * gradient
        return -velocity, Velocity(velocity)


class Moments(NamedTuple):
    """Adam's slots: running means of the gradient and of its square."""

    m: Array
    v: Array


@dataclass(frozen=True)
class Adam:
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


class SumOfSquares(NamedTuple):
    """Adagrad's slot."""

    total: Array


@dataclass(frozen=True)
class Adagrad:
    """s += g^2; w <- w - rate g / sqrt(s + epsilon).

    Duchi et al. 2011.
    """

    epsilon: float
    start: ClassVar[SumOfSquares] = SumOfSquares(0.1)

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
class Adadelta:
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


class MeanSquare(NamedTuple):
    """RMSProp's slot: the running mean of the squared gradient."""

    gradient: Array


@dataclass(frozen=True)
class RMSProp:
    """s += (g^2 - s)(1 - rho); w <- w - rate g / sqrt(s + epsilon).

    Tieleman and Hinton 2012.
    """

    epsilon: float
    start: MeanSquare
    rho: float = 0.9

    def update(self, gradient: Array, state: MeanSquare, step: Step) -> tuple[Array, MeanSquare]:
        """See `Rule.update`."""
        s = state.gradient + (gradient * gradient - state.gradient) * (1 - self.rho)
        return step.rate * gradient / step.xp.sqrt(s + self.epsilon), MeanSquare(s)


RULES: dict[str, dict[str, Rule]] = {
    "published": {
        "sgd": SGD(),
        "momentum": Momentum(),
        "adam": Adam(1e-8),
        "adagrad": Adagrad(0.0),
        "adadelta": Adadelta(1e-8),
        # TensorFlow 1's mean square starts at one: about a hundred gentle steps come first.
        "rmsprop": RMSProp(1e-10, start=MeanSquare(1.0)),
    },
    "keras": {
        "sgd": SGD(),
        "momentum": KerasMomentum(),
        "adam": Adam(1e-7),
        "adagrad": Adagrad(1e-7),
        "adadelta": Adadelta(1e-7),
        "rmsprop": RMSProp(1e-7, start=MeanSquare(0.0)),
    },
}
"""The rules by set of hyper-parameters and name."""


def starts(rule: Rule) -> tuple[float, ...]:
    """What each of the `SLOTS` arrays starts at; 0 where the rule has no such slot."""
    return (*rule.start, *[0.0] * SLOTS)[:SLOTS]


def apply(
    rule: Rule, weights: Array, slots: Sequence[Array], gradient: Array, step: Step
) -> tuple[Array, ...]:
    """Take one step of a rule.

    Args:
        rule: the update rule of all lanes.
        weights: (K, n).
        slots: `SLOTS` arrays of (K, n); those that the rule does not name are returned unchanged.
        gradient: of the loss by the weights, (K, n).
        step: what the step is taken with.

    Returns:
        The new weights and the new slots.
    """
    kind = type(rule.start)
    named = len(kind._fields)
    change, after = rule.update(gradient, kind(*slots[:named]), step)
    return (weights - change, *after, *slots[named:])


def mixed(rules: Sequence[Rule]) -> Callable[..., tuple[Array, ...]]:
    """One update for lanes of several optimizers.

    Every rule is computed, and each lane takes the result of its own. An update is a hundredth of a
    step's arithmetic, so six of them cost less than splitting the array by optimizer.

    Args:
        rules: one, or as many as the array may hold.

    Returns:
        A function `update(xp, kind, weights, *slots, gradient, rate, number, momentum)` that gives
        the new weights and slots. `kind` (K, 1) is each lane's index into `rules`; the others are
        as in `apply` and `Step`.
    """

    def update(xp: Any, kind: Array, weights: Array, *arguments: Array) -> tuple[Array, ...]:
        slots, (gradient, *taken) = arguments[:SLOTS], arguments[SLOTS:]
        step = Step(xp, *taken)
        result = apply(rules[0], weights, slots, gradient, step)
        for index, rule in enumerate(rules[1:], start=1):
            mine = kind == index
            own = apply(rule, weights, slots, gradient, step)
            result = tuple(xp.where(mine, new, old) for new, old in zip(own, result, strict=True))
        return result

    return update
