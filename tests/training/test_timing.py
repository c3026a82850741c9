"""Step times and arrays are measured in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.spec.trial import Trial
from study.storage.rounds import Rounds
from study.storage.step_times import key_of
from study.training.timing import (
    PROBE_ROUNDS,
    ROUNDS,
    measure,
    probe,
    step_reader,
    step_times,
    time_round,
)
from support.execution.step_times import ONE, calibration
from support.parabola import Parabola, ParabolaEngine
from support.training.told import Hand


class SlowClock:
    """Advances by the next of the given intervals around each timed call, and not between calls."""

    def __init__(self, intervals: list[float]) -> None:
        self.intervals, self.now, self.running = list(intervals), 0.0, False

    def __call__(self) -> float:
        if self.running:
            self.now += self.intervals.pop(0)
        self.running = not self.running
        return self.now


def test_the_step_time_is_the_median_over_interleaved_rounds(tmp_path: Path) -> None:
    """Warm-up first; then each round takes every optimizer in turn, so a slow spell hits all."""
    first, second = ONE[:2]
    warm = [4 * 0.005, 4 * 0.005]
    rounds = []
    for i in range(ROUNDS):
        spell = 10 if i in (2, 3) else 1
        rounds += [50 * 0.001 * spell, 50 * 0.002 * spell]
    times = calibration(tmp_path / "c.json")
    seen: list[tuple[int, int]] = []
    found = step_times(
        [first, second],
        ParabolaEngine(),
        SlowClock(warm + rounds),
        lambda done, total: seen.append((done, total)),
    )
    times.take([first, second], found)
    assert times.seconds(first) == pytest.approx(0.001)
    assert times.seconds(second) == pytest.approx(0.002)
    entry = times.times[key_of(first)]
    assert (entry.rounds, entry.steps, entry.lanes) == (ROUNDS, 50, 1)
    assert entry.low == pytest.approx(0.001)
    assert entry.high == pytest.approx(0.001)
    assert seen[-1] == (20, 20)
    assert [done for done, _ in seen] == list(range(1, 21))


@dataclass
class Timed(ParabolaEngine):
    """Its steps take so many seconds by its clock; it notes the steps of each call."""

    seconds: float
    clock: Hand = field(default_factory=lambda: Hand(3.0))
    steps: list[tuple[int, int]] = field(default_factory=list)
    learners: list[Parabola] = field(default_factory=list)

    def learner(self, trials: Sequence[Trial]) -> Parabola:
        engine = self

        class Slow(Parabola):
            def advance(self, rates: Any, momenta: Any = None) -> Any:
                engine.steps.append(rates.shape)
                engine.clock.now += len(rates) * engine.seconds
                return super().advance(rates)

        self.learners.append(Slow([20.0] * len(trials)))
        return self.learners[-1]


@pytest.mark.parametrize(
    ("seconds", "steps"), [(0.0, 50), (1e-3, 50), (0.01, 25), (0.03125, 8), (0.0625, 4), (1.0, 4)]
)
def test_a_round_takes_a_quarter_of_a_second(seconds: float, steps: int) -> None:
    """Of steps as long as those of the warm-up, but at least 4 steps, and at most one check's."""
    engine = Timed(seconds)
    (found,) = step_times([replace(ONE[0], check_every=50)], engine, engine.clock)
    assert engine.steps == [(4, 1)] + [(steps, 1)] * 9
    assert found.steps == steps
    assert found.seconds == pytest.approx([seconds] * 9)


def test_a_trial_that_is_timed_does_not_diverge() -> None:
    """Its steps are so small that a steep model still falls: a rate above 0.1 would not do."""
    engine = Timed(1e-3)
    step_times(ONE[:1], engine, engine.clock)
    (learner,) = engine.learners
    assert 0 < learner.w.item() < 1


