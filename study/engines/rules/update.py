"""A step of lanes of several optimizers: clipping, decay and update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from study.engines.rules.base import Array, Rule, Step

SLOTS = 2
"""Arrays (K, n) that are kept beside the weights, unless a rule names more."""


def slots_of(rules: Sequence[Rule]) -> int:
    """The number of arrays that are kept beside the weights of lanes of these rules."""
    return max(SLOTS, *(len(rule.start) for rule in rules))


def starts(rule: Rule, slots: int = SLOTS) -> tuple[float, ...]:
    """What each of so many arrays starts at; 0 where the rule has no such slot."""
    return (*rule.start, *[0.0] * slots)[:slots]


def apply(
    rule: Rule, weights: Array, slots: Sequence[Array], gradient: Array, step: Step
) -> tuple[Array, ...]:
    """Take one step of a rule.

    Args:
        rule: the update rule of all lanes.
        weights: (K, n).
        slots: arrays of (K, n); those that the rule does not name are returned unchanged.
        gradient: of the loss by the weights, (K, n).
        step: what the step is taken with.

    Returns:
        The new weights and the new slots.
    """
    kind = type(rule.start)
    named = len(kind._fields)
    change, after = rule.update(gradient, kind(*slots[:named]), step)
    if decay := getattr(rule, "weight_decay", 0.0):
        weights = weights - weights * decay * step.rate
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
    count = slots_of(rules)

    def update(xp: Any, kind: Array, weights: Array, *arguments: Array) -> tuple[Array, ...]:
        slots, (gradient, *taken) = arguments[:count], arguments[count:]
        step = Step(xp, *taken)
        result = apply(rules[0], weights, slots, gradient, step)
        for index, rule in enumerate(rules[1:], start=1):
            mine = kind == index
            own = apply(rule, weights, slots, gradient, step)
            result = tuple(xp.where(mine, new, old) for new, old in zip(own, result, strict=True))
        return result

    return update


def clipped(
    rules: Sequence[Rule],
    pieces: Sequence[Sequence[int]],
    xp: Any,
    kind: Array,
    gradients: Sequence[Array],
) -> tuple[Array, ...]:
    """The gradients, each lane's bounded as its rule asks for; see `Options`.

    Args:
        rules: those that lanes may have.
        pieces: the sizes of the weight arrays in each of the gradients, see `Network.pieces`.
        xp: the array library; beside what rules need, `maximum`, `minimum`, `reduce_sum`, `split`
            and `concat`.
        kind: each lane's index into `rules`, (K, 1).
        gradients: (K, m) each.

    Returns:
        The gradients; a lane without a bound keeps its own bit for bit.
    """

    def bound(name: str) -> Array:
        """The bound of each lane, (K, 1), 0 for none; None where no rule has one."""
        values = [getattr(rule, name, 0.0) for rule in rules]
        if not any(values):
            return None
        found = xp.where(kind == 0, values[0], 0.0)
        for index, value in enumerate(values[1:], start=1):
            found = xp.where(kind == index, value, found)
        return found

    def squares(gradient: Array) -> Array:
        return xp.reduce_sum(gradient * gradient, axis=1, keepdims=True)

    def scaled(gradient: Array, square: Array, most: Array) -> Array:
        return xp.where(most > 0, gradient * most / xp.maximum(xp.sqrt(square), most), gradient)

    value, norm, all_norm = map(bound, ("clipvalue", "clipnorm", "global_clipnorm"))
    if value is not None:
        gradients = [
            xp.where(value > 0, xp.minimum(xp.maximum(g, -value), value), g) for g in gradients
        ]
    if norm is not None:
        cut = [xp.split(g, list(sizes), axis=1) for g, sizes in zip(gradients, pieces, strict=True)]
        gradients = [
            xp.concat([scaled(g, squares(g), norm) for g in parts], axis=1) for parts in cut
        ]
    if all_norm is not None:
        total = sum(map(squares, gradients))
        gradients = [scaled(g, total, all_norm) for g in gradients]
    return tuple(gradients)
