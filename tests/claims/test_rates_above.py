"""The claim that rates above the best one take longer and scatter more."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from study.claims import sizes
from study.claims.evidence import Evidence
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED
from study.spec.networks import network_of
from study.spec.trial import Trial
from support.claims.boards import BASE, grows, study

END = " (study sizes)"


def scattered(
    time: float, scatter: float, rates: Sequence[float] = (0.0005, 0.001, 0.005)
) -> Evidence:
    """Times about a line, so many times as long and as scattered at the largest rate."""

    def takes(trial: Trial) -> float:
        x = network_of(trial).weights / BASE
        random = np.random.default_rng([int(trial.width * 10), trial.seed])
        noise = float(random.normal(0, 0.2))
        factor, wild = (time, scatter) if trial.learning_rate == max(rates) else (1.0, 1.0)
        return factor * (10 + 0.02 * x) + wild * noise

    return study(takes, rates, seeds=2, cap=500.0)


@pytest.mark.parametrize(
    ("time", "scatter", "verdict"),
    [(2.0, 3.0, HOLDS), (2.0, 0.3, FAILS), (2.0, 1.0, UNDECIDED)],
)
def test_rates_above_the_best_take_longer_and_scatter_more(
    time: float, scatter: float, verdict: str
) -> None:
    """The largest against the best: the lesser of both ratios, by numpy."""
    one = scattered(time, scatter)
    found = CLAIMS["variance-above-1e-3"].judge([one])
    spreads, times = [], []
    for rate in (0.0005, 0.005):
        mine = one.runs[one.runs["learning_rate"] == rate].sort_values(["width", "seed"])
        x, y = mine["weights"].to_numpy(float), mine["seconds"].to_numpy(float)
        left = np.linalg.lstsq(np.column_stack([np.ones_like(x), x]), y, rcond=None)[1][0]
        times.append(np.log(y))
        spreads.append(math.sqrt(left))
    slower, wider = float(np.exp((times[1] - times[0]).mean())), spreads[1] / spreads[0]
    assert found.verdict == verdict
    assert found.statistic == pytest.approx(min(slower, wider))
    assert found.low <= found.statistic * 1.02
    assert found.high >= found.statistic * 0.98
    assert found.threshold == 1
    assert found.reason == (
        f"from the best rate, 0.0005, to 0.005 the time is {slower:.2f} times as long and the "
        f"scatter about the line {wider:.2f} times as large; from 0.001 to 0.005 the time is "
        f"{slower:.2f} times as long and the scatter {wider:.2f} times as large{END}"
    )


def test_a_rate_of_twice_the_best_must_train_most_sizes() -> None:
    """Exactly twice is enough; rates at which too few arrive are not compared."""
    assert (sizes.ABOVE_RATE, sizes.ABOVE_BEST) == (0.001, 2)
    for rates, judged in (((0.001, 0.0019), False), ((0.001, 0.002), True), ((0.001,), False)):
        found = CLAIMS["variance-above-1e-3"].judge([scattered(2.0, 3.0, rates)])
        assert (found.verdict == HOLDS) == judged
        assert (
            "the best rate is 0.001, and no rate 2 times as large was tried" in found.reason
        ) != judged
    best = CLAIMS["variance-above-1e-3"].judge([scattered(0.5, 3.0, (0.001, 0.005))])
    assert best.reason.startswith("the best rate is 0.005, and no rate 2 times as large")
    assert "from 0.001 to 0.005 the time is 0.49 times as long and the scatter 3.00" in best.reason
    few = study(lambda t: grows("seven" if t.learning_rate > 0.002 else "line", t), (0.001, 0.005))
    assert CLAIMS["variance-above-1e-3"].judge([few]).reason == (
        f"the best rate is 0.001, and no rate 2 times as large trains most sizes{END}"
    )
    none = study(lambda trial: "stuck", (0.001, 0.005))
    assert CLAIMS["variance-above-1e-3"].judge([none]).reason == "at no rate most sizes arrived"
