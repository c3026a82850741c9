"""Which engine trains the arrays: what is asked for, what is stored, what is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from study.engines.native import engine
from study.errors import StudyError
from study.execution.planning.array_engine import with_arrays
from study.execution.planning.array_sizes import lanes_for, unprobed
from study.execution.planning.resources import NATIVE_SIZES, Crew
from study.machine.facts import Site
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.records import Outcome
from study.storage.rounds import Rounds
from study.storage.step_times import array_key
from study.training.group import Context
from support.execution.step_times import ONE, SPEC, TWO_JOBS, calibration
from support.parabola import MACHINE, calibrated

SITE = Site(MACHINE, {"tensorflow": "2.21.0", "halide": "21.0.0"})
CREW = Crew(SITE, TWO_JOBS)
WITHOUT = Crew(Site(MACHINE, {"tensorflow": "2.21.0"}), TWO_JOBS)
"""Workers that have no Halide."""


MANY = list(ONE) * 16


@pytest.fixture
def times(tmp_path: Path) -> Calibration:
    """Step times of trials alone, and none of arrays."""
    return calibrated(calibration(tmp_path / "c.json"), ONE)


class Lab:
    """Measures arrays: a lane's step takes so many seconds, by engine."""

    def __init__(self, times: Calibration, seconds: dict[str, float]) -> None:
        self.times, self.seconds = times, seconds
        self.asked: list[tuple[str, list[int]]] = []

    def __call__(self, trial: Trial, sizes: Sequence[int], crew: Crew) -> None:
        use = crew.use
        self.asked.append((use.arrays, list(sizes)))
        rounds = Rounds([self.seconds[use.arrays]] * 3, 5)
        self.times.add(
            self.times.entry(array_key(trial, size, use.jobs, use.arrays), rounds) for size in sizes
        )


def chosen(crews: Sequence[Crew]) -> set[str]:
    """The engines for arrays."""
    return {crew.use.arrays for crew in crews}


@pytest.mark.parametrize(
    ("framework", "native", "best"), [(1e-3, 0.5e-3, "native"), (0.4e-3, 0.5e-3, "")]
)
def test_the_faster_engine_trains_the_arrays(
    times: Calibration, framework: float, native: float, best: str
) -> None:
    """Each is measured once: what is known is not measured again, and can be planned with."""
    lab = Lab(times, {"": framework, "native": native})
    assert chosen(with_arrays("auto", SPEC, [], MANY, times, [CREW])) == {""}
    assert chosen(with_arrays("auto", SPEC, [], MANY, times, [CREW], lab)) == {best}
    assert lab.asked == [("native", [48]), ("", [16])]
    assert chosen(with_arrays("auto", SPEC, [], MANY, times, [CREW], lab)) == {best}
    assert len(lab.asked) == 2
    (crew,) = with_arrays("auto", SPEC, [], MANY, times, [CREW])
    assert crew.use.arrays == best
    assert lanes_for(ONE[0], times, crew.use) == (48 if best else 16)
    assert unprobed(MANY, times, crew.use) == {}
    assert set(crew.use.sizes) == set(NATIVE_SIZES) if best else 24 in crew.use.sizes


@pytest.mark.parametrize(
    ("one", "two", "best", "asked"),
    [
        (0.51e-3, 0.4e-3, "native", ["native", ""]),
        (0.49e-3, 0.51e-3, "native", ["native", "", ""]),
        (0.49e-3, 0.49e-3, "", ["native", "", ""]),
    ],
)
def test_one_process_of_all_cores_can_stand_for_all(
    times: Calibration, one: float, two: float, best: str, asked: list[str]
) -> None:
    """Where two natives take less than half of its time, 0.25 ms each, the framework's workers are
    not asked.
    """
    lab = Lab(times, {"": two, "native": 0.5e-3})

    def probe(trial: Trial, sizes: Sequence[int], crew: Crew) -> None:
        lab.seconds[""] = one if crew.use.jobs == 1 else two
        lab(trial, sizes, crew)

    assert chosen(with_arrays("auto", SPEC, [], MANY, times, [CREW], probe, here=True)) == {best}
    assert [arrays for arrays, _ in lab.asked] == asked
    assert chosen(with_arrays("auto", SPEC, [], MANY, times, [CREW])) == {best}


