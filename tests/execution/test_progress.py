"""The progress bar's words."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from study.execution.notes import doubtful
from study.execution.planning.left import Left
from study.execution.planning.portions import Portion, portioned
from study.execution.planning.resources import Crew, Resources
from study.execution.progress import Bar
from study.machine.facts import Site
from study.spec.study import StudySpec
from study.storage.calibration import Calibration
from study.storage.records import Outcome
from study.training.loop import Progress
from support.execution.kinds import GPU
from support.parabola import MACHINE, calibrated
from support.records import RUN

SPEC = StudySpec(optimizers=("sgd",), rates=(0.1, 0.2, 0.3), max_steps=500)


SITE = Site(MACHINE, {"tensorflow": "2.21.0"})


def portions(tmp_path: Path, *crews: Crew) -> list[Portion]:
    """The study as it is shared out."""
    path = tmp_path / "c.json"
    sides = [
        (
            crew,
            calibrated(Calibration([path], crew.site.machine, crew.site.software), SPEC.trials()),
        )
        for crew in crews
    ]
    return portioned(SPEC.trials(), sides)


@pytest.fixture
def bar(tmp_path: Path) -> Bar:
    """The bar of a study that has just begun."""
    return Bar(len(SPEC), [], portions(tmp_path, Crew(SITE, Resources(1, 64e9))), enabled=True)


def test_it_tells_at_once_that_trials_miss_the_target(bar: Bar) -> None:
    """With the nearest of them; the first that arrives takes its place."""
    first, second, third = SPEC.trials()
    for trial, outcome, accuracy in (
        (first, Outcome.CAPPED, 0.42),
        (second, Outcome.DIVERGED, None),
    ):
        bar.ended(replace(RUN, trial=trial, outcome=outcome, best_accuracy=accuracy))
    bar.note("training")
    assert "none reached 97 % yet, nearest: sgd 0.1 with 42.0 %" in str(bar.bar.postfix)
    bar.ended(replace(RUN, trial=third, seconds=1.5))
    bar.note("training")
    assert "none reached" not in str(bar.bar.postfix)
    assert "fastest: sgd 0.3 in 1.50 s" in str(bar.bar.postfix)
    bar.close()


@pytest.mark.parametrize(
    ("goal", "values", "said"),
    [
        ("at-most", (0.9, 0.42, 0.6), "validation loss 0.3 or less yet, nearest: sgd 0.2 with "
         "validation loss 0.42"),
        ("at-least", (0.1, 0.2, 0.05), "validation loss 0.3 or more yet, nearest: sgd 0.2 with "
         "validation loss 0.2"),
    ],
)  # fmt: skip
def test_the_nearest_is_so_in_the_goals_direction(
    bar: Bar, goal: str, values: tuple[float, ...], said: str
) -> None:
    """Of a loss it is the least; it is told by the metric's name."""
    for trial, value in zip(SPEC.trials(), values, strict=True):
        own = replace(trial, metric="val_loss", target=0.3, goal=goal)
        bar.ended(replace(RUN, trial=own, outcome=Outcome.CAPPED, best_accuracy=value))
    bar.note("training")
    assert str(bar.bar.postfix).endswith(f"none reached {said}")
    bar.close()


def test_the_time_left_has_at_most_59_seconds_beside_its_minutes(bar: Bar) -> None:
    """It is rounded before it is split; and it is an estimate, no bound."""
    for left, told in ((179.7, "3:00"), (59.4, "0:59"), (0.2, "0:00")):
        bar.note("training", left)
        assert f"training, about {told} left" in str(bar.bar.postfix)
    bar.close()


@pytest.mark.parametrize(
    ("cap", "steps", "step"), [(None, 3 * 500 - 50, 4e-3), (60.0, 3 * 1300 - 50, 1e-3)]
)
def test_steps_that_take_longer_than_was_guessed_leave_more_time(
    tmp_path: Path, cap: float | None, steps: int, step: float
) -> None:
    """Alone, too; but a cap in seconds is as long as it says, whatever a step takes."""
    spec = SPEC.with_(mode="alone", cap=cap, max_steps=None if cap else 500)
    calibration = calibrated(
        Calibration([tmp_path / "c.json"], MACHINE, SITE.software), spec.trials()
    )
    crew = Crew(SITE, Resources(1, 64e9))
    todo = portioned(spec.trials(), [(crew, calibration)])
    bar = Bar(len(spec), [], todo, enabled=True)
    bar.start(todo)
    trial = spec.trials()[0]
    seconds = 4e-3 * trial.check_every
    assert calibration.seconds(trial) == 1e-3
    bar.step(0, Progress(trial.check_every, (0,), 1, seconds), [trial])
    assert f"1 lane at step 50, about 0:0{steps * step:.0f} left" in str(bar.bar.postfix)
    bar.close()


def test_programs_have_no_lanes(bar: Bar) -> None:
    """The bar tells how far the furthest is."""
    trial = replace(SPEC.trials()[0], network="program:0123")
    bar.step(0, Progress(1200, (0,), 1, 3.0), [trial])
    assert str(bar.bar.postfix).startswith("training at step 1,200")
    bar.close()


def test_the_bar_moves_while_others_are_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster tells nothing before an array ends; the time is shown all the same."""
    todo = portions(tmp_path, Crew(SITE, Resources(1, 64e9)))
    bar = Bar(len(SPEC), [], todo, enabled=True, distant=True, tick=0.01)
    shown = threading.Semaphore(0)
    monkeypatch.setattr(bar.bar, "refresh", shown.release)
    assert all(shown.acquire(timeout=60) for _ in range(3))
    bar.close()


def test_it_says_how_many_workers_of_which_kind_train(tmp_path: Path) -> None:
    """Where there are several kinds; what is left is that of the kind that takes longest."""
    crews = Crew(SITE, Resources(2, 64e9)), Crew(GPU, Resources(1, 64e9, gpu=True))
    todo = portions(tmp_path, *crews)
    bar = Bar(len(SPEC), [], todo, enabled=True, distant=True)
    bar.start(todo)
    assert "training by 2 workers on test-2-cores and 1 worker on test-gpu-x1" in str(
        bar.bar.postfix
    )
    assert bar.time.seconds == max(Left([portion]).seconds for portion in todo)
    bar.close()


def test_a_goal_against_the_name_of_its_metric_is_told() -> None:
    """Since every bad rate would reach it; the usual one needs no word."""
    own = StudySpec(model="m.py:build", data="m.py:load", metric="val_loss", target=0.3)
    assert doubtful(own) == []
    (said,) = doubtful(own.with_(goal="at-least"))
    assert said == (
        "the goal is validation loss 0.3 or more, though it is usually wanted at most: --goal "
        "at-most would do that"
    )
