"""How a sweep is recorded: when it ends, what it keeps, and what it asks of a learner."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from study.errors import StudyError
from study.search.curve import smooth
from study.search.finder import MAX_STEPS, Sweep, SweepRecorder, feed, ramp, stop_of, sweep
from support.parabola import Parabola


def recorder(steps: int = 9, stop: float | None = 4.0) -> SweepRecorder:
    """One of a ramp from 1e-3 on."""
    return SweepRecorder(ramp(1e-3, 1.0, steps), "log", stop)


@pytest.mark.parametrize(
    ("stop", "losses", "stopped"),
    [
        (1.0, [1.0], None),  # exactly that multiple
        (1.0, [1.0, 1.1], "threshold"),
        (4.0, [1.0, 6.8], None),  # the mean of both is then 3.93
        (4.0, [1.0, 7.2], "threshold"),
        (4.0, [5.0, 0.1, 0.1, 9.0], None),
        (4.0, [0.0, 100.0], None),
        (4.0, [-1.0, 100.0], None),
        (None, [1.0, 1e300], None),
        (4.0, [1.0, math.nan], "diverged"),
        (4.0, [math.inf], "diverged"),
        (4.0, [1.0, -math.inf], "diverged"),
        (4.0, [1.0] * 8, None),
        (4.0, [1.0] * 9, "end"),
        (4.0, [1.0] * 8 + [1e9], "threshold"),
        (4.0, [1.0] * 8 + [math.nan], "diverged"),
    ],
)
def test_a_sweep_ends_at_a_multiple_at_its_end_or_where_it_diverges(
    stop: float | None, losses: list[float], stopped: str | None
) -> None:
    """Each batch is heard of until then, and none after; a loss that is not finite is dropped."""
    one = recorder(9, stop)
    goes_on = [one.add(loss, 0.5) for loss in losses]
    assert goes_on == [True] * (len(losses) - 1) + [stopped is None]
    assert one.stopped == stopped
    if stopped:
        assert not one.add(1.0, 0.5)
    kept = losses[:-1] if stopped == "diverged" else losses
    found = one.sweep()
    assert found.losses.tolist() == kept
    assert found.accuracy.tolist() == [0.5] * len(kept)
    assert found.rates.tolist() == ramp(1e-3, 1.0, 9)[: len(kept)].tolist()
    assert found.smoothed.tolist() == smooth(np.array(kept)).tolist()
    assert (found.stopped, found.steps, found.scale) == (stopped or "end", 9, "log")
    assert (found.cause, found.metric, found.rate_of) == (None, "accuracy", "")


def test_a_model_without_a_metric_has_no_accuracy() -> None:
    """An accuracy of 0 is one."""
    one = recorder()
    one.add(1.0)
    assert one.sweep().accuracy.shape == (0,)
    one.add(1.0, 0.0)
    assert one.sweep().accuracy.tolist() == [0.0]


def test_the_first_to_be_blamed_stays() -> None:
    """And ends the sweep; no rule answers then."""
    one = recorder(40)
    feed(one, np.linspace(9, 1, 39), np.zeros(39))
    for cause in ("the first", "another"):
        one.blame(cause)
    assert not one.add(1.0)
    found = one.sweep()
    assert (found.stopped, found.cause) == ("diverged", "the first")
    assert found.why("tenth") == "the first"
    assert found.suggest("tenth") is None


def test_whose_rate_it_is_stands_behind_the_reason() -> None:
    """Where there is a rate at all."""
    losses = np.concatenate([np.linspace(2, 1, 100), np.linspace(1, 3, 100)])
    one = Sweep(ramp(1e-6, 10, 200), losses, losses, np.empty(0), "log", "end", 200)
    named = replace(one, rate_of="the body")
    assert one.suggest() == named.suggest() == one.rates[99] / 10
    assert named.why() == f"{one.why()}; it is the rate of the body"
    assert one.why("rise") == named.why("rise")
    assert one != replace(one), "curves are told apart by what they are, not by their numbers"
    with pytest.raises(FrozenInstanceError):
        one.scale = "linear"  # type: ignore[misc]


def test_no_batch_is_read_after_the_end() -> None:
    """Losses and accuracies are as many."""
    read = []

    def losses() -> Iterator[float]:
        for loss in (1.0, math.nan, 1.0):
            read.append(loss)
            yield loss

    feed(recorder(), losses(), [0.5] * 3)
    assert len(read) == 2
    with pytest.raises(ValueError, match="shorter"):
        feed(recorder(), [1.0, 1.0], [0.5])


@pytest.mark.parametrize(
    "call",
    [
        lambda: ramp(1.0, 1.0, 10),
        lambda: ramp(-1.0, 1.0, 10),
        lambda: ramp(0.0, 1.0, 10),
        lambda: ramp(1.0, math.nextafter(1e12, math.inf), 10),
        lambda: ramp(1.0, 2.0, MAX_STEPS + 1),
        lambda: ramp(1.0, 2.0, 0),
        lambda: stop_of(1),
        lambda: stop_of(math.nextafter(1e12, math.inf)),
        lambda: stop_of("all"),
        lambda: sweep(Parabola([1.0]), stop=1.0),
        lambda: sweep(Parabola([1.0]), steps=0),
    ],
)
def test_what_lies_beyond_the_bounds_is_refused(call: Callable[[], Any]) -> None:
    """In one sentence."""
    with pytest.raises(StudyError):
        call()


def test_bounds_themselves_are_allowed() -> None:
    """A single step, a million, the highest rate, a multiple just above one."""
    assert ramp(1e-3, 1.0, 1).tolist() == [1e-3]
    assert ramp(1.0, 1e12, 2).tolist() == [1.0, 1e6]
    assert ramp(math.nextafter(1e12, 0), 1e12, 1)[0] < 1e12
    assert ramp(1.0, 2.0, 2, "linear").tolist() == [1.0, 1.5]
    assert ramp(1e-3, math.nextafter(1e-3, 1), 2)[0] == 1e-3
    assert len(ramp(1e-3, 1.0, MAX_STEPS)) == MAX_STEPS == 1_000_000
    assert [stop_of(one) for one in (None, "none", 1.001, 1e12)] == [None, None, 1.001, 1e12]


def test_a_sweep_is_as_long_as_its_longest_lane() -> None:
    """Fifty steps at a time; the learner is prepared once."""
    level, steep = 1e-9, 1e3
    for curvatures, calls in (([level, steep], 5), ([steep, steep], 1), ([level], 5)):
        learner = Parabola(curvatures)
        found = sweep(learner, 1e-2, 1.0, 240)
        assert learner.calls == ["prepare", *["advance"] * calls]
        assert [one.stopped for one in found] == [
            "end" if c == level else "threshold" for c in curvatures
        ]
        assert [len(one.losses) == 240 for one in found] == [c == level for c in curvatures]
        assert len(found[0].accuracy) == len(found[0].losses)


def test_two_hundred_steps_up_to_ten_unless_it_is_said() -> None:
    """They end at four times the least loss."""
    (short,), (named,) = sweep(Parabola([10.0])), sweep(Parabola([10.0]), stop=4.0)
    (full,) = sweep(Parabola([1e-9]))
    assert short.losses.tolist() == named.losses.tolist()
    assert short.stopped == "threshold"
    assert len(sweep(Parabola([10.0]), stop=3.9)[0].losses) <= len(short.losses)
    assert full.rates.tolist() == ramp(1e-6, 10.0, 200, "log").tolist()
    assert (full.scale, full.steps, full.stopped) == ("log", 200, "end")
    assert sweep(Parabola([1e-9]), scale="linear")[0].scale == "linear"
    multiple = short.smoothed[-1] / short.smoothed.min()
    assert multiple > 4 >= (short.smoothed[:-1] / np.minimum.accumulate(short.smoothed[:-1])).max()
