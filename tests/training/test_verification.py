"""Reconstructed seconds against the clock."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.execution import calibrate, driver
from study.execution.request import Request
from study.spec.study import StudySpec
from study.storage.records import Outcome
from study.storage.store import Store
from study.training.verification import Verification, choose, summary, verify
from support.command import call
from support.driving import SPEC, engine
from support.made import made_runs, stored
from support.parabola import ParabolaEngine
from support.records import RUN


@pytest.mark.slow
def test_trials_alone_take_the_stored_steps_and_end_the_same(folder: Path) -> None:
    """On parabolas nothing depends on the array, so steps and outcomes agree always."""
    spec = SPEC.with_(widths=(1,), seeds=1)
    driver.run(Request(spec, folder, factory=engine, workers=1), progress=False)
    checks, facts = calibrate.verify(folder, 20, 0, factory=engine)
    assert facts["trials"] == len(checks) == 20
    assert facts["outcome_agreement"] == facts["same_steps"] == 1
    assert {check.outcome for check in checks} == {"reached", "capped", "diverged", "stuck"}
    assert all(check.step_beside for check in checks)
    assert Store(folder).spent_path.read_text().count("\n") == 1


@pytest.mark.slow
def test_a_program_is_told_each_check(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The facts follow from them."""
    spec = SPEC.with_(widths=(1,), seeds=1)
    driver.run(Request(spec, folder, factory=engine, workers=1), progress=False)
    monkeypatch.setattr("study.cli.option_sets.TrainerOptions.setup", lambda _: engine)
    answer = call("verify", folder, "--trials", 5, "--json")
    facts: Any = json.loads(answer.stdout)
    checks = facts["checks"]
    assert len(checks) == facts["trials"] == 5
    stored = {run.id: run for run in Store(folder).runs()}
    errors = []
    for check in checks:
        run = stored[check["id"]]
        for name in ("optimizer", "learning_rate", "width", "seed"):
            assert check[name] == getattr(run.trial, name)
        assert (check["outcome"], check["steps"]) == (run.outcome, run.steps)
        assert (check["outcome_alone"], check["steps_alone"]) == (run.outcome, run.steps)
        assert check["step_seconds_beside"] > 0
        errors.append(abs(check["step_seconds"] / check["step_seconds_alone"] - 1))
    assert facts["worst_step_time_error"] == pytest.approx(max(errors))


def test_both_ends_of_a_trial_are_told() -> None:
    """Each by its name."""
    check = Verification(replace(RUN, seconds=2.0, steps=1000), "capped", 2000, 5.0, 2.4e-3)
    told = check.to_json()
    assert (told["outcome"], told["outcome_alone"]) == (RUN.outcome, "capped")
    assert (told["steps"], told["steps_alone"]) == (1000, 2000)
    steps = [told[f"step_seconds{name}"] for name in ("", "_alone", "_beside")]
    assert steps == [RUN.step_seconds, 2.5e-3, 2.4e-3]


def test_the_error_is_that_of_the_step_time() -> None:
    """A stored step of 2 ms that takes 2.5 ms by the clock is a fifth too short, whatever the
    steps.
    """
    check = Verification(replace(RUN, seconds=2.0, steps=1000), "reached", 2000, 5.0)
    assert check.step_time_error == pytest.approx(0.2)
    facts = summary(
        [
            check,
            replace(check, seconds=4.0),
            replace(check, outcome="capped", seconds=2.0, steps=1000),
        ]
    )
    assert facts["median_step_time_error"] == 0
    assert facts["worst_step_time_error"] == pytest.approx(0.2)
    assert facts["outcome_agreement"] == pytest.approx(2 / 3)
    assert facts["same_steps"] == pytest.approx(1 / 3)
    assert "median_error_beside" not in facts
    beside = [replace(check, step_beside=ms / 1e3) for ms in (2.5, 2.25, 3.0)]
    assert [one.error_beside for one in beside] == pytest.approx([0, 0.1, 0.2])
    assert summary(beside)["median_error_beside"] == pytest.approx(0.1)
    unknown = replace(check, run=replace(RUN, step_seconds=None))
    assert unknown.step_time_error == 1
    with pytest.raises(FrozenInstanceError):
        check.steps = 1  # type: ignore[misc]


def test_the_choice_is_spread_seeded_and_without_repeats() -> None:
    """Every optimizer and every kind of end comes before one comes twice."""
    spec = StudySpec(optimizers=("sgd", "adam", "rmsprop"), rates="1e-4:1e3:8", seeds=3)
    words = dict(zip(spec.rates, ("stuck", "capped"), strict=False))
    runs = made_runs(spec, lambda trial: words.get(trial.learning_rate, 5.0))
    kinds = {(run.trial.optimizer, run.outcome) for run in runs}
    assert len(kinds) == 9
    for seed in range(5):
        chosen = choose(runs, 9, seed)
        assert {(run.trial.optimizer, run.outcome) for run in chosen} == kinds
        assert choose(reversed(runs), 9, seed) == chosen
        assert choose(runs, 9, seed + 1) != chosen
    everything = choose(runs, 10**6, 0)
    assert sorted(run.id for run in everything) == sorted(run.id for run in runs)
    assert max(Counter((run.trial.optimizer, run.outcome) for run in everything[:27]).values()) == 3
    assert choose([replace(run, steps=0, outcome=Outcome.FAILED) for run in runs], 5, 0) == []


@pytest.mark.parametrize(
    ("every", "most", "cap", "steps", "chosen"),
    [
        (1, 1, None, 1, True),
        (50, None, 0.1, 50, True),
        (50, None, 0.09, 50, False),
        (50, 49, None, 49, False),
        (50, 50, None, 0, False),
        (50, 50, None, 50, True),
    ],
)
def test_only_what_has_steps_and_a_check_is_chosen(
    every: int, most: int | None, cap: float | None, steps: int, chosen: bool
) -> None:
    """At 2 ms a step: 0.1 seconds hold a check of 50 steps, 0.09 do not."""
    trial = replace(RUN.trial, check_every=every, max_steps=most, cap=cap)
    run = replace(RUN, trial=trial, steps=steps)
    assert choose([run], 5, 0) == [run] * chosen
    assert choose([], 5, 0) == []


@pytest.mark.parametrize("prune", ["none", "hopeless"])
def test_trials_are_verified_as_they_were_trained_and_told_one_by_one(
    prune: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each alone on the device, for the steps of its budget, and pruned where it was."""
    held: list[bool] = []

    @contextmanager
    def exclusive() -> Iterator[None]:
        held.append(True)
        yield
        held.append(False)

    monkeypatch.setattr("study.machine.device.exclusive", exclusive)
    slow = replace(
        RUN.trial, optimizer="sgd", learning_rate=1e-7, cap=None, max_steps=10_049, prune=prune
    )
    fast = replace(slow, learning_rate=1.0, seed=1)
    runs = [replace(RUN, trial=trial) for trial in (slow, fast)]
    seen: list[Verification] = []
    checks = verify(runs, ParabolaEngine(), seen.append)
    assert seen == checks
    assert [check.run for check in checks] == runs
    assert [(check.outcome, check.steps) for check in checks] == [
        ("pruned", 1300) if prune == "hopeless" else ("capped", 10_000),
        ("reached", 100),
    ]
    assert held == [True, False]
    assert [check.step_beside for check in checks] == [None, None]


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
    spec = SPEC.with_(mode="alone", cap=20.0)
    stored(folder, spec, lambda trial: 5.0, seconds_source="measured")
    with pytest.raises(StudyError, match="no trial of mode array"):
        calibrate.verify(folder, 3, 0, factory=engine)
