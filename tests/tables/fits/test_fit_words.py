"""What is said of a fit, and of the factors of time."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from study.spec.networks import network_of
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.tables.fits import sentence, sentences
from support.made import made

END = "R^2 of the line 0.98, 5 of 6 trials arrived"
SENTENCES: list[tuple[dict[str, float], str | None, str]] = [
    ({"quadratic": 3.04, "power": 8.0}, "line",
     f"a line is enough (AICc 3.0 below that of a quadratic); {END}"),
    ({"quadratic": 9.0, "power": -2.5}, "line",
     f"a line is enough (AICc 2.5 above that of a power law); {END}"),
    ({"quadratic": 9.0, "power": 9.0, "jump": 0.0}, "line",
     f"a line is enough (AICc 0.0 above that of a line with a jump); {END}"),
    ({"quadratic": -7.0, "power": -12.25}, "power",
     f"a power law holds, not a line (AICc 12.2 below it); {END}"),
    ({"jump": -12.25}, "jump",
     "a line with a jump holds, not a line (AICc 12.2 below it); it jumps by 62 % between widths "
     f"2 and 2.5; {END}"),
    ({}, None, "5 of 6 trials arrived, too few sizes for a line"),
]  # fmt: skip


def row(shape: str | None, share: float = 0.617, **others: float) -> Any:
    found = {"quadratic": 99.0, "power": 99.0, "jump": 99.0, **others}
    at = {"jump_below": 2.0, "jump_above": 2.5, "jump_share": share}
    names: dict[str, Any] = {"optimizer": "adam", "rate": 0.001, "arrived": 5, "trials": 6}
    return SimpleNamespace(**names, shape=shape, r2=0.984, **found, **at)


@pytest.mark.parametrize(("others", "shape", "said"), SENTENCES)
def test_a_fit_is_said_in_words(others: dict[str, float], shape: str | None, said: str) -> None:
    """Which shape holds, and by how much."""
    assert sentence(row(shape, **others)) == f"adam at 0.001: {said}"


def test_a_factor_is_named() -> None:
    """The step time where it jumps, and the shape of the steps where it is known."""
    bent = row("quadratic", quadratic=-9.0)
    head = "adam at 0.001: a quadratic holds, not a line (AICc 9.0 below it); "
    jumps, line = row("jump", share=0.4), row("line")
    assert sentence(bent, line, jumps) == (
        f"{head}the step time jumps by 40 % between widths 2 and 2.5; steps alone: a line is "
        f"enough; {END}"
    )
    assert sentence(bent, row("power"), line) == f"{head}steps alone: a power law; {END}"
    assert sentence(bent, row(None), None) == head + END


SPEC = StudySpec(
    optimizers=("adam",), rates=(0.001, 0.01), widths=tuple(1 + k / 4 for k in range(24)), cap=900.0
)


def runs(place: float) -> Any:
    """Steps on a line with noise of 5 %; the step time jumps by half at a width, and hardly not."""

    def steps(trial: Trial) -> float:
        noise = np.random.default_rng([int(4 * trial.width), int(1e3 * trial.learning_rate)])
        return (300 + network_of(trial).weights / 100) * (1 + noise.normal(0, 0.05))

    found = made(SPEC, steps).rename(columns={"seconds": "steps", "steps": "seconds"})
    tick = np.random.default_rng(0).normal(1, 0.01, len(SPEC.widths))
    step = 0.01 * np.repeat(tick, 2) * (1 + 0.5 * (found["width"] > place))
    return found.assign(step_seconds=step, seconds=found["steps"] * step)


def test_a_jump_of_the_step_time_is_said_of_the_seconds() -> None:
    """And that the steps are a line; without a jump the seconds are a line too."""
    for said in sentences(runs(4.0)):
        assert "a line with a jump holds" in said
        assert "the step time jumps by 5" in said
        assert "% between widths 4 and 4.25; steps alone: a line is enough" in said
    assert all("a line is enough" in said for said in sentences(runs(math.inf)))
    unknown = runs(4.0).assign(steps=math.nan, step_seconds=math.nan)
    assert all("a line with a jump holds" in said for said in sentences(unknown))
    assert not any("step" in said for said in sentences(unknown))
