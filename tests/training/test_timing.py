"""Step times: measured in turn, kept by machine, and what plans make of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from study.engines.learner import LANE_SIZES
from study.errors import StudyError
from study.execution.array_sizes import (
    array_seconds,
    lane_bytes,
    lane_seconds,
    lanes_for,
    most_lanes,
    probes,
    unprobed,
)
from study.execution.estimates import OVERHEAD, budget_steps, busiest, expected_steps
from study.execution.plan import group, plan
from study.execution.resources import GPU_PROBES, Resources, parse_memory, resources
from study.machine.quiet import Load
from study.spec.presets import preset
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.rounds import Rounds
from study.storage.step_times import array_key, key_of
from study.training.timing import PROBE_ROUNDS, ROUNDS, probe, step_times
from support.parabola import MACHINE, Parabola, ParabolaEngine, calibrated

SPEC = StudySpec(rates="1e-4:100:16", cap=8.0)
ONE_JOB, TWO_JOBS = Resources(1, 64e9), Resources(2, 64e9)
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


def test_times_are_reused_on_the_same_machine_and_missed_on_another(tmp_path: Path) -> None:
    """Another processor or another TensorFlow measures anew, and leaves the first one's times in
    the file.
    """
    path = tmp_path / "c.json"
    calibrated(calibration(path), ONE, 0.001)
    assert calibration(path).missing(SPEC.trials()) == []
    for other in (
        Calibration([path], replace(MACHINE, cores=8), "2.21.0"),
        calibration(path, tensorflow="3.0.0"),
    ):
        assert [trial.optimizer for trial in other.missing(SPEC.trials())] == list(SPEC.optimizers)
        calibrated(other, ONE, 0.005)
        assert calibration(path).seconds(ONE[0]) == 0.001
    assert len(json.loads(path.read_text())) == 18


@pytest.mark.parametrize(
    "change",
    [
        {"network": "tutorial"},
        {"batch": 50},
        {"hyper": "keras"},
        {"widths": (2.0,)},
        {"scale_dense": True},
    ],
)
def test_a_step_time_belongs_to_its_network_width_batch_and_rule(
    tmp_path: Path, change: dict[str, object]
) -> None:
    """It is never used for another."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE)
    assert len(times.missing(SPEC.with_(**change).trials())) == 6


def test_the_studys_own_file_comes_before_its_siblings(tmp_path: Path) -> None:
    """A study keeps the seconds it began with."""
    own, shared = tmp_path / "study" / "c.json", tmp_path / "c.json"
    calibrated(calibration(own), ONE, 0.001)
    calibrated(calibration(shared), ONE, 0.009)
    assert Calibration([own, shared], MACHINE, "2.21.0").seconds(ONE[0]) == 0.001


