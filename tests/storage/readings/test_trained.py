"""One training has every reading: a trial read by another aim is that trial, trained for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.errors import StudyError
from study.spec.study import StudySpec
from study.storage.checks import Checks, Finish
from study.storage.readings.aim import Aim
from study.storage.readings.stored import reread
from study.storage.readings.trained import retold
from study.storage.records import Outcome, Run
from study.storage.store import Store
from study.training.loop import train_lanes
from study.training.stopwatch import Stopwatch
from support.own.studies import LOSS
from support.records import RUN
from support.training.told import Told

STEP = 0.002
SPEC = StudySpec(optimizers=("sgd",), rates=(0.001,), target=0.9, max_steps=500)
WINDOWS = st.lists(st.integers(0, 5000).map(lambda right: right / 5000), min_size=1, max_size=12)


def trained(windows: list[float], spec: StudySpec) -> tuple[Run, Finish]:
    """A trial whose windows are known, trained by the loop itself."""
    learner = Told([windows])
    (end,) = train_lanes(
        learner,
        [0.001],
        target=spec.target,
        metric=spec.metric,
        max_steps=spec.max_steps,
        step_seconds=[STEP],
        stopwatch=Stopwatch(learner.clock),
    )
    (trial,) = spec.trials()
    ends: dict[str, Any] = {"outcome": end.outcome, "steps": end.steps, "seconds": end.seconds}
    seen = end.accuracies
    return replace(RUN, trial=trial, **ends, accuracy=seen[-1], best_accuracy=max(seen)), end


def stored(folder: Path, windows: list[float], spec: StudySpec) -> tuple[Run, Checks]:
    """The same, as a folder keeps it."""
    run, end = trained(windows, spec)
    store = Store(folder)
    with store.writing():
        store.append(run, end)
    return run, store.checks()[run.id]


@given(WINDOWS, st.sampled_from(["window", "cumulative"]), st.floats(0.05, 0.9))
@pytest.mark.parametrize("metric", ["window", "cumulative", "validation"])
def test_a_reading_is_a_training(
    tmp_path_factory: pytest.TempPathFactory,
    metric: str,
    windows: list[float],
    asked: str,
    target: float,
) -> None:
    """Where the trial went on as long as the other aim would have let it."""
    spec = SPEC.with_(metric=metric)
    run, checks = stored(tmp_path_factory.mktemp("study"), windows, spec)
    aim = Aim(asked, round(target, 4)).of(spec)
    found, seen = retold(run, checks, aim)
    wanted, end = trained(windows, aim)
    if wanted.steps is not None and run.steps is not None and wanted.steps <= run.steps:
        fields = ("outcome", "steps", "trial", "study", "seconds_source", "step_seconds")
        assert [getattr(found, name) for name in fields] == [
            getattr(wanted, name) for name in fields
        ]
        assert found.seconds == pytest.approx(wanted.seconds)
        assert found.accuracy == pytest.approx(wanted.accuracy, abs=1e-4)
        assert found.best_accuracy == pytest.approx(wanted.best_accuracy, abs=1e-4)
        assert seen is not None
        assert (seen.id, len(seen.accuracy)) == (wanted.id, len(end.accuracies))
    else:  # it had come to its own target before
        assert (found.outcome, found.steps, found.seconds) == ("capped", run.steps, run.seconds)


@pytest.mark.parametrize("outcome", ["diverged", "stuck", "pruned", "failed"])
def test_what_ended_otherwise_did_so_for_every_aim(outcome: str) -> None:
    """Unless it had arrived before."""
    run = replace(RUN, outcome=Outcome(outcome), steps=120, seconds=0.24, error="it broke")
    checks = Checks(run.id, 50, (0.5, 0.8), (1.0, 0.5))
    found, seen = retold(run, checks, SPEC.with_(target=0.95))
    assert (found.outcome, found.steps, found.seconds) == (outcome, 120, 0.24)
    assert (found.error, seen and seen.accuracy) == ("it broke", (0.5, 0.8))
    found, seen = retold(run, checks, SPEC.with_(target=0.7))
    assert (found.outcome, found.steps, found.accuracy) == ("reached", 100, 0.8)
    assert found.seconds == pytest.approx(0.2)
    found, seen = retold(replace(run, seconds_source="measured"), None, SPEC)
    assert (found.outcome, seen) == (outcome, None)


def test_a_program_is_read_by_its_own_clock() -> None:
    """At the steps and seconds of its reports; by its loss, too."""
    run = replace(RUN, seconds_source="measured", steps=30, seconds=9.0)
    checks = Checks(run.id, 1, (0.5, 0.9, 0.98), (1.0, 0.5, 0.2), (10, 20, 30), (1.0, 4.0, 9.0))
    found, seen = retold(run, checks, SPEC.with_(target=0.8))
    assert (found.steps, found.seconds, found.seconds_source) == (20, 4.0, "measured")
    assert seen is not None
    assert (seen.steps, seen.seconds) == ((10, 20), (1.0, 4.0))


def test_what_cannot_be_read_is_told_in_a_sentence(tmp_path: Path) -> None:
    """Without checks, without the metric, without a target."""
    checks = {RUN.id: Checks(RUN.id, 50, (0.5, 0.9, 0.98), (1.0, 0.5, 0.2))}
    with pytest.raises(StudyError, match="holds no checks: its trials cannot be read"):
        reread(tmp_path, [RUN], {}, SPEC)
    with pytest.raises(StudyError, match="metric validation: they tell window, cumulative, loss"):
        reread(tmp_path, [RUN], checks, SPEC.with_(metric="validation"))
    other = replace(RUN, trial=replace(RUN.trial, seed=1))
    with pytest.raises(StudyError, match=f"the checks of the trial {other.id} are not stored"):
        reread(tmp_path, [RUN, other], checks, SPEC)
    with pytest.raises(StudyError, match="give the target of auc, too"):
        reread(tmp_path, [RUN], checks, Aim("auc").of(LOSS))
    assert reread(tmp_path, [], {}, SPEC) == []


def test_the_windows_of_an_older_study_are_not_known() -> None:
    """Its cumulative accuracy has four digits, of which no window follows."""
    run = replace(RUN, trial=replace(RUN.trial, metric="cumulative"))
    checks = {run.id: Checks(run.id, 50, (0.5, 0.9, 0.98), (1.0, 0.5, 0.2))}
    with pytest.raises(StudyError, match="metric window: they tell cumulative, loss"):
        reread(Path(), [run], checks, SPEC)
