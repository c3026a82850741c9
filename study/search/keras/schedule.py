"""Schedules as Keras's objects: its own where it has the shape, else a `ScheduledRate`."""

from __future__ import annotations

from typing import Any

import keras
from keras.optimizers.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

from study.spec.schedules.base import Schedule
from study.spec.schedules.decay import (
    Cosine,
    CosineRestarts,
    Exponential,
    InverseTime,
    Piecewise,
    Polynomial,
)
from study.spec.schedules.parse import parse
from study.validation import number


@keras.saving.register_keras_serializable(package="study")
class ScheduledRate(LearningRateSchedule):
    """learning_rate x factor(step), saved with a model as a text and a number.

    Keras can load it in a process that has imported this module.

    Args:
        schedule: a schedule, or its text.
        learning_rate: the rate where the factor is 1.
    """

    def __init__(self, schedule: str | Schedule, learning_rate: float) -> None:
        self.schedule, self.learning_rate = (
            parse(schedule),
            number("learning rate", learning_rate, low=0, high=1e12),
        )

    def __call__(self, step: Any) -> Any:
        """The rate at a step, the optimizer's `iterations` before the update."""
        return self.learning_rate * self.schedule.factor(keras.ops.cast(step, "int64"), keras.ops)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {"schedule": str(self.schedule), "learning_rate": self.learning_rate}


def schedule(shape: str | Schedule, learning_rate: float) -> Any:
    """A Keras schedule of a shape.

    It is Keras's own where it has the shape: cosine with its warm-up, and five others without one.
    Else it is a `ScheduledRate`.

    Args:
        shape: a schedule, or its text, see `study.spec.schedules`.
        learning_rate: the rate where the factor is 1.

    Raises:
        StudyError: no such schedule, or a rate that is not a positive finite number.
    """
    made = ScheduledRate(shape, learning_rate)
    rate = made.learning_rate
    match made.schedule:
        case Cosine(steps=steps, alpha=alpha, warmup=warmup) if warmup:
            return CosineDecay(0.0, steps, alpha, warmup_target=rate, warmup_steps=warmup)
        case Schedule(warmup=warmup) if warmup:
            return made
        case Cosine(steps=steps, alpha=alpha):
            return CosineDecay(rate, steps, alpha)
        case CosineRestarts(steps=steps, t_mul=t_mul, m_mul=m_mul, alpha=alpha):
            return CosineDecayRestarts(rate, steps, float(t_mul), m_mul, alpha)
        case Exponential(rate=factor, steps=steps, staircase=staircase):
            return ExponentialDecay(rate, steps, factor, staircase)
        case InverseTime(rate=factor, steps=steps, staircase=staircase):
            return InverseTimeDecay(rate, steps, factor, staircase)
        case Piecewise(boundaries=boundaries, factors=factors):
            return PiecewiseConstantDecay(list(boundaries), [rate * factor for factor in factors])
        case Polynomial(steps=steps, end=end, power=power, cycle=cycle):
            return PolynomialDecay(rate, steps, rate * end, power, cycle)
    return made