@pytest.mark.parametrize(("steps", "measured"), [(3000, 2), (1000, 0)])
def test_a_small_study_compares_nothing(times: Calibration, steps: int, measured: int) -> None:
    """The comparison would take longer than what it saves."""
    lab = Lab(times, {"": 1e-3, "native": 0.5e-3})
    spec = SPEC.with_(cap=None, max_steps=steps)
    few = [replace(trial, cap=None, max_steps=steps) for trial in MANY]
    assert chosen(with_arrays("auto", spec, [], few, times, [CREW], lab)) == (
        {"native"} if measured else {""}
    )
    assert len(lab.asked) == measured


def test_few_lanes_do_not_pay_for_a_register(times: Calibration) -> None:
    """It takes as long with three lanes as with all."""
    lab = Lab(times, {"": 1e-3, "native": 0.5e-3})
    few = [replace(trial, cap=None, max_steps=60_000) for trial in ONE[:6]]
    assert chosen(with_arrays("auto", SPEC, [], few, times, [CREW], lab)) == {""}
    assert lab.asked == [("native", [16]), ("", [4])]


def test_a_stored_study_goes_on_with_its_own_engine(times: Calibration) -> None:
    """Whatever would be faster now; and native where it is asked for."""
    lab = Lab(times, {"": 1e-3, "native": 0.5e-3})
    context = Context("s", SITE, 1)
    old = context.record(ONE[0], Outcome.FAILED, "2026-01-01", 1, 1e-3)
    new = replace(context, arrays="native").record(ONE[0], Outcome.FAILED, "2026-01-01", 1, 1e-3)
    assert (old.arrays, new.arrays) == (None, "native")
    for run, expected in ((old, ""), (new, "native")):
        assert chosen(with_arrays("auto", SPEC, [run], MANY, times, [CREW], lab)) == {expected}
    assert chosen(with_arrays("auto", SPEC, [old, new], MANY, times, [CREW], lab)) == {""}
    assert chosen(with_arrays("native", SPEC, [old], MANY, times, [CREW], lab)) == {"native"}
    assert chosen(with_arrays("auto", SPEC, [new], MANY, times, [WITHOUT], lab)) == {""}
    assert chosen(with_arrays("", SPEC, [new], MANY, times, [CREW], lab)) == {""}
    assert lab.asked == []


def test_where_there_is_no_choice_nothing_is_measured(times: Calibration) -> None:
    """Nothing to train, no Halide, workers of several kinds, a GPU, dropout, trials alone."""
    lab = Lab(times, {"": 1e-3, "native": 0.5e-3})
    gpu = Crew(SITE, replace(TWO_JOBS, gpu=True))
    for spec, pending, crews in (
        (SPEC, [], [CREW]),
        (SPEC, MANY, [CREW, CREW]),
        (SPEC, MANY, [gpu]),
        (SPEC.with_(network="tutorial"), MANY, [CREW]),
        (SPEC.with_(mode="alone"), MANY, [CREW]),
    ):
        assert chosen(with_arrays("auto", spec, [], pending, times, crews, lab)) == {""}
    assert chosen(with_arrays("auto", SPEC, [], MANY, times, [WITHOUT], lab)) == {""}
    assert with_arrays("auto", SPEC, [], MANY, times, [], lab) == []
    assert lab.asked == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mode": "alone"}, "the engine native trains arrays, and mode alone has none"),
        ({"network": "tutorial"}, "the engine native does not train the network tutorial"),
    ],
)
def test_native_is_refused_where_it_cannot_train(
    times: Calibration, change: dict[str, str], why: str
) -> None:
    """In a sentence that says what to ask for."""
    with pytest.raises(StudyError, match=f"{why}: give --engine tensorflow"):
        with_arrays("native", SPEC.with_(**change), [], MANY, times, [CREW])
    with pytest.raises(StudyError, match="the engine native is not installed for all who train"):
        with_arrays("native", SPEC, [], MANY, times, [CREW, WITHOUT])
    assert engine.trains("compact")
    assert engine.trains("mlp")
    assert not engine.trains("own:abc")
