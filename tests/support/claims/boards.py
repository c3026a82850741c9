"""Grids and studies of sizes drawn by hand, a letter a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from study.claims.evidence import Evidence
from study.spec.networks import network_of
from study.spec.study import StudySpec
from study.spec.trial import OPTIMIZERS, Trial
from support.made import made

RATES = tuple(float(f"{10 ** (-4 + k / 2):.6g}") for k in range(11))
"""Five decades, two rates in each: no grid can be smaller."""

ENDS = {".": "capped", "x": "stuck", "d": "diverged", "f": "failed", "p": "pruned", "?": "missing"}

NOTHING = pd.DataFrame(columns=["optimizer", "seed", "accuracy", "step", "outcome"])

Lines = Mapping[str, str | Sequence[str]]
"""By optimizer a letter a rate, or such a line for each seed: `ENDS`, or a figure, the seconds of
an arrival. A cap of 60 s counts as long from 4 s on.
"""


def board(
    lines: Lines,
    seeds: int = 1,
    cap: float = 60.0,
    rates: Sequence[float] = RATES,
    curves: pd.DataFrame | None = None,
    seconds: Mapping[str, float] | None = None,
    **spec: Any,
) -> Evidence:
    """The study that the lines draw; `seconds` are those of other letters."""
    drawn = StudySpec(**{
        "name": "board", "optimizers": tuple(lines), "rates": tuple(rates), "seeds": seeds,
        "cap": cap, **spec,
    })  # fmt: skip

    def takes(trial: Trial) -> float | str:
        line = lines[trial.optimizer]
        line = line if isinstance(line, str) else line[trial.seed]
        letter = line[list(rates).index(trial.learning_rate)]
        if letter in (seconds or {}):
            return float((seconds or {})[letter])
        return "stuck" if letter == "?" else ENDS.get(letter) or float(letter)

    runs = made(drawn, takes)
    missing = [
        (lines[o] if isinstance(lines[o], str) else lines[o][seed])[list(rates).index(rate)] == "?"
        for o, rate, seed in zip(
            runs["optimizer"], runs["learning_rate"], runs["seed"], strict=True
        )
    ]
    kept = runs[[not each for each in missing]]
    return Evidence(drawn, kept, NOTHING if curves is None else curves)


def six(default: str = ".....44xxxx", **others: str | Sequence[str]) -> dict[str, Any]:
    """Lines of all six optimizers, those that are named and the default for the rest."""
    return {name: others.get(name, default) for name in OPTIMIZERS}


TEN = tuple(float(width) for width in range(1, 11))


def study(
    takes: Callable[[Trial], float | str],
    rates: Sequence[float],
    widths: Sequence[float] = TEN,
    seeds: int = 1,
    cap: float = 60.0,
) -> Evidence:
    """A study of sizes in which Adam's trials take so long; `missing` ones are left out."""
    spec = StudySpec(
        name="sizes", optimizers=("adam",), rates=tuple(rates), widths=tuple(widths), seeds=seeds,
        cap=cap,
    )  # fmt: skip
    gone = {trial.id for trial in spec.trials() if takes(trial) == "missing"}
    runs = made(spec, lambda trial: "stuck" if trial.id in gone else takes(trial))
    return Evidence(spec, runs[~runs["id"].isin(gone)], NOTHING)


BASE = network_of(study(lambda t: 1.0, (0.1,), (1.0,)).spec.trials()[0]).weights


def grows(kind: str, trial: Trial) -> float | str:
    """Seconds that grow so with the weights, with a little noise."""
    x = network_of(trial).weights / BASE
    noise = float(np.random.default_rng([int(trial.width), 3]).normal(0, 1))
    late = {"eight": ("stuck", 9), "seven": ("capped", 8), "missing": ("missing", 10)}
    if kind in late and trial.width >= late[kind][1]:
        return late[kind][0]
    return {
        "line": 2 + 3 * x / 10 + 0.05 * noise,
        "eight": 2 + 3 * x / 10 + 0.05 * noise,
        "seven": 2 + 3 * x / 10 + 0.05 * noise,
        "missing": 2 + 3 * x / 10 + 0.05 * noise,
        "quadratic": 2 + x**2 / 100 + 0.01 * noise,
        "no growth": 40 - x / 10 + 0.05 * noise,
        "scatter": 20 + 3 * noise,
    }[kind]
