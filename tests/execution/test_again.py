"""Step times that are measured again while a study trains, and at its end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from study.data.images import Images
from study.engines.learner import Floats
from study.execution import driver
from study.execution.executors.base import Checked, Event, Timed, TimeSteps, TrainGroup
from study.execution.executors.pool import Pool
from study.execution.measuring import AGAIN_ROUNDS, MOST_AGAIN, Again
from study.machine.here import this_site
from study.spec.trial import Trial
from study.storage.rounds import Rounds
from study.storage.step_times import drift, key_of, read
from study.training.group import Context
from support.driving import SMALL, results, run, slow
from support.execution.step_times import BUSY, ONE, QUIET, SPEC, calibration
from support.parabola import CURVATURE, Parabola, ParabolaEngine, calibrated


class Desk:
    """An executor that times in no time; `still` is whether its machine is."""

    def __init__(self, still: bool = True) -> None:
        self.is_still, self.asked = still, list[TimeSteps]()

    @contextmanager
    def still(self) -> Iterator[bool]:
        yield self.is_still

    def exclusive(self, task: TimeSteps, receive: Any) -> None:
        self.asked.append(task)
        receive(0, Timed({i: Rounds([0.0011], 5) for i in range(len(task.trials))}))


def test_they_are_measured_when_they_are_due(tmp_path: Path) -> None:
    """In few rounds, of a few optimizers; a machine that is not still is left alone."""
    times = calibrated(calibration(tmp_path / "c.json"), ONE)
    now, desk = [0.0], Desk()
    again = Again(times, SPEC.trials(), desk, lambda text: None, lambda: now[0])  # type: ignore[arg-type]
    assert again.look(600) == []
    now[0] = 601.0
    assert again.look(600) == []
    assert again.look(600) == []
    (task,) = desk.asked
    assert [key_of(trial) for trial in task.trials] == [key_of(trial) for trial in ONE]
    assert task.rounds == AGAIN_ROUNDS
    assert times.seconds(ONE[0]) == 0.001, "rows to come are given what the others were given"
    assert sum(time.again for time in read(tmp_path / "c.json")) == len(ONE)
    now[0], desk.is_still = 2000.0, False
    again.look(600)
    assert len(desk.asked) == 1


def test_of_many_widths_a_few_are_measured_and_of_a_study_alone_none(tmp_path: Path) -> None:
    """Their number is bounded; where the clock is read, there is nothing to drift."""
    spec = SPEC.with_(widths=tuple(1 + i / 4 for i in range(36)))
    times = calibrated(calibration(tmp_path / "c.json"), spec.trials())
    for mode, most in (("array", MOST_AGAIN), ("alone", 0)):
        trials = [replace(trial, mode=mode) for trial in spec.trials()]
        again = Again(times, trials, Desk(), lambda text: None)  # type: ignore[arg-type]
        assert len(again.trials) == most
    bare = calibration(tmp_path / "none.json")
    assert Again(bare, ONE, Desk(), lambda text: None).trials == ()  # type: ignore[arg-type]


class Burning(Parabola):
    """Keeps a processor busy."""

    def advance(self, rates: Floats, momenta: Floats | None = None) -> Any:
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass
        return super().advance(rates, momenta)


class Fire(ParabolaEngine):
    """Makes them."""

    def learner(self, trials: Sequence[Trial]) -> Parabola:
        return Burning([CURVATURE[trial.optimizer] for trial in trials])


def fire(images: Images) -> Fire:
    """The factory of that."""
    return Fire()


def test_workers_wait_at_their_checks_while_the_driver_measures() -> None:
    """And go on afterwards, to the same ends."""
    trials = [trial for trial in SMALL.trials() if trial.seed == 0]
    context = Context("s", this_site(), 2)
    tasks = [TrainGroup((trial,), (1e-3,), context) for trial in trials[:2]]
    pool, seen, taken = Pool(2, "mnist", fire), [0], list[tuple[bool, float]]()

    def burnt() -> float:
        children = psutil.Process().children(recursive=True)
        return sum(sum(child.cpu_times()[:2]) for child in children)

    def receive(index: int, event: Event) -> None:
        seen[0] += isinstance(event, Checked)
        if seen[0] == 3 and not taken:
            with pool.still() as still:
                before = burnt()
                time.sleep(1)
                taken.append((still, burnt() - before))

    pool.run(tasks, receive)
    pool.close()
    assert seen[0] > 3
    ((still, cost),) = taken
    assert still
    assert cost < 0.2


@pytest.mark.parametrize("workers", [1, 2])
def test_a_study_measures_again_and_ends_the_same(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process and in workers; the readings stay in its folder, and tell a drift."""
    whole = results(run(SMALL, tmp_path / "whole"))
    monkeypatch.setattr(driver, "EVERY", 0.2)
    monkeypatch.setattr(driver, "AT_THE_END", 0.0)
    store = run(SMALL, tmp_path / "again", slow, workers=workers)
    assert results(store) == whole
    readings = read(store.folder / "calibration.json")
    alone = [time for time in readings if time.lanes == 1]
    assert {one.again for one in alone} == {True, False}
    assert len({(run.trial.optimizer, run.step_seconds) for run in store.runs()}) == 2
    assert len(alone) > 2 * len({one.key for one in alone})


def test_the_drift_is_from_the_reading_that_counted_to_the_last(tmp_path: Path) -> None:
    """Of each optimizer, by quiet readings alone; older ones are another day's."""
    times = calibration(tmp_path / "c.json")

    def at(minute: int, seconds: float, place: int, quiet: bool = True) -> Any:
        rounds = Rounds([seconds], 5, [seconds], QUIET if quiet else BUSY)
        entry = times.entry(key_of(ONE[place]), rounds)
        return replace(entry, measured_at=f"2026-01-01T10:{minute:02}:00+00:00")

    readings = [at(0, 5.0, 0), at(10, 1.0, 0), at(40, 1.1, 0), at(50, 9.0, 0, quiet=False)]
    assert drift(readings[:2], "2026-01-01T10:12:00+00:00") is None
    readings += [at(11, 2.0, 1), at(31, 2.1, 1), at(12, 3.0, 2)]
    found = drift(reversed(readings), "2026-01-01T10:12:00+00:00")
    assert found is not None
    assert (found.least, found.most) == pytest.approx((1.05, 1.1))
    assert found.median == pytest.approx(1.075)
    assert found.seconds == 30 * 60
    assert str(found) == (
        "The step times drifted by +7.5 % in the median, +5.0 % to +10.0 %, in 30 min."
    )
