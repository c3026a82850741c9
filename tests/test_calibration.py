"""Step times: measured in turn, kept by machine, and what plans make of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from parabola import MACHINE, ParabolaEngine, calibrated

from study.calibration import ROUNDS, Calibration, key_of, measure
from study.errors import StudyError
from study.learner import LANE_SIZES
from study.plan import group, lanes_for, plan
from study.spec import StudySpec, preset

SPEC = preset("quick")
ONE = [trial for trial in SPEC.trials() if trial.learning_rate == SPEC.rates[0]]


def calibration(path: Path, tensorflow: str = "2.21.0") -> Calibration:
    """An empty or read calibration of the test machine."""
    return Calibration([path], MACHINE, tensorflow)


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
    """Warm-up first; then each round takes every optimizer in turn, so a slow spell falls on all."""
    first, second = ONE[:2]
    warm = [4 * 0.005, 4 * 0.005]
    rounds = []
    for i in range(ROUNDS):
        spell = 10 if i in (2, 3) else 1
        rounds += [50 * 0.001 * spell, 50 * 0.002 * spell]
    times = calibration(tmp_path / "c.json")
    seen: list[tuple[int, int]] = []
    measure(times, [first, second], ParabolaEngine(), SlowClock(warm + rounds), lambda done, total: seen.append((done, total)))
    assert times.seconds(first) == pytest.approx(0.001)
    assert times.seconds(second) == pytest.approx(0.002)
    entry = times.times[key_of(first)]
    assert (entry.rounds, entry.steps, entry.lanes) == (ROUNDS, 50, 1)
    assert entry.low == pytest.approx(0.001)
    assert entry.high == pytest.approx(0.001)
    assert seen[-1] == (20, 20)
    assert [done for done, _ in seen] == list(range(1, 21))


def test_times_are_reused_on_the_same_machine_and_missed_on_another(tmp_path: Path) -> None:
    """Another processor or another TensorFlow measures anew, and leaves the first one's times in the file."""
    path = tmp_path / "c.json"
    calibrated(calibration(path), ONE, 0.001)
    assert calibration(path).missing(SPEC.trials()) == []
    for other in (Calibration([path], replace(MACHINE, cores=8), "2.21.0"), calibration(path, tensorflow="3.0.0")):
        assert [trial.optimizer for trial in other.missing(SPEC.trials())] == list(SPEC.optimizers)
        calibrated(other, ONE, 0.005)
        assert calibration(path).seconds(ONE[0]) == 0.001
    assert len(json.loads(path.read_text())) == 18


@pytest.mark.parametrize("change", [{"network": "tutorial"}, {"batch": 50}, {"hyper": "keras"}, {"widths": (2.0,)}, {"scale_dense": True}])
def test_a_step_time_belongs_to_its_network_width_batch_and_rule(tmp_path: Path, change: dict[str, object]) -> None:
    """It is never used for another."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE)
    assert len(times.missing(SPEC.with_(**change).trials())) == 6


def test_the_studys_own_file_comes_before_its_siblings(tmp_path: Path) -> None:
    """A study keeps the seconds it began with."""
    own, shared = tmp_path / "study" / "c.json", tmp_path / "c.json"
    calibrated(calibration(own), ONE, 0.001)
    calibrated(calibration(shared), ONE, 0.009)
    assert Calibration([own, shared], MACHINE, "2.21.0").seconds(ONE[0]) == 0.001


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"network": "compact"}]'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    """One sentence that says what to do."""
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(StudyError, match="remove it"):
        calibration(path)


def test_groups_share_all_but_optimizer_and_rate(tmp_path: Path) -> None:
    """And hold every pending trial once."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE)
    spec = SPEC.with_(widths=(1, 2), seeds=2)
    groups = group(spec.trials(), times)
    assert [len(trials) for trials in groups] == [96] * 4
    assert sorted(trial.id for trials in groups for trial in trials) == sorted(trial.id for trial in spec.trials())
    for trials in groups:
        assert len({(trial.width, trial.seed) for trial in trials}) == 1


def test_slow_steps_and_workers_make_smaller_groups(tmp_path: Path) -> None:
    """A check must come within the interval; workers share the trials."""
    times = calibration(tmp_path / "c.json")
    assert lanes_for(ONE[0], calibrated(times, ONE, 0.002)) == max(LANE_SIZES)
    assert lanes_for(ONE[0], calibrated(times, ONE, 0.05)) == 8
    assert lanes_for(ONE[0], calibrated(times, ONE, 100.0)) == 1
    assert [len(trials) for trials in group(SPEC.trials(), calibrated(times, ONE, 0.002), workers=2)] == [48, 48]


def test_alone_groups_are_single_trials_in_a_mixed_order(tmp_path: Path) -> None:
    """No optimizer gets a spell of the machine to itself."""
    trials = SPEC.with_(mode="alone").trials()
    groups = group(trials, calibration(tmp_path / "c.json"))
    assert all(len(one) == 1 for one in groups)
    assert sorted(one[0].id for one in groups) == sorted(trial.id for trial in trials)
    assert len({one[0].optimizer for one in groups[:16]}) > 2


def test_a_plan_leaves_out_what_is_stored_and_bounds_the_rest(tmp_path: Path) -> None:
    """Every pending trial at its cap, at the step time of a lane in an array where one is known."""
    spec = StudySpec(optimizers=("sgd",), rates=(0.1, 0.2, 0.3), cap=1.0)
    trials = spec.trials()
    times = calibration(tmp_path / "c.json")
    blind = plan(spec, set(), times)
    assert 0.1 < blind.most_seconds < 3  # a guess
    assert len(blind.uncalibrated) == 1
    calibrated(times, trials, 0.002)
    todo = plan(spec, {trials[0].id}, times)
    assert todo.pending == tuple(trials[1:])
    assert todo.most_seconds == pytest.approx(2 * 500 * 0.002)
    times.add([times.entry(key_of(trials[0], "mixed"), 32, [0.0005], 50)])
    assert plan(spec, set(), times).most_seconds == pytest.approx(3 * 500 * 0.0005)
    assert plan(spec.with_(mode="alone"), set(), times).most_seconds == pytest.approx(3 * 1.0)
    assert plan(spec.with_(mode="alone", cap=None, max_steps=100), set(), times).most_seconds == pytest.approx(3 * 100 * 0.002)
