"""What plan, run and the list of schedules say of a schedule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from study.execution import driver
from study.execution.notes import unreached
from study.execution.request import Request
from study.spec.schedules.parse import NAMED, describe
from study.spec.study import StudySpec
from support.command import call
from support.driving import SPEC, engine
from support.execution.step_times import calibration
from support.schedules import named


def said(
    tmp_path: Path,
    schedule: str,
    optimizers: tuple[str, ...] = ("momentum",),
    hyper: str = "published",
) -> list[str]:
    """The notes on trials of 1,000 steps."""
    spec = StudySpec(
        optimizers=optimizers,
        rates=(0.1,),
        cap=None,
        max_steps=1000,
        schedule=schedule,
        hyper=hyper,
    )
    return unreached(spec.trials(), calibration(tmp_path / "calibration.json"))


@pytest.mark.parametrize(
    ("schedule", "step", "factor"),
    [
        ("piecewise:boundaries=100/2000,factors=1/0.5/0.1", "2,002", "0.5"),
        ("constant:warmup=4000", "4,000", "0.25"),
        ("cosine:steps=1500,warmup=1000", "2,500", "0.999"),
        ("linear-ramp:low=0.5,steps=1001", "1,001", "0.999"),
        ("one-cycle:steps=20000", "20,000", "0.2"),
        ("triangular:half=600", "1,200", "0.446"),
        ("cosine-restarts:steps=7000", "7,000", "0.951"),
        ("constant then cosine:steps=10 at 1000", "1,010", "1"),
        ("cosine:steps=100000 * exponential:rate=0.5,steps=10", "100,000", "8.45e-31"),
    ],
)
def test_a_schedule_that_no_trial_comes_to_the_end_of_is_noted(
    tmp_path: Path, schedule: str, step: str, factor: str
) -> None:
    """With the step, the budget, and the factor that it ends at."""
    (sentence,) = said(tmp_path, schedule)
    assert f"no trial comes to step {step}, the end of the schedule {schedule}" in sentence
    assert f"1,000 steps, and ends at factor {factor}" in sentence


@pytest.mark.parametrize(
    "schedule",
    [
        "cosine:steps=100",
        "one-cycle:steps=300",
        "polynomial:steps=500",
        "exponential:rate=0.5,steps=5",
        "piecewise:boundaries=100,factors=1/0.0001",
        "constant then cosine:steps=9 at 300",
    ],
)
def test_a_schedule_that_is_over_long_before_the_end_is_noted(
    tmp_path: Path, schedule: str
) -> None:
    """Where next to nothing is learned for a quarter of the budget or more."""
    (sentence,) = said(tmp_path, schedule)
    assert f"the schedule {schedule} is over at about step" in sentence
    assert "of 1,000 steps" in sentence


@pytest.mark.parametrize(
    "schedule",
    [
        "constant",
        "constant:warmup=900",
        "cosine:steps=1000",
        "cosine:steps=800",
        "cosine:steps=100,alpha=0.1",
        "piecewise:boundaries=998,factors=1/0.1",
        "triangular:half=50",
        "cosine-restarts:steps=30",
        "exponential:rate=0.96,steps=100",
        "linear-ramp:low=0.1,steps=200",
        "plateau:patience=10",
        "one-cycle:steps=1000,momentum=0.95/0.85",
    ],
)
def test_nothing_is_said_of_a_schedule_that_fits(tmp_path: Path, schedule: str) -> None:
    """Its shape is shown, and the rate is one to learn by nearly to the end."""
    assert said(tmp_path, schedule) == []


def test_a_plateau_that_cannot_fall_and_a_momentum_that_is_not_there_are_noted(
    tmp_path: Path,
) -> None:
    """By the number of checks, and by the optimizers."""
    (few,) = said(tmp_path, "plateau:patience=30")
    assert "33 checks" in few
    assert "are 20 checks" in few
    cycled = "triangular:half=50,momentum=0.9/0.8"
    (without,) = said(tmp_path, cycled, ("momentum", "sgd", "rmsprop"))
    assert "which sgd, rmsprop have not" in without
    assert said(tmp_path, cycled, ("momentum", "rmsprop"), "rmsprop.momentum=0.5") == []


def test_a_budget_in_seconds_counts_by_step_times(tmp_path: Path) -> None:
    """A guess is called one."""
    schedule = "constant:warmup=900000000"
    spec = StudySpec(optimizers=("sgd",), rates=(0.1,), cap=10.0, schedule=schedule)
    times = calibration(tmp_path / "calibration.json")
    assert "takes about" in unreached(spec.trials(), times)[0]
    assert unreached([], times) == []


def test_plan_and_run_say_it(tmp_path: Path) -> None:
    """Each once, for people and beside what is for programs."""
    schedule = "constant:warmup=5000"
    asked = ("plan", "smoke", "--schedule", schedule, "--out", tmp_path / "plan")
    note = "note: no trial comes to step 5,000"
    assert call(*asked).stdout.count(note) == 1
    programs = call(*asked, "--json")
    assert note not in programs.stdout
    assert programs.stderr.count(note) == 1
    told: list[str] = []
    spec = SPEC.with_(schedule=schedule, widths=(1,), seeds=1, rates=(0.1,), max_steps=200)
    request = Request(spec, tmp_path / "run", factory=engine)
    driver.run(request, warn=told.extend, progress=False)
    assert sum("no trial comes to step 5,000" in sentence for sentence in told) == 1


def test_the_list_tells_the_values_that_hold_where_none_is_given() -> None:
    """Of each kind of one-cycle its own; a default in the list, given, changes nothing."""
    rows = {name: arguments for name, arguments, _ in describe()}
    assert "div=10 (fastai 25), div_final=10000 (fastai 100000)" in rows["one-cycle"]
    assert "pct_start=0.45 (fastai 0.25), phases=3 (fastai 2)" in rows["one-cycle"]
    assert "A * B" in rows
    assert "A then B at N" in rows
    needed = {"rate": "0.5", "steps": "100", "half": "9", "gamma": "0.9", "low": "0.1"}
    needed |= {"boundaries": "3", "factors": "1/0.5"}
    for name, arguments in rows.items():
        if name not in NAMED or "base=0.167" in arguments:  # 1/6, in three digits
            continue
        usual = re.findall(r"[a-z_]+(?:=[^,; (]+)?", re.sub(r" \(.*?\)|;.*", "", arguments))
        least = [f"{word}={needed[word]}" for word in usual if "=" not in word]
        all_ = [*least, *(word for word in usual if "=" in word)]
        bare = f"{name}:{','.join(least)}" if least else name
        assert named(f"{name}:{','.join(all_)}") == named(bare)
