"""Reconstructed seconds against the clock."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from study.errors import StudyError
from study.execution import calibrate, driver
from study.execution.request import Request
from study.storage.records import Outcome
from study.storage.store import Store
from study.training.verification import Verification, choose, summary, verify
from support.driving import SPEC, engine
from support.parabola import ParabolaEngine
from support.records import RUN


@pytest.mark.slow
def test_trials_alone_take_the_stored_steps_and_end_the_same(folder: Path) -> None:
    """On parabolas nothing depends on the array, so steps and outcomes agree always."""
    driver.run(Request(SPEC, folder, factory=engine), progress=False)
    checks, facts = calibrate.verify(folder, 30, 0, factory=engine)
    assert facts["trials"] == len(checks) == 30
    assert facts["outcome_agreement"] == facts["same_steps"] == 1
    assert {check.outcome for check in checks} == {"reached", "capped", "diverged", "stuck"}
    assert Store(folder).spent_path.read_text().count("\n") == 1


def test_the_error_is_that_of_the_step_time() -> None:
    """A stored step of 2 ms that takes 2.5 ms by the clock is a fifth too short, whatever the
    steps.
    """
    check = Verification(replace(RUN, seconds=2.0, steps=1000), "reached", 2000, 5.0)
    assert check.step_time_error == pytest.approx(0.2)
    facts = summary(
        [
            check,
            replace(check, seconds=4.0, steps=2000),
            replace(check, outcome="capped", seconds=4.0),
        ]
    )
    assert facts["median_step_time_error"] == 0
    assert facts["worst_step_time_error"] == pytest.approx(0.2)
    assert facts["outcome_agreement"] == pytest.approx(2 / 3)
    assert facts["same_steps"] == 0


def test_the_choice_is_spread_seeded_and_without_repeats(folder: Path) -> None:
    """Every optimizer and every kind of end comes before one comes twice."""
    driver.run(Request(SPEC, folder, factory=engine), progress=False)
    runs = Store(folder).runs()
    kinds = {(run.trial.optimizer, run.outcome) for run in runs}
    chosen = choose(runs, len(kinds), 1)
    assert {(run.trial.optimizer, run.outcome) for run in chosen} == kinds
    assert choose(reversed(runs), len(kinds), 1) == chosen
    assert choose(runs, len(kinds), 2) != chosen
    assert max(Counter(run.id for run in choose(runs, 10**6, 0)).values()) == 1
    assert len(choose(runs, 10**6, 0)) == len(runs)
    assert choose([replace(run, steps=0, outcome=Outcome.FAILED) for run in runs], 5, 0) == []


def test_a_cap_in_seconds_is_the_stored_cap_in_steps() -> None:
    """However fast the clock says that the machine is now."""
    trial = replace(RUN.trial, optimizer="adadelta", learning_rate=1e-6, cap=1.0, max_steps=None)
    run = replace(
        RUN, trial=trial, outcome=Outcome.CAPPED, step_seconds=0.001, steps=1000, seconds=1.0
    )
    (check,) = verify([run], ParabolaEngine())
    assert (check.outcome, check.steps) == ("capped", 1000)


def test_there_must_be_something_to_verify(folder: Path) -> None:
    """Trials of mode alone are the clock's already."""
    driver.run(
        Request(SPEC.with_(mode="alone", seeds=1, widths=(1,)), folder, factory=engine),
        progress=False,
    )
    with pytest.raises(StudyError, match="no trial of mode array"):
        calibrate.verify(folder, 3, 0, factory=engine)
