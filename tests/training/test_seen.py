"""How a trial that is a program ends, by its reports alone: a table of cases and their ends."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from study.engines.command.reports import BadReport, Report
from study.errors import StudyError
from study.storage.checks import Finish
from study.storage.records import Outcome
from study.training.seen import MOST_CHECKS, Seen
from support.programs import settled, spec_of

TRIAL = replace(settled(spec_of("sh x {rate}")).trials()[0], cap=10.0, max_steps=100)


def told(
    *reports: tuple[float, int, dict[str, float]], percent: bool = False, **changes: Any
) -> tuple[Outcome | None, Finish]:
    """The outcome of reports at (seconds, step, values), and the trial's end if it ended there."""
    seen, outcome = Seen(replace(TRIAL, **changes), percent), None
    for now, step, values in reports:
        assert outcome is None
        outcome = seen.enter(Report(step, values), now)
    return outcome, seen.finish(outcome or Outcome.CAPPED, 2.0)


def acc(value: float, **others: float) -> dict[str, float]:
    """A report's values."""
    return {"accuracy": value, **others}


def test_seconds_count_from_the_first_report() -> None:
    """Start-up is off the clock; a report of step 0 starts it."""
    outcome, finish = told((7.0, 0, {}), (8.5, 20, acc(0.5)), (10.0, 40, acc(0.9)))
    assert outcome is Outcome.REACHED
    assert (finish.steps, finish.seconds) == (40, 3.0)
    assert finish.accuracies == (0.5, 0.9)
    assert finish.watched is not None
    assert finish.watched.steps == (20, 40)
    assert finish.watched.seconds == (1.5, 3.0)
    assert (finish.watched.first_step, finish.watched.startup) == (0, 2.0)
    assert finish.losses == ()


@pytest.mark.parametrize(
    ("last", "end", "steps"),
    [
        ((5.0, 50, acc(0.89)), None, 50),
        ((5.0, 50, acc(0.9)), Outcome.REACHED, 50),
        ((5.0, 50, acc(math.nan)), Outcome.DIVERGED, 50),
        ((5.0, 50, {"train_loss": math.inf}), Outcome.DIVERGED, 50),
        ((5.0, 50, {"lr": math.nan}), None, 50),
        ((11.0, 50, acc(0.95)), Outcome.CAPPED, 50),  # the clock leaves no time for it
        ((10.0, 50, acc(0.95)), Outcome.REACHED, 50),
        ((5.0, 100, acc(0.95)), Outcome.REACHED, 100),
        ((5.0, 100, acc(0.5)), Outcome.CAPPED, 100),
        ((5.0, 100, {"loss": 0.5}), None, 100),  # the metric may follow in a row of its own
        ((5.0, 101, acc(0.95)), Outcome.CAPPED, 100),
    ],
)
def test_how_a_trial_ends(
    last: tuple[float, int, dict[str, float]], end: Outcome | None, steps: int
) -> None:
    """At each bound, on it and beyond."""
    outcome, finish = told((0.0, 0, acc(0.1)), last)
    assert outcome is end
    assert finish.steps == steps


def test_an_arrival_takes_a_time() -> None:
    """One that is met at the first report, or before the clock went on, has the least."""
    arrival = (3.0, 20, acc(0.95))
    both: list[list[tuple[float, int, dict[str, float]]]] = [[arrival], [(3.0, 0, {}), arrival]]
    for reports in both:
        outcome, finish = told(*reports)
        assert outcome is Outcome.REACHED
        assert finish.seconds == 1e-3


def test_a_metric_that_is_to_fall() -> None:
    """Any name, its goal the other way; the loss of a check is the latest."""
    changes: dict[str, Any] = {"metric": "val_loss", "goal": "at-most", "target": 0.25}
    outcome, finish = told(
        (0.0, 1, {"val_loss": 0.5, "train_loss": 1.0}),
        (1.0, 2, {"train_loss": 0.75}),
        (2.0, 2, {"val_loss": 0.25}),
        **changes,
    )
    assert outcome is Outcome.REACHED
    assert finish.accuracies == (0.5, 0.25)
    assert finish.watched is not None
    assert finish.watched.best == 0.25


def test_percents_are_told_and_not_guessed() -> None:
    """A share above 1 ends the study, with the option that says what it is."""
    with pytest.raises(StudyError, match=r"reports accuracy 90, and the target .* is a share"):
        told((0.0, 1, acc(90.0)))
    outcome, finish = told((0.0, 1, acc(0.5)), (1.0, 2, acc(90.0)), percent=True)
    assert outcome is Outcome.REACHED
    assert finish.accuracies == (0.005, 0.9)
    for value, percent in ((-0.1, False), (101.0, True)):
        with pytest.raises(BadReport, match=f"accuracy {value:g} is no accuracy"):
            told((0.0, 1, acc(value)), percent=percent)
    assert told((0.0, 1, {"reward": 90.0}), metric="reward", target=80.0)[0] is Outcome.REACHED


def test_reports_go_forwards_and_count_alike() -> None:
    """The same step twice is fine."""
    with pytest.raises(BadReport, match="go backwards: step 1 after step 2"):
        told((0.0, 2, acc(0.5)), (0.0, 2, acc(0.5)), (1.0, 1, acc(0.5)))
    seen = Seen(TRIAL)
    seen.enter(Report(1, acc(0.5), "step"), 0.0)
    with pytest.raises(BadReport, match="units of its reports are mixed: step first, then epoch"):
        seen.enter(Report(2, acc(0.5), "epoch"), 1.0)


def test_a_plateau_is_given_up_where_that_was_asked_for() -> None:
    """As in any other trial."""
    seen = Seen(replace(TRIAL, prune="plateau", max_steps=None, cap=None))
    ends = [seen.enter(Report(i, acc(0.5)), float(i)) for i in range(60)]
    assert ends.index(Outcome.PRUNED) == 20
    seen = Seen(replace(TRIAL, prune="hopeless", max_steps=1000, cap=None))
    ends = [seen.enter(Report(5 * i, acc(0.1)), float(i)) for i in range(1, 190)]
    assert Outcome.PRUNED in ends


def test_a_trial_that_reports_much_keeps_some_of_it() -> None:
    """The last check and the best value are kept."""
    seen = Seen(replace(TRIAL, max_steps=None, cap=None))
    for i in range(5 * MOST_CHECKS):
        seen.enter(Report(i, acc(0.8 if i == 1234 else 0.5, loss=1.0)), float(i))
    finish = seen.finish(Outcome.CAPPED, 0.0)
    assert finish.watched is not None
    assert MOST_CHECKS / 2 <= len(finish.accuracies) <= MOST_CHECKS
    assert len(finish.losses) == len(finish.watched.steps) == len(finish.accuracies)
    assert finish.watched.steps[-1] == 5 * MOST_CHECKS - 1
    assert finish.watched.best == 0.8