def test_a_step_is_read_whenever_it_is_asked_for() -> None:
    """Rounds of a quarter of a second at 2 ms, but no longer than a check, after a warm-up."""
    trial, engine = replace(ONE[0], check_every=1000), Timed(2e-3)
    look = step_reader(trial, engine, engine.clock)
    assert engine.steps == [(4, 1)]
    assert look() + look() == pytest.approx([2e-3] * 6)
    assert engine.steps[1:] == [(125, 1)] * 6
    short = Timed(2e-3)
    step_reader(replace(trial, check_every=50), short, short.clock)()
    assert short.steps == [(4, 1), *[(50, 1)] * 3]


def test_a_probe_times_each_size_in_turn() -> None:
    """Seconds of one lane's step: the array's, divided among its lanes. Three rounds of five steps
    after one step of warm-up.
    """
    clock = SlowClock([5 * 0.004, 5 * 0.008] * PROBE_ROUNDS)
    found = probe(ONE[0], [4, 16], ParabolaEngine(), clock)
    assert found[4].seconds == pytest.approx([1e-3] * 3)
    assert found[16].seconds == pytest.approx([5e-4] * 3)
    assert found[4].steps == 5
    engine = Timed(0.008)
    found = probe(ONE[0], [4, 16], engine, engine.clock)
    assert engine.steps == [(1, 4), (1, 16), *[(5, 4), (5, 16)] * 3]
    assert found[16].seconds == pytest.approx([5e-4] * 3)


@pytest.mark.parametrize(("place", "processor"), [("cpu", [0.0625]), ("GPU-aa", [])])
def test_a_round_counts_processor_time_on_a_processor(
    place: str, processor: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one step of one lane, as it counts seconds."""
    taken, engine = Hand(7.0), Timed(0.5)

    class Working(Parabola):
        def advance(self, rates: Any, momenta: Any = None) -> Any:
            taken.now += 1.0
            return engine.learners[0].advance(rates)

    engine.learner([ONE[0]] * 4)
    monkeypatch.setattr("study.machine.device.current", lambda: place)
    monkeypatch.setattr("time.process_time", taken)
    rounds = Rounds([], 4)
    time_round(rounds, Working([1.0] * 4), 4, 4, engine.clock)
    assert rounds.seconds == [0.125]
    assert rounds.processor == processor


def test_what_is_measured_is_stored(tmp_path: Path) -> None:
    """And nothing is, where nothing is to be measured."""
    times = calibration(tmp_path / "c.json")
    assert measure(times, [], ParabolaEngine()) == []
    assert times.readings == []
    assert not times.paths[0].exists()
    assert measure(times, ONE[:2], ParabolaEngine()) == []
    assert [time.key for time in times.readings] == [key_of(trial) for trial in ONE[:2]]


@dataclass
class Broken(ParabolaEngine):
    """Makes no learner."""

    error: Exception

    def learner(self, trials: Sequence[Trial]) -> Parabola:
        raise self.error


@pytest.mark.parametrize("what", ["step", "array"])
def test_an_error_of_timing_is_told_in_a_sentence(what: str) -> None:
    """With 300 characters of it; a sentence of ours stays as it is."""

    def timed(error: Exception) -> None:
        if what == "step":
            step_times(ONE[:1], Broken(error))
        else:
            probe(ONE[0], [4], Broken(error))

    ours = StudyError("no such file")
    with pytest.raises(StudyError) as raised:
        timed(ours)
    assert raised.value is ours
    with pytest.raises(StudyError) as raised:
        timed(ValueError("x" * 400))
    names = {
        "step": "the step time of sgd on the compact network at width 1 cannot be measured",
        "array": "an array of 4 lanes on the compact network at width 1 cannot be trained here",
    }
    assert str(raised.value) == f"{names[what]} (ValueError: {'x' * 300})"


class Crowded(ParabolaEngine):
    """Raises where an array has more than four lanes."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def learner(self, trials: Sequence[Trial]) -> Parabola:
        if len(trials) > 4:
            raise self.error
        return super().learner(trials)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory"),
        RuntimeError("OOM when allocating"),
    ],
)
def test_a_size_that_memory_cannot_hold_is_not_to_be_had(error: Exception) -> None:
    """Whoever says so; smaller ones after it are timed."""
    assert set(probe(ONE[0], [4, 16, 2], Crowded(error))) == {4, 2}
