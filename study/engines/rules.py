"""Six optimizers as update rules over lanes: elementwise, so a rate of shape (K, 1) gives every
lane its own.

A rule keeps at most two slots a weight, `a` and `b`. It is written once for any array library: the
`xp` argument is a namespace with `sqrt` and `where` (numpy, tensorflow, jax.numpy). `t` is the
number of the step, from 1; `m` is Momentum's coefficient, which the others leave alone.

Two sets of hyper-parameters: `published` are those of TensorFlow 1 at its defaults, as the 2018
study used them, with Momentum 0.5; `keras` are Keras 3's defaults and forms, with Momentum 0.5 too
(at Keras's default of 0 it would be SGD).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Array = Any


Update = Callable[..., tuple[Array, Array, Array]]


MOMENTUM = 0.5
"""Momentum's coefficient m, unless a lane is given its own."""


@dataclass(frozen=True)
class Rule:
    """An update rule: `update(xp, w, a, b, g, rate, t, m)` returns the new (w, a, b), and the slot
    `a` starts at `start`.
    """

    update: Update
    start: float = 0.0


def sgd(
    xp: Any, w: Array, a: Array, b: Array, g: Array, rate: Array, t: Array, m: Array = MOMENTUM
) -> tuple[Array, Array, Array]:
    """w <- w - rate g."""
    return w - rate * g, a, b


def momentum(
    xp: Any, w: Array, a: Array, b: Array, g: Array, rate: Array, t: Array, m: Array = MOMENTUM
) -> tuple[Array, Array, Array]:
    """a <- m a + g; w <- w - rate a: the rate scales the whole accumulated velocity (TensorFlow 1's
    ApplyMomentum).
    """
    a = m * a + g
    return w - rate * a, a, b


def velocity(
    xp: Any, w: Array, a: Array, b: Array, g: Array, rate: Array, t: Array, m: Array = MOMENTUM
) -> tuple[Array, Array, Array]:
    """a <- m a - rate g; w <- w + a: old steps keep the rate they were taken at (Keras 3's SGD with
    momentum).
    """
    a = m * a - rate * g
    return w + a, a, b


def adam(epsilon: float) -> Update:
    """a += (g - a)(1 - beta1); b += (g^2 - b)(1 - beta2); w <- w - rate sqrt(1 - beta2^t) / (1 -
    beta1^t) a / (sqrt(b) + epsilon).

    beta1 is 0.9 and beta2 0.999. Kingma and Ba 2015, in the form whose epsilon stands outside the
    bias correction (TensorFlow 1, Keras 3).
    """
    beta1, beta2 = 0.9, 0.999

    def update(
        xp: Any, w: Array, a: Array, b: Array, g: Array, rate: Array, t: Array, m: Array = MOMENTUM
    ) -> tuple[Array, Array, Array]:
        a = a + (g - a) * (1 - beta1)
        b = b + (g * g - b) * (1 - beta2)
        return w - rate * xp.sqrt(1 - beta2**t) / (1 - beta1**t) * a / (xp.sqrt(b) + epsilon), a, b

    return update


def adagrad(epsilon: float) -> Update:
    """a += g^2; w <- w - rate g / sqrt(a + epsilon) (Duchi et al. 2011)."""

    def update(
        xp: Any, w: Array, a: Array, b: Array, g: Array, rate: Array, t: Array, m: Array = MOMENTUM
    ) -> tuple[Array, Array, Array]:
        a = a + g * g
        return w - rate * g / xp.sqrt(a + epsilon), a, b

    return update


def adadelta(epsilon: float) -> Update:
    """a <- rho a + (1 - rho) g^2; u = sqrt(b + epsilon) / sqrt(a + epsilon) g; w <- w - rate u; b
    <- rho b + (1 - rho) u^2.

    rho is 0.95. Zeiler 2012.
    """
    rho = 0.95

    def update(
        xp: Any, w: Array, a: Array, b: Array, g: Array, rate: Array, t: Array, m: Array = MOMENTUM
    ) -> tuple[Array, Array, Array]:
        a = rho * a + (1 - rho) * g * g
        u = xp.sqrt(b + epsilon) / xp.sqrt(a + epsilon) * g
        return w - rate * u, a, rho * b + (1 - rho) * u * u

    return update


def rmsprop(epsilon: float) -> Update:
    """With rho = 0.9: a += (g^2 - a)(1 - rho); w <- w - rate g / sqrt(a + epsilon) (Tieleman and
    Hinton 2012).
    """
    rho = 0.9

    def update(
        xp: Any, w: Array, a: Array, b: Array, g: Array, rate: Array, t: Array, m: Array = MOMENTUM
    ) -> tuple[Array, Array, Array]:
        a = a + (g * g - a) * (1 - rho)
        return w - rate * g / xp.sqrt(a + epsilon), a, b

    return update


RULES: dict[str, dict[str, Rule]] = {
    "published": {
        "sgd": Rule(sgd),
        "momentum": Rule(momentum),
        "adam": Rule(adam(1e-8)),
        "adagrad": Rule(adagrad(0.0), start=0.1),
        "adadelta": Rule(adadelta(1e-8)),
        # TensorFlow 1's mean square starts at one, not zero: about a hundred gentle steps before
        # the full rate is felt.
        "rmsprop": Rule(rmsprop(1e-10), start=1.0),
    },
    "keras": {
        "sgd": Rule(sgd),
        "momentum": Rule(velocity),
        "adam": Rule(adam(1e-7)),
        "adagrad": Rule(adagrad(1e-7), start=0.1),
        "adadelta": Rule(adadelta(1e-7)),
        "rmsprop": Rule(rmsprop(1e-7)),
    },
}
"""The rules by set of hyper-parameters and name."""


def mixed(rules: Sequence[Rule]) -> Callable[..., tuple[Array, Array, Array]]:
    """One update for lanes of several optimizers, `update(xp, kind, w, a, b, g, rate, t, m)`: every
    rule is computed, and `kind` (K, 1), an index into `rules`, picks lane by lane the one that
    counts.

    An update is a hundredth of a step's arithmetic, so six of them cost less than splitting the
    array by optimizer.
    """

    def update(
        xp: Any, kind: Array, w: Array, a: Array, b: Array, *arguments: Array
    ) -> tuple[Array, Array, Array]:
        result = rules[0].update(xp, w, a, b, *arguments)
        for index, rule in enumerate(rules[1:], start=1):
            w_, a_, b_ = rule.update(xp, w, a, b, *arguments)
            mine = kind == index
            result = (
                xp.where(mine, w_, result[0]),
                xp.where(mine, a_, result[1]),
                xp.where(mine, b_, result[2]),
            )
        return result

    return update