def test_arrays_are_forgotten_by_network_and_steps_alone_are_not(tmp_path: Path) -> None:
    """Sizes can be measured anew; a reading of a step alone is never taken back."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE)
    wide = SPEC.with_(widths=(2.0,), optimizers=("sgd",)).trials()
    probed(times, {16: 1e-3})
    times.forget_arrays(wide)
    assert set(times.arrays(ONE[0], 1)) == {16}
    times.forget_arrays(ONE[:1])
    assert times.arrays(ONE[0], 1) == {}
    assert times.missing(ONE) == []


QUIET, BUSY = Load(2, 1.0, 0.05, 0.0), Load(2, 0.5, 1.6, 0.9)


def test_the_estimate_is_the_median_on_a_quiet_machine_and_the_least_bound_on_a_busy_one() -> None:
    """Other programs only add time: the lower quartile and the processor seconds bound the step
    from above.
    """
    seconds = [4.0, 5.0, 6.0, 7.0, 8.0]
    assert Rounds(seconds, 4, [1.0] * 5, QUIET).estimate == 6.0
    assert Rounds(seconds, 4, [1.0] * 5).estimate == 6.0, "as it always was where nobody looked"
    assert Rounds(seconds, 4, [3.0, 2.0, 9.0], BUSY).estimate == 3.0
    assert Rounds(seconds, 4, [9.0], BUSY).estimate == 5.0, "two processors at once"
    assert Rounds(seconds, 4, [], BUSY).estimate == 6.0, "a GPU computes"


def test_what_runs_on_the_processor_says_little_of_a_gpus_step(tmp_path: Path) -> None:
    """So its readings are neither quiet nor busy."""
    times = calibration(tmp_path / "c.json")
    times.take(ONE[:1], [Rounds([0.002], 4, [], BUSY)])
    assert times.quiet(ONE[0]) is None
    assert times.times[key_of(ONE[0])].others == BUSY.others


def test_a_reading_of_a_busy_machine_is_marked_and_not_shared(tmp_path: Path) -> None:
    """The study that took it keeps it; a quiet reading takes its place, whenever it comes."""
    own, shared = tmp_path / "study" / "c.json", tmp_path / "c.json"
    times = Calibration([own, shared], MACHINE, "2.21.0")
    trial = ONE[0]
    times.take([trial], [Rounds([0.005], 4, [0.004], BUSY)])
    assert (times.seconds(trial), times.quiet(trial)) == (0.004, False)
    entry = times.times[key_of(trial)]
    assert (entry.processor_seconds, entry.others, entry.pressure) == (0.004, 1.6, 0.9)
    assert Calibration([own, shared], MACHINE, "2.21.0").quiet(trial) is False
    assert calibration(shared).missing([trial]) == [trial]
    said = times.take([trial], [Rounds([0.002], 4, [0.002], QUIET)])
    assert len(said) == 1
    assert "takes 2 ms now, on a quiet machine, and took 4 ms on" in said[0]
    assert calibration(shared).seconds(trial) == 0.002
    times.take([trial], [Rounds([0.009], 4, [0.009], BUSY)])
    again = Calibration([own, shared], MACHINE, "2.21.0")
    assert [round(1e3 * time.seconds) for time in again.readings] == [2, 4, 9]
    assert (again.seconds(trial), again.quiet(trial)) == (0.002, True)


@pytest.mark.parametrize(("factor", "sentences"), [(1.24, 0), (1.26, 1), (0.81, 0), (0.79, 1)])
def test_a_reading_that_differs_by_more_than_a_quarter_is_told(
    tmp_path: Path, factor: float, sentences: int
) -> None:
    """Of the same machine and software; the first of all has nothing to differ from."""
    times = calibration(tmp_path / "c.json")
    assert times.take(ONE[:1], [Rounds([0.002], 4)]) == []
    assert len(times.take(ONE[:1], [Rounds([0.002 * factor], 4)])) == sentences


def broken(**change: object) -> str:
    """A calibration whose one entry has a value that cannot be."""
    entry = {
        "network": "compact",
        "width": 1.0,
        "scale_dense": False,
        "optimizer": "sgd",
        "hyper": "published",
        "batch": 100,
        "lanes": 1,
    }
    entry |= {
        "seconds": 1e-3,
        "low": 1e-3,
        "high": 1e-3,
        "rounds": 9,
        "steps": 50,
        "fingerprint": "0",
        "tensorflow": "2",
        "jobs": 1,
    }
    return json.dumps([{**entry, "measured_at": "2026", **change}])


def test_the_entry_that_is_broken_below_is_whole(tmp_path: Path) -> None:
    """Or the test would prove nothing."""
    path = tmp_path / "c.json"
    path.write_text(broken())
    assert calibration(path).times == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        '[{"network": "compact"}]',
        broken(seconds=-1.0),
        broken(seconds="fast"),
        broken(low=0),
        broken(batch="100"),
    ],
)
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
    groups = group(spec.trials(), times, ONE_JOB)
    assert [len(trials) for trials in groups] == [16] * 24
    assert sorted(trial.id for trials in groups for trial in trials) == sorted(
        trial.id for trial in spec.trials()
    )
    for trials in groups:
        assert len({(trial.width, trial.seed) for trial in trials}) == 1


def probed(times: Calibration, seconds: dict[int, float], jobs: int = 1) -> Calibration:
    """The calibration with made-up step times of a lane in arrays."""
    times.add(
        times.entry(array_key(ONE[0], size, jobs), Rounds([value], 5))
        for size, value in seconds.items()
    )
    return times


def test_the_measured_array_that_trains_fastest_is_taken(tmp_path: Path) -> None:
    """The smallest of those that are near the fastest; another number of processes is another
    measurement.
    """
    times = calibrated(calibration(tmp_path / "c.json"), ONE)
    assert lanes_for(ONE[0], times, ONE_JOB) == 16
    probed(times, {4: 1.3e-3, 16: 1.0e-3, 64: 0.7e-3})
    assert lanes_for(ONE[0], times, ONE_JOB) == 64
    assert lanes_for(ONE[0], times, TWO_JOBS) == 16
    assert lanes_for(ONE[0], probed(times, {64: 0.95e-3}), ONE_JOB) == 16
    assert lanes_for(ONE[0], probed(times, {4: 0.95e-3}), ONE_JOB) == 16
    assert lanes_for(ONE[0], probed(times, {4: 0.8e-3}), ONE_JOB) == 4
    stored = calibration(tmp_path / "c.json").arrays(ONE[0], 1)
    assert {size: time.seconds for size, time in stored.items()} == {
        4: 0.8e-3,
        16: 1.0e-3,
        64: 0.95e-3,
    }


def test_a_probe_changes_the_usual_size_by_more_than_its_noise_alone(tmp_path: Path) -> None:
    """Rounds that overlap decide nothing, and neither does a machine that was busy."""
    usual, faster = [1.0e-3, 1.1e-3, 1.2e-3], [0.7e-3, 0.8e-3, 1.4e-3]
    for noisy, load, size in (
        (faster, QUIET, 16),
        ([0.7e-3, 0.8e-3, 0.9e-3], QUIET, 64),
        ([0.7e-3, 0.8e-3, 0.9e-3], BUSY, 16),
    ):
        times = calibrated(
            Calibration([tmp_path / f"{size}{load.quiet}{noisy[-1]}.json"], MACHINE, "2.21.0"), ONE
        )
        rounds = {16: Rounds(usual, 5, usual, load), 64: Rounds(noisy, 5, noisy, load)}
        times.add(times.entry(array_key(ONE[0], lanes, 1), one) for lanes, one in rounds.items())
        assert lanes_for(ONE[0], times, ONE_JOB) == size


def test_the_usual_size_follows_the_network(tmp_path: Path) -> None:
    """One model of the large network fills a processor by itself."""
    times = calibration(tmp_path / "c.json")
    (tutorial,) = preset("tutorial").with_(optimizers=("sgd",), rates=(0.1,)).trials()
    assert (lanes_for(ONE[0], times, ONE_JOB), lanes_for(tutorial, times, ONE_JOB)) == (16, 4)


def test_without_processes_there_is_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where joblib may start none, as with JOBLIB_MULTIPROCESSING=0."""
    monkeypatch.setattr("study.execution.resources.may_start_processes", lambda: False)
    assert resources(SPEC, 96, MACHINE, memory=64e9).jobs == 1
    assert resources(SPEC, 96, MACHINE, jobs=1, memory=64e9).jobs == 1
    with pytest.raises(StudyError, match="workers 2: joblib may start no processes here"):
        resources(SPEC, 96, MACHINE, jobs=2, memory=64e9)


