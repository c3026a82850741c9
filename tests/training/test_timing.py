"""Step times and arrays are measured in turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from study.errors import StudyError
from study.spec.trial import Trial
from study.storage.step_times import key_of
from study.training.timing import PROBE_ROUNDS, ROUNDS, probe, step_times
from support.execution.step_times import ONE, calibration
from support.parabola import Parabola, ParabolaEngine


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


def test_a_probe_times_each_size_in_turn() -> None:
    """Seconds of one lane's step: the array's, divided among its lanes."""
    found = probe(
        ONE[0], [4, 16], ParabolaEngine(), SlowClock([5 * 0.004, 5 * 0.008] * PROBE_ROUNDS)
    )
    assert found[4].seconds == pytest.approx([1e-3] * PROBE_ROUNDS)
    assert found[16].seconds == pytest.approx([5e-4] * PROBE_ROUNDS)


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
    """Whoever says so."""
    assert set(probe(ONE[0], [4, 16], Crowded(error))) == {4}


def test_any_other_error_of_an_array_is_told() -> None:
    """It is not want of memory, and would cost the study its arrays without a word."""
    with pytest.raises(
        StudyError,
        match=r"an array of 16 lanes on the compact network at width 1 cannot be trained here "
        r"\(ValueError: no",
    ):
        probe(ONE[0], [4, 16], Crowded(ValueError("no gradient")))
