"""The rates that a sweep leads, and whether nothing else trains the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from study.errors import StudyError
from study.search.keras.optimizers import compiled, own
from study.search.own.together import shares_of, whose
from study.validation import choice

NO_RATE = -1.0
"""The value of the variable that stands in for a schedule, where the schedule counts."""


class Lead:
    """The rates of a sweep.

    Args:
        known: all optimizers of a model, by name.
        led: of these, the name of each that is led, with its share of the rate.
        rates: of each that is led, the variable of its rate, and whether a step has read it.
        alone: whether the others must stand still.
    """

    def __init__(
        self,
        known: Mapping[str, Any],
        led: Mapping[str, float],
        rates: Mapping[str, tuple[Any, Callable[[], bool]]],
        alone: bool,
    ) -> None:
        self.known, self.led, self.rates, self.alone = known, led, rates, alone
        self.before = {name: _taken(optimizer) for name, optimizer in known.items()}
        self.now: dict[str, float] = {}

    @property
    def rate_of(self) -> str:
        """Whose rate it is, in words; empty where there is one optimizer."""
        if self.alone and len(self.led) == 1:
            return ""
        return whose(self.led)

    def to(self, rate: float) -> None:
        """Bring the first optimizer to a rate, and the others to their share of it."""
        for name, (variable, _) in self.rates.items():
            variable.assign(rate * self.led[name])
            self.now[name] = float(variable.numpy())

    def check(self) -> None:
        """Raise `StudyError` where another rate trains the model, too."""
        moved = self._moved()
        for name, (variable, read) in self.rates.items():
            if name in moved and not read():
                raise StudyError(
                    f"the model's step was compiled before with the schedule of {name}: call "
                    "find_rate before fit, or give the optimizer a plain rate"
                )
            if float(variable.numpy()) != self.now[name]:
                raise StudyError(
                    f"the model's train_step sets the rate of {name} itself, so the sweep cannot "
                    "lead it: give the optimizer a schedule instead"
                )
        others = [name for name in moved if name not in self.led]
        if others and self.alone:
            raise StudyError(
                f"the model's train_step trains with {' and '.join(others)}, whose rates the sweep "
                f"would not lead: name the one to lead, as in group={others[0]!r}"
            )

    def settle(self) -> None:
        """Raise `StudyError` where no led optimizer has taken a step."""
        if not set(self._moved()) & set(self.led):
            raise StudyError(
                f"the optimizer {' and '.join(self.led)} has taken no step, so nothing was trained "
                "at the rates of the sweep: let the model's train_step use it"
            )

    def _moved(self) -> list[str]:
        return [name for name, one in self.known.items() if _taken(one) != self.before[name]]


@contextmanager
def rates_led(model: Any, group: str | None) -> Iterator[Lead]:
    """Lead the rates of a model's optimizers, and put the rates and schedules back.

    Args:
        model: a compiled Keras model.
        group: the one to lead, by its name in `own` or `compiled`. Where None, all that the model
            is compiled with are led by a common factor.

    Raises:
        StudyError: there is no such group, or the first rate is 0.
    """
    together = compiled(model.optimizer)
    known = {**together, **own(model)}
    led = together if group is None else {choice("group", group, tuple(known)): known[group]}
    shares = shares_of(led, lambda one: float(one.learning_rate.numpy()))
    with ExitStack() as stack:
        rates = {name: stack.enter_context(_rate_of(one)) for name, one in led.items()}
        yield Lead(known, shares, rates, alone=group is None)


def _taken(optimizer: Any) -> int:
    """Steps taken, those that only gather gradients included."""
    return int(optimizer._iterations.numpy())


@contextmanager
def _rate_of(optimizer: Any) -> Iterator[tuple[Any, Callable[[], bool]]]:
    """A variable that is the optimizer's learning rate, and whether a step has read it.

    A schedule is taken out meanwhile. The optimizer itself is used, not a copy. A copy made from
    its configuration lacks what the configuration does not hold, such as the weights that
    `exclude_from_weight_decay` named.
    """
    import keras

    own = optimizer._learning_rate
    if isinstance(own, keras.Variable):
        yield own, lambda: True
        return
    rate = keras.Variable(NO_RATE, trainable=False, name="learning_rate")
    stand_in = _stand_in(own, rate)
    # Backends with functional updates pass on the state of tracked variables alone.
    optimizer._track_variable(rate)
    vars(optimizer)["_learning_rate"] = stand_in
    try:
        yield rate, lambda: stand_in.read
    finally:
        vars(optimizer)["_learning_rate"] = own
        optimizer._untrack_variable(rate)
        rate.assign(NO_RATE)


def _stand_in(own: Any, rate: Any) -> Any:
    """A schedule that is the rate where there is one, else the optimizer's own.

    A step that the user compiles keeps it after the sweep.
    """
    import keras

    class StandIn(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        read = False

        def __call__(self, step: Any) -> Any:
            self.read = True
            schedule = isinstance(own, keras.optimizers.schedules.LearningRateSchedule)
            return keras.ops.where(rate < 0, own(step) if schedule else own(), rate)

    return StandIn()