def test_slow_steps_memory_and_workers_make_smaller_groups(tmp_path: Path) -> None:
    """A check must come within the interval, the arrays of all processes within the memory, and no
    process goes without a group.
    """
    times = calibration(tmp_path / "c.json")
    assert most_lanes(ONE[0], calibrated(times, ONE, 0.001), ONE_JOB) == max(LANE_SIZES)
    assert most_lanes(ONE[0], calibrated(times, ONE, 0.05), ONE_JOB) == 8
    assert most_lanes(ONE[0], calibrated(times, ONE, 100.0), ONE_JOB) == 1
    calibrated(times, ONE, 0.002)
    room = 1.2e9 + 10 * lane_bytes(ONE[0])
    assert most_lanes(ONE[0], times, Resources(1, room)) == 8
    assert most_lanes(ONE[0], times, Resources(2, 2 * room + 1.2e9)) == 8
    assert lanes_for(ONE[0], times, Resources(1, room)) == 8
    assert most_lanes(ONE[0], times, Resources(1, 1.0)) == 1
    assert [len(trials) for trials in group(SPEC.trials()[:20], times, TWO_JOBS)] == [10, 10]


def test_sizes_are_measured_where_there_is_a_choice(tmp_path: Path) -> None:
    """Not for a handful of trials, and once a network."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE)
    assert probes(ONE[0], 96, times, ONE_JOB) == [4, 16, 64]
    assert probes(ONE[0], 48, times, TWO_JOBS) == [4, 16]
    assert unprobed(SPEC.trials()[:4], times, ONE_JOB) == {}
    assert unprobed(SPEC.trials(), times, ONE_JOB) == {SPEC.trials()[0]: [4, 16, 64]}
    assert unprobed(SPEC.trials(), probed(times, {4: 1e-3, 16: 1e-3}), ONE_JOB) == {}
    assert len(unprobed(SPEC.with_(widths=(1.0, 2.0)).trials(), times, ONE_JOB)) == 1


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


def test_a_plan_expects_arrivals_and_early_ends(tmp_path: Path) -> None:
    """Steps fall as 1 / rate to an optimizer's highest rate; beyond it trials are found stuck;
    nothing takes more than its budget.
    """
    times = calibrated(calibration(tmp_path / "c.json"), ONE, 0.002)
    sgd = ONE[0]
    expected = [
        expected_steps(replace(sgd, learning_rate=rate), times) for rate in (1e-5, 0.05, 0.4, 10.0)
    ]
    assert expected == [4000, 2200, 1300, 600]
    assert expected_steps(replace(sgd, learning_rate=10.0, cap=1.0), times) == 500
    assert busiest([3, 3, 2, 1], 2) == 5
    probed(times, {16: 0.0005}, jobs=2)
    array = array_seconds(sgd, [600] * 15 + [4000], times, TWO_JOBS)
    assert array == pytest.approx(
        600 * 16 * 0.0005 + 3400 * 0.002
    )  # the last lane trains alone, at the step time alone
    spec = SPEC.with_(optimizers=("sgd",))
    todo = plan(spec.trials(), set(), times, TWO_JOBS)
    overhead = OVERHEAD["start"]
    assert todo.seconds < todo.most_seconds
    assert todo.most_seconds == pytest.approx(
        overhead + 8 * budget_steps(sgd, times) * lane_seconds(sgd, times, TWO_JOBS, 8) * 2
    )
    assert plan(spec.trials(), {trial.id for trial in spec.trials()}, times, TWO_JOBS).seconds == 0


def test_processes_follow_the_cores_the_trials_and_the_memory() -> None:
    """A GPU, and trials alone, take one; the user's word counts."""
    eight = replace(MACHINE, cores=8)
    assert resources(SPEC, 96, eight, memory=64e9).jobs == 6
    assert resources(SPEC, 960, eight, memory=64e9).jobs == 8
    assert resources(SPEC, 6, eight, memory=64e9).jobs == 1
    assert resources(SPEC, 960, eight, memory=4e9).jobs == 2
    assert resources(SPEC, 960, replace(eight, gpus=("H200",)), memory=64e9) == Resources(
        1, 64e9, probes=GPU_PROBES
    )
    assert resources(SPEC.with_(mode="alone"), 960, eight).jobs == 1
    assert resources(SPEC, 96, eight, jobs=3, memory=64e9) == Resources(3, 64e9)


