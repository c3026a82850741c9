"""The optimizers of a model, and the rates that a sweep leads; some names of Keras are private."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from study.errors import StudyError
from study.search.keras.reach import reachable
from study.validation import choice

NO_RATE = -1.0
"""The value of the variable that stands in for a schedule, where the schedule counts."""


@dataclass(frozen=True)
class Lead:
    """The rates of a sweep.

    Args:
        to: brings all led optimizers to a rate: the first to the rate itself, the others to their
            share of it.
        rate_of: whose rate it is, in words; empty where there is one optimizer.
        check: raises `StudyError` where another rate trains the model, too.
        settle: raises `StudyError` where no led optimizer has taken a step.
    """

    to: Callable[[float], None]
    rate_of: str
    check: Callable[[], None]
    settle: Callable[[], None]


@contextmanager
def rates_led(model: Any, group: str | None) -> Iterator[Lead]:
    """Lead the rates of a model's optimizers, and put the rates and schedules back.

    Args:
        model: a compiled Keras model, whose optimizer is built.
        group: the one to lead, by its name in `own` or `compiled`. Where None, all that the model
            is compiled with are led by a common factor.

    Raises:
        StudyError: there is no such group, or the first rate is 0.
    """
    with_model = compiled(model.optimizer)
    known = {**with_model, **own(model)}
    led = with_model if group is None else {choice("group", group, tuple(known)): known[group]}
    shares = _shares(led)
    before = {name: _taken(optimizer) for name, optimizer in known.items()}
    now: dict[str, float] = {}

    def moved() -> list[str]:
        return [name for name, one in known.items() if _taken(one) != before[name]]

    def check() -> None:
        steps = moved()
        for name, (_, read) in rates.items():
            if name in steps and not read():
                raise StudyError(
                    f"the model's step was compiled before with the schedule of {name}: call "
                    "find_rate before fit, or give the optimizer a plain rate"
                )
        for name, (variable, _) in rates.items():
            if float(variable.numpy()) != now[name]:
                raise StudyError(
                    f"the model's train_step sets the rate of {name} itself, so the sweep cannot "
                    "lead it: give the optimizer a schedule instead"
                )
        others = [name for name in steps if name not in led]
        if others and group is None:
            raise StudyError(
                f"the model's train_step trains with {' and '.join(others)}, whose rates the sweep "
                f"would not lead: name the one to lead, as in group={others[0]!r}"
            )

    def settle() -> None:
        if not set(moved()) & set(led):
            raise StudyError(
                f"the optimizer {' and '.join(led)} has taken no step, so nothing was trained at "
                "the rates of the sweep: let the model's train_step use it"
            )

    with ExitStack() as stack:
        rates = {name: stack.enter_context(_rate_of(one)) for name, one in led.items()}

        def to(rate: float) -> None:
            for name, (variable, _) in rates.items():
                variable.assign(rate * shares[name])
                now[name] = float(variable.numpy())

        yield Lead(to, _told(group, shares), check, settle)


def compiled(optimizer: Any) -> dict[str, Any]:
    """The optimizers that a model is compiled with, the first being the default.

    The names are `optimizer`, or the patterns of a `MultiOptimizer` and `default`. Those of its
    optimizers that train no weight are left out.
    """
    optimizer = innermost(optimizer)
    if not hasattr(optimizer, "optimizers"):
        return {"optimizer": optimizer}
    mapped = optimizer._optimizer_map
    default = getattr(mapped, "default_optimizer", None)
    patterns = mapped.items() if isinstance(mapped, Mapping) else ()
    names = {id(one): pattern for pattern, one in patterns} | {id(default): "default"}
    found: dict[str, Any] = {}
    for one in sorted(optimizer.optimizers, key=lambda one: one is not default):
        if one.built or not optimizer.built:
            name = names.get(id(one), one.name)
            found[name if name not in found else f"{name} {len(found)}"] = one
    return found


def own(model: Any) -> dict[str, Any]:
    """Further optimizers that the model's attributes and functions lead to, by the way to them.

    One that the compiled optimizer holds is among them, but for those that Keras puts there.
    """
    import keras

    inner = innermost(model.optimizer)
    theirs = {id(part) for part in (inner, *getattr(inner, "optimizers", ()))}
    return {
        way: part
        for way, part in reachable(model)
        if isinstance(part, keras.optimizers.Optimizer)
        and id(part) not in theirs
        and innermost(part) is part
        and not hasattr(part, "optimizers")
    }


def innermost(optimizer: Any) -> Any:
    """The optimizer that others wrap; its rate is the one that counts."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def _taken(optimizer: Any) -> int:
    """Steps taken, those that only gather gradients included."""
    return int(optimizer._iterations.numpy())


def _shares(led: Mapping[str, Any]) -> dict[str, float]:
    """The rate of each over that of the first."""
    if len(led) == 1:
        return dict.fromkeys(led, 1.0)
    rates = {name: float(one.learning_rate.numpy()) for name, one in led.items()}
    first = next(iter(rates))
    if not rates[first] > 0:
        raise StudyError(
            f"the rate of {first} is {rates[first]:g}, and the others are led by their share of "
            "it: give it a rate above 0, or name one group to lead"
        )
    return {name: rate / rates[first] if name != first else 1.0 for name, rate in rates.items()}


def _told(group: str | None, shares: Mapping[str, float]) -> str:
    if group is None and len(shares) == 1:
        return ""
    first, *others = shares
    return ", ".join([first, *(f"{name} having {shares[name]:.3g} of it" for name in others)])


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
