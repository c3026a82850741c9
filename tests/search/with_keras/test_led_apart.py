"""Optimizers apart from any training: how they are named, led, and held to what they may do."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from keras import optimizers

from study.engines.tensorflow import xp as tf
from study.errors import StudyError
from study.search.keras.lead import NO_RATE, Lead, rates_led
from study.search.keras.optimizers import compiled, innermost, own
from study.search.keras.schedule import ScheduledRate
from study.search.keras.validation import evaluation
from support.engines.held import Held

pytestmark = pytest.mark.slow


def lead(
    *names: str, led: dict[str, float], alone: bool, read: bool = True
) -> tuple[Lead, dict[str, Any], dict[str, Held]]:
    """A lead of made-up optimizers, these, and the rates of those that are led."""
    known = {name: SimpleNamespace(_iterations=Held()) for name in names}
    rates = {name: Held(9.0) for name in led}
    return Lead(known, led, {n: (r, lambda: read) for n, r in rates.items()}, alone), known, rates


def test_rates_are_led_by_their_shares() -> None:
    """Whose rate it is, is told where it could be another's."""
    one, _, rates = lead("a", "b", led={"a": 1.0, "b": 0.25}, alone=True)
    one.to(0.5)
    assert [each.value for each in rates.values()] == [0.5, 0.125]
    assert one.rate_of == "a, b having 0.25 of it"
    assert lead("a", led={"a": 1.0}, alone=True)[0].rate_of == ""
    assert lead("a", "b", led={"b": 1.0}, alone=False)[0].rate_of == "b"


def test_another_rate_that_trains_the_model_is_refused() -> None:
    """Each in a sentence of its own; what stands still may be there."""
    one, known, rates = lead("a", "b", led={"a": 1.0}, alone=True)
    one.to(0.1)
    one.check()
    known["a"]._iterations.assign(1)
    one.check()
    rates["a"].assign(0.2)
    with pytest.raises(StudyError, match="train_step sets the rate of a itself"):
        one.check()
    rates["a"].assign(0.1)
    known["b"]._iterations.assign(1)
    with pytest.raises(StudyError, match=r"trains with b, whose rates .* as in group='b'"):
        one.check()
    one.alone = False
    one.check()


def test_a_rate_that_no_step_reads_is_refused_once_a_step_is_taken() -> None:
    """The schedule was compiled before."""
    one, known, _ = lead("a", led={"a": 1.0}, alone=True, read=False)
    one.to(0.1)
    one.check()
    known["a"]._iterations.assign(1)
    with pytest.raises(StudyError, match="was compiled before with the schedule of a"):
        one.check()


def test_one_led_optimizer_must_take_a_step() -> None:
    """That of another is none."""
    one, known, _ = lead("a", "b", "c", led={"a": 1.0, "b": 1.0}, alone=True)
    for name, fine in (("c", False), ("b", True)):
        known[name]._iterations.assign(1)
        if fine:
            one.settle()
        else:
            with pytest.raises(StudyError, match="the optimizer a and b has taken no step"):
                one.settle()


class Several(optimizers.SGD):  # type: ignore[misc]
    """Holds optimizers as Keras's own `MultiOptimizer` does."""

    def __init__(self, *inner: Any, names: Any = None) -> None:
        super().__init__(0.1)
        object.__setattr__(self, "optimizers", list(inner))
        object.__setattr__(self, "_optimizer_map", names)


def test_optimizers_are_named_by_pattern_and_the_default_comes_first() -> None:
    """Those that train no weight are left out once that is known; equal names are numbered."""
    body, head, rest = (SimpleNamespace(name="sgd", built=built) for built in (True, False, True))

    class Patterns(dict):  # type: ignore[type-arg]
        default_optimizer = rest

    whole = SimpleNamespace(
        optimizers=[body, head, rest], built=True, _optimizer_map=Patterns({"body.*": body})
    )
    assert compiled(whole) == {"default": rest, "body.*": body}
    whole.built = False
    assert list(compiled(whole)) == ["default", "body.*", "sgd"]
    whole._optimizer_map = lambda weight: body
    assert list(compiled(whole).items()) == [("sgd", body), ("sgd 1", head), ("sgd 2", rest)]
    around = SimpleNamespace(inner_optimizer=SimpleNamespace(inner_optimizer=body))
    assert innermost(around) is body
    assert compiled(around) == {"optimizer": body}


