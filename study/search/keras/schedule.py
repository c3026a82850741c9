"""Schedules as objects of Keras, exact at any step and on any backend."""

from __future__ import annotations

from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from study.errors import StudyError
from study.search.keras.operations import operations
from study.spec.schedules.base import Schedule
from study.spec.schedules.parse import parse
from study.validation import number


@keras.saving.register_keras_serializable(package="study")
class ScheduledRate(LearningRateSchedule):
    """learning_rate x factor(step), saved with a model as a text and a number.

    Keras can load it in a process that has imported this module. A momentum that the schedule
    cycles is left out: the momentum of Keras's optimizers is a constant.

    Args:
        schedule: a schedule, or its text.
        learning_rate: the rate where the factor is 1.

    Raises:
        StudyError: no such schedule, one that follows a trial's checks, or a rate that is not a
            positive finite number.
    """

    def __init__(self, schedule: str | Schedule, learning_rate: float) -> None:
        self.schedule, self.learning_rate = (
            parse(schedule),
            number("learning rate", learning_rate, low=0, high=1e12),
        )
        if self.schedule.plateaus:
            raise StudyError(
                f"schedule {str(self.schedule)!r} follows a trial's checks, and an optimizer of "
                "Keras sees none: take keras.callbacks.ReduceLROnPlateau for its plateau"
            )

    def __call__(self, step: Any) -> Any:
        """The rate at a step, the optimizer's `iterations` before the update."""
        xp = operations(keras)
        return xp.multiply(self.learning_rate, self.schedule.factor(xp.step(step), xp))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {"schedule": str(self.schedule), "learning_rate": self.learning_rate}


def schedule(shape: str | Schedule, learning_rate: float) -> ScheduledRate:
    """A Keras schedule of a shape.

    Keras's own classes are not used: their place in a cycle is a number in single precision, which
    is off at restarts, and lost past 2^24 steps.

    Args:
        shape: a schedule, or its text, see `study.spec.schedules`.
        learning_rate: the rate where the factor is 1.

    Raises:
        StudyError: as `ScheduledRate` does.
    """
    return ScheduledRate(shape, learning_rate)
