"""The update rules on lanes in registers: those of `study.engines.rules`, compiled by Halide."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import halide as hl
import numpy as np
from numpy.typing import NDArray

from study.engines.native.registers import FLOAT, target
from study.engines.native.variables import function, lane
from study.engines.rules import Rule, clipped, mixed, slots_of

weight = hl.Var("weight")


class Number:
    """The number of the step as rules see it: they ask for powers of a number by it alone."""

    def __init__(self) -> None:
        self.powers: dict[float, Any] = {}

    def __rpow__(self, base: float) -> Any:
        return self.powers.setdefault(base, hl.Param(FLOAT))


class Update:
    """One step of the rules on lanes side by side, in place.

    Args:
        rules: those that lanes may have; each lane takes the result of its own.
        lanes: how many there are.
    """

    def __init__(self, rules: Sequence[Rule], lanes: int) -> None:
        self.rules, number = rules, Number()
        count = 1 + slots_of(rules)
        arrays = [hl.ImageParam(FLOAT, 2) for _ in range(count + 1)]  # and the gradient
        rate, momentum = hl.ImageParam(FLOAT, 1), hl.ImageParam(FLOAT, 1)
        kind = hl.ImageParam(hl.Int(32), 1)
        names = SimpleNamespace(sqrt=hl.sqrt, where=hl.select)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numbers become single precision, as in all engines
            new = mixed(rules)(
                names,
                kind[lane],
                *(array[lane, weight] for array in arrays),
                rate[lane],
                number,
                momentum[lane],
            )
        result = function("update", (lane, weight), new)
        result.bound(lane, 0, lanes).vectorize(lane)
        self.bases = list(number.powers)
        inputs = [*arrays, kind, rate, momentum, *number.powers.values()]
        # Roots and quotients are those of IEEE, so that what is proved of a rule holds.
        exact = target().with_feature(hl.TargetFeature.StrictFloat)
        self.call = result.compile_to_callable(inputs, exact)

    def __call__(
        self, kept: Sequence[Any], gradient: Any, kind: Any, rate: Any, momentum: Any, number: int
    ) -> None:
        """Take the step.

        Args:
            kept: buffers of the weights and of each slot, (n, lanes), which change.
            gradient: a buffer (n, lanes).
            kind, rate, momentum: buffers (lanes,).
            number: of the step, from 1.
        """
        powers = [float(np.float32(base) ** np.float32(number)) for base in self.bases]
        self.call(*kept, gradient, kind, rate, momentum, *powers, *kept)


@lru_cache(maxsize=64)
def update_of(rules: tuple[Rule, ...], lanes: int) -> Update:
    """The update of these rules, compiled once."""
    return Update(rules, lanes)


def bounded(
    rules: Sequence[Rule], sizes: Sequence[int], kind: NDArray[Any], gradient: NDArray[Any]
) -> None:
    """Clip the gradient (n, lanes) in place, as the rule of each lane asks for."""
    if not any(rule_bounds(rule) for rule in rules):
        return
    names = SimpleNamespace(
        where=np.where,
        sqrt=np.sqrt,
        maximum=np.maximum,
        minimum=np.minimum,
        reduce_sum=np.sum,
        concat=np.concatenate,
        split=lambda array, parts, axis: np.split(array, np.cumsum(parts)[:-1], axis),
    )
    (new,) = clipped(rules, [sizes], names, kind[:, None], [gradient.T])
    gradient[:] = new.T


def rule_bounds(rule: Rule) -> bool:
    """Whether a rule clips."""
    return any(getattr(rule, name, 0.0) for name in ("clipvalue", "clipnorm", "global_clipnorm"))
