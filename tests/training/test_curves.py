"""Validation curves as they are stored."""

from __future__ import annotations

from dataclasses import replace
from decimal import Context, Decimal

import pytest

from study.spec.study import StudySpec
from study.training.curves import train
from study.training.loop import Progress
from study.training.stopwatch import Stopwatch
from support.parabola import CURVATURE, ParabolaEngine

SPEC = StudySpec(optimizers=("sgd", "adam"), rates=(0.005, 1e5), check_every=7, seeds=1)
SGD, WILD, ADAM, _ = SPEC.trials()


def test_a_curve_goes_on_past_the_target_to_its_span_with_five_digits() -> None:
    """On a parabola the accuracy after n steps is 1 - q^n, and the loss c q^2n / 2."""
    (row,) = train([SGD], [0.01], 0.5, ParabolaEngine(), Stopwatch())
    c = Decimal(CURVATURE["sgd"])
    q = 1 - c * Decimal("0.005")
    checks = range(7, 50, 7)
    assert row["accuracy"] == [float(round(1 - q**n, 5)) for n in checks]
    losses = [
        sum((c * q ** (2 * (n - i)) / 2 for i in range(1, 8)), Decimal(0)) / 7 for n in checks
    ]
    assert row["loss"] == [float(Context(prec=5).plus(loss)) for loss in losses]
    assert (row["outcome"], row["id"]) == ("capped", SGD.id)
    assert (row["span"], row["check_every"], row["step_seconds"]) == (0.5, 7, 0.01)


def test_each_trials_curve_is_its_own_in_the_order_of_the_trials() -> None:
    """However early some end: one diverges, and the others' spans are other numbers of steps."""
    seen: list[Progress] = []
    stopwatch = Stopwatch()
    trials = [SGD, WILD, ADAM]
    rows = train(trials, [0.01, 0.01, 0.005], 0.5, ParabolaEngine(), stopwatch, seen.append)
    assert [row["id"] for row in rows] == [trial.id for trial in trials]
    names = ("optimizer", "learning_rate", "width", "seed")
    for row, trial in zip(rows, trials, strict=True):
        assert [row[name] for name in names] == [getattr(trial, name) for name in names]
    assert [row["outcome"] for row in rows] == ["capped", "diverged", "capped"]
    assert [len(row["loss"]) for row in rows][::2] == [7, 14]
    assert [row["step_seconds"] for row in rows] == [0.01, 0.01, 0.005]
    assert [progress.step for progress in seen] == list(range(7, 99, 7))
    assert "build" in stopwatch.parts()


def test_a_curve_follows_its_trials_schedule() -> None:
    """Half the rate for ever is the curve of half the rate."""
    half = replace(SGD, schedule="piecewise:boundaries=1,factors=0.5/0.5")
    rows = [
        train([trial], [0.01], 0.5, ParabolaEngine(), Stopwatch())[0]
        for trial in (half, replace(SGD, learning_rate=0.0025))
    ]
    assert rows[0]["accuracy"] == pytest.approx(rows[1]["accuracy"], abs=1e-5)
