"""Does this kind of machine take the steps that another one took? Trials are trained again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from tqdm import tqdm

from study.engines.choice import TENSORFLOW, data_of, site_of
from study.errors import StudyError
from study.execution.executors.base import EngineFactory
from study.execution.own_model import trainer_of
from study.machine.facts import Site
from study.spec.own import refuse
from study.storage.across import Across, add_check
from study.storage.records import Outcome, Run
from study.storage.store import Store
from study.tables.intervals import student
from study.training.verification import Verification, verify

ARRIVED = 0.75
"""Share of the trials that are drawn from those that reached the target."""

CONFIDENCE = 0.95
"""Of the interval of the ratio of steps."""

FEWEST = 3
"""Trials that must have reached the target on both for an interval."""


def across(
    folder: Path, count: int, seed: int, *, factory: EngineFactory = TENSORFLOW
) -> tuple[list[Verification], Across]:
    """Train stored trials of other machines again on this one, and store how they compare.

    Args:
        folder: the study's folder.
        count: how many trials, at most.
        seed: of the draw.
        factory: makes the engine.

    Returns:
        Each trial with its end here, and the check that was stored.

    Raises:
        StudyError: no such study, or no trial in it that another kind of machine trained.
    """
    store = Store(folder)
    spec = store.spec()
    refuse(spec.network, "programs are not trained again on another machine")
    factory = trainer_of(spec, factory)
    site = site_of(factory)
    others = [
        run for run in store.runs() if run.kind != site.kind and run.step_seconds and run.steps
    ]
    chosen = choose(others, count, seed)
    if not chosen:
        raise StudyError(
            f"{folder} holds no trial that another kind of machine than {site.machine.name} "
            f"({site.machine.fingerprint}, {site.software}) trained: nothing to check"
        )
    with store.writing(), tqdm(total=len(chosen), desc="trained again", leave=False) as bar:
        engine = factory(data_of(factory, spec.dataset))
        checks = verify(chosen, engine, lambda _: bar.update(1))
        found = compared(checks, site, datetime.now(UTC).isoformat(timespec="seconds"))
        add_check(folder, found)
    return checks, found


def choose(runs: Sequence[Run], count: int, seed: int) -> list[Run]:
    """Draw runs spread over the valley: over the optimizers, and over the rates of each.

    Most of them reached the target. The others ended early, since those that spent their budget
    would take long and say little.

    Args:
        runs: those that may be drawn.
        count: how many to draw, at most.
        seed: of the draw.
    """
    random = np.random.default_rng(seed)
    arrived = [run for run in runs if run.outcome is Outcome.REACHED]
    early = [run for run in runs if run.outcome in (Outcome.STUCK, Outcome.DIVERGED)]
    most = min(len(arrived), math.ceil(ARRIVED * count))
    return [*_spread(arrived, most, random), *_spread(early, count - most, random)][:count]


def _spread(runs: Sequence[Run], count: int, random: np.random.Generator) -> list[Run]:
    """`count` of the runs, at even places in their order by optimizer and rate."""
    order = sorted(runs, key=lambda run: (run.trial.optimizer, run.trial.learning_rate, run.id))
    if count >= len(order):
        return order
    step = len(order) / max(count, 1)
    begin = random.uniform(0, step)
    return [order[int(begin + i * step)] for i in range(count)]


def compared(checks: Sequence[Verification], site: Site, at: str) -> Across:
    """What the trained-again trials say together.

    Args:
        checks: stored runs, each with its end here.
        site: where they were trained again.
        at: date and time, ISO 8601.
    """
    both = [
        check
        for check in checks
        if check.outcome == check.run.outcome.value == Outcome.REACHED.value and check.run.steps
    ]
    ratio, low, high = ratio_of([check.steps / (check.run.steps or 1) for check in both])
    return Across(
        at=at,
        machine=site.machine.name,
        fingerprint=site.machine.fingerprint,
        software=site.software,
        engine=site.engine,
        precision=site.precision,
        trials=len(checks),
        same_outcomes=sum(check.outcome == check.run.outcome.value for check in checks),
        both=len(both),
        ratio=ratio,
        low=low,
        high=high,
    )


def ratio_of(ratios: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """The geometric mean of ratios, with Student's interval on their logarithms.

    mean(log r) -+ t(n - 1) sd(log r) / sqrt(n), as factors.

    Args:
        ratios: positive numbers.

    Returns:
        Mean, low and high; the mean is None without ratios, the interval below `FEWEST` of them.
    """
    if not ratios:
        return None, None, None
    logs = np.log(ratios)
    mean = float(logs.mean())
    if len(logs) < FEWEST:
        return math.exp(mean), None, None
    error = float(logs.std(ddof=1)) / math.sqrt(len(logs))
    half = student((1 - CONFIDENCE) / 2, len(logs) - 1) * error
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)