def test_further_optimizers_are_found_by_the_way_to_them() -> None:
    """Not the compiled one, nor one around another, nor one that holds others."""
    main, side = optimizers.SGD(0.1), optimizers.SGD(0.2)
    scaled = optimizers.LossScaleOptimizer(optimizers.SGD(0.3))
    model = SimpleNamespace(optimizer=main, parts=[side, scaled], many=Several(side))
    assert {way: float(one.learning_rate.numpy()) for way, one in own(model).items()} == {
        "parts[0]": pytest.approx(0.2),
        "parts[1].inner_optimizer": pytest.approx(0.3),
    }


@pytest.mark.parametrize("group", [None, "side"])
def test_shares_are_those_of_the_rates_that_were(group: str | None) -> None:
    """Of the first; one alone has all of it, even where its rate is 0."""
    first, second = optimizers.SGD(0.2), optimizers.SGD(0.05)
    whole = Several(first, second, names={"first": first, "second": second})
    model = SimpleNamespace(optimizer=whole, side=optimizers.SGD(0.0))
    with rates_led(model, group) as one:
        shares = {"first": 1.0, "second": 0.25} if group is None else {"side": 1.0}
        assert one.led == pytest.approx(shares)
        assert one.alone == (group is None)
        assert set(one.known) == {"first", "second", "side"}
    first.learning_rate.assign(0.0)
    with pytest.raises(StudyError, match="the rate of first is 0, and the others"):
        rates_led(model, None).__enter__()
    with pytest.raises(StudyError, match=r"unknown group 'sid'.*did you mean side"):
        rates_led(model, "sid").__enter__()


def test_a_schedule_counts_where_no_rate_is_led() -> None:
    """In a sweep the rate does, be it 0; what read it is known, and the schedule comes back."""
    decay = optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    one = optimizers.SGD(decay)
    with rates_led(SimpleNamespace(optimizer=one), None) as led:
        ((rate, read),) = led.rates.values()
        stand_in = one._learning_rate
        assert (float(rate.numpy()), read()) == (NO_RATE, False) == (-1.0, False)
        assert float(stand_in(1)) == 0.25
        assert read()
        led.to(0.125)
        assert float(stand_in(1)) == 0.125
        led.to(0.0)
        assert float(stand_in(1)) == 0.0
        assert any(each is rate for each in one.variables)
    assert one._learning_rate is decay
    assert not any(each is rate for each in one.variables)
    assert (float(rate.numpy()), float(stand_in(2))) == (-1.0, 0.125)
    plain = optimizers.SGD(lambda: 0.375)
    with rates_led(SimpleNamespace(optimizer=plain), None):
        assert float(plain._learning_rate(3)) == 0.375


class Evaluated:
    """A model that tells how it is asked."""

    def evaluate(self, **options: Any) -> dict[str, Any]:
        return options


class Pairs(keras.utils.PyDataset):  # type: ignore[misc]
    """One batch."""

    num_batches = 1

    def __getitem__(self, place: int) -> Any:
        return np.zeros((1, 1)), np.zeros(1)


def test_validation_data_are_given_to_evaluate() -> None:
    """Arrays with the size of a batch; others as they are."""
    quiet = {"verbose": 0, "return_dict": True}
    for data in ((1, 2), [1, 2], (1, 2, 3)):
        named = dict(zip(("x", "y", "sample_weight"), data, strict=False))
        assert evaluation(Evaluated(), data, 7)() == {**quiet, **named, "batch_size": 7}
    pairs = Pairs()
    assert evaluation(Evaluated(), pairs, 7)() == {**quiet, "x": pairs}
    finite = tf.data.Dataset.range(3)
    assert list(evaluation(Evaluated(), finite, 7)()["x"].as_numpy_iterator()) == [0, 1, 2]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((1,), "validation_data is a tuple: give arrays as (x, y)"),
        ((1, 2, 3, 4), "validation_data is a tuple: give arrays as (x, y)"),
        ({"x": 1}, "validation_data is a dict: give arrays as (x, y)"),
        (iter([1]), "validation_data is a list_iterator, which can be read only once"),
        (tf.data.Dataset.range(3).repeat(), "validation_data has no end: take a part of it"),
    ],
)
def test_validation_data_that_cannot_be_read_again_are_refused(data: Any, words: str) -> None:
    """In one sentence."""
    with pytest.raises(StudyError) as told:
        evaluation(Evaluated(), data, 7)
    assert words in str(told.value)


def test_the_highest_rate_of_a_schedule() -> None:
    """It is that of a study; the rate and the text are saved."""
    assert ScheduledRate("constant", 1e12).get_config() == {
        "schedule": "constant",
        "learning_rate": 1e12,
    }
    for rate in (0.0, math.nextafter(1e12, math.inf)):
        with pytest.raises(StudyError, match="learning rate"):
            ScheduledRate("constant", rate)