def test_memory_that_holds_no_process_is_refused() -> None:
    """It could only be exceeded."""
    with pytest.raises(
        StudyError, match=r"memory 1GB is less than the 1.2GB that one process takes"
    ):
        resources(SPEC, 96, MACHINE, memory=1e9)


@pytest.mark.parametrize(
    ("text", "size"), [("2TB", 2e12), ("8GB", 8e9), ("512mb", 512e6), ("2.5", 2.5e9), (" 1 G", 1e9)]
)
def test_memory_is_read(text: str, size: float) -> None:
    """With its unit, gigabytes if there is none."""
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "0", "1e3", "nan"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    """With the value."""
    with pytest.raises(StudyError, match="8GB"):
        parse_memory(text)


def test_alone_groups_are_single_trials_in_a_mixed_order(tmp_path: Path) -> None:
    """No optimizer gets a spell of the machine to itself."""
    trials = SPEC.with_(mode="alone").trials()
    groups = group(trials, calibration(tmp_path / "c.json"), ONE_JOB)
    assert all(len(one) == 1 for one in groups)
    assert sorted(one[0].id for one in groups) == sorted(trial.id for trial in trials)
    assert len({one[0].optimizer for one in groups[:16]}) > 2


def test_a_plan_leaves_out_what_is_stored_and_bounds_the_rest(tmp_path: Path) -> None:
    """Every pending trial at its cap, at the step time of a lane in an array where one is known."""
    spec = StudySpec(optimizers=("sgd",), rates=(0.1, 0.2, 0.3), cap=1.0)
    trials = spec.trials()
    times = calibration(tmp_path / "c.json")
    blind = plan(spec.trials(), set(), times, ONE_JOB)
    assert 0.1 < blind.most_seconds - OVERHEAD["start"] - OVERHEAD["calibrate"] < 3  # a guess
    assert len(blind.uncalibrated) == 1
    calibrated(times, trials, 0.002)
    todo = plan(spec.trials(), {trials[0].id}, times, ONE_JOB)
    assert todo.pending == tuple(trials[1:])
    probed(times, {16: 0.0005})
    probed(times, {16: 0.0006}, jobs=2)
    start = OVERHEAD["start"]
    probed(times, {1: 0.002, 2: 0.0015, 4: 0.001})
    assert plan(spec.trials(), set(), times, ONE_JOB).most_seconds == pytest.approx(
        start + 3 * 500 * lane_seconds(trials[0], times, ONE_JOB, 3)
    )
    assert plan(spec.trials(), set(), times, TWO_JOBS).most_seconds == pytest.approx(
        start + 2 * 500 * lane_seconds(trials[0], times, TWO_JOBS, 2) * 2
    )
    assert plan(
        spec.with_(mode="alone").trials(), set(), times, ONE_JOB
    ).most_seconds == pytest.approx(start + 3 * 1.0)
    slow = spec.with_(mode="alone", cap=None, max_steps=100)
    assert plan(slow.trials(), set(), times, ONE_JOB).most_seconds == pytest.approx(
        start + 3 * 100 * 0.002
    )
