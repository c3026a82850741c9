"""What an update rule is, and the options that every rule has."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Array = Any


MOMENTUM = 0.5
"""Momentum's coefficient, unless a lane or a rule is given its own."""


class Step(NamedTuple):
    """What a step is taken with.

    Args:
        xp: the array library, a namespace with `sqrt` and `where` (numpy, tensorflow, jax.numpy).
        rate: the learning rate of each lane, (K, 1).
        number: the number of the step, from 1.
        momentum: the coefficient of momentum of each lane, (K, 1); the rule's own where None.
    """

    xp: Any
    rate: Array
    number: Array
    momentum: Array = None


class Rule(Hashable, Protocol):
    """An update rule; all of them are also `Options`."""

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

    def fades(self, number: int) -> bool:
        """Whether it is proved that without a gradient each later step moves no weight further.

        Args:
            number: steps taken. The rate and the momentum never rise from here.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is done around the update of any rule, in the form of Keras; 0 is none.

    Args:
        weight_decay: w <- w - weight_decay rate w before the update (Loshchilov and Hutter 2019).
        clipvalue: g <- min(max(g, -clipvalue), clipvalue).
        clipnorm: g <- g clipnorm / max(|g|, clipnorm), where |g| is the norm of one weight array.
        global_clipnorm: the same with the norm of all weight arrays together.
    """

    weight_decay: float = 0.0
    clipvalue: float = 0.0
    clipnorm: float = 0.0
    global_clipnorm: float = 0.0

    def fades(self, number: int) -> bool:
        """See `Rule.fades`: what is left in the slots fades, and decay moves weights for ever."""
        return not self.weight_decay


def coefficient(rule: Rule) -> float:
    """A rule's own coefficient of momentum; of a rule without one it is not used."""
    own: float = getattr(rule, "momentum", MOMENTUM)
    return own
