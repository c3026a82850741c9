"""A study that was stored anywhere, on this machine: its steps x the step times measured here,
nothing trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from study import tables
from study.engines.choice import TENSORFLOW, one_by_one, site_of
from study.execution.executors.base import EngineFactory
from study.execution.executors.source import Source
from study.execution.measuring import measure_here
from study.execution.planning.estimates import measuring_seconds, step_seconds
from study.execution.request import Request
from study.execution.study_folder import RESULTS
from study.spec.budget import last_check
from study.spec.own import refuse
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.records import Run
from study.storage.store import Store
from study.tables.cost import predicted
from study.training import verification
from study.training.stopwatch import Stopwatch

MOST_MEASURING = 40.0
"""Guessed seconds that a prediction spends on step times: with the start and the compiler it takes
about a minute.
"""


def predict(
    folder: Path,
    count: int = 0,
    seed: int = 0,
    *,
    factory: EngineFactory = TENSORFLOW,
    warn: Callable[[list[str]], None] = lambda sentences: None,
) -> tuple[pd.DataFrame, list[verification.Verification]]:
    """What the trials of a study, stored on any machine, take on this one: their steps x step times
    measured here, see `predicted`.

    Of many or large widths some are measured, and the others' step times drawn from theirs by the
    arithmetic. Step times are kept in results/calibration.json unless the machine is busy, which
    `warn` is told; nothing is added to the study. `count` of the trials are trained here and come
    back as checks against the prediction.

    Raises:
        StudyError: no such study, or one that does not tell its steps.
    """
    store = Store(folder)
    spec, runs = store.spec(), store.runs()
    refuse(spec.network, "the step times of programs cannot be measured, so nothing is predicted")
    _ = tables.stored(folder).some_runs  # an import of curves alone says that it is one
    table = tables.comparable(tables.frame(runs))
    site = site_of(one_by_one(factory))
    kinds = {(run.trial.width, run.trial.optimizer): run.trial for run in runs}
    shared = RESULTS / "calibration.json"
    times = Calibration([shared], site.machine, site.software, own=False)
    if table["steps"].isna().any():
        predicted(table, {})  # says why not, before anything is measured
    request = Request(spec, factory=factory)
    source = Source(spec.dataset, factory, Stopwatch())
    missing = times.missing(_spread(list(kinds.values()), MOST_MEASURING))
    if missing:
        warn(measure_here(times, missing, request, source))
    steps = {key: step_seconds(trial, times) for key, trial in kinds.items()}
    result = predicted(table, steps)
    here = [_here(run, steps[run.trial.width, run.trial.optimizer]) for run in runs]
    chosen = verification.choose(here, count, seed)
    if not chosen:
        return result, []
    with tqdm(total=len(chosen), desc="training", leave=False) as bar:
        checks = verification.verify(chosen, source.engine(), lambda _: bar.update(1))
    trials = {here[i].id: run.trial for i, run in enumerate(runs)}  # as they are stored
    return result, [
        replace(check, run=replace(check.run, trial=trials[check.run.id])) for check in checks
    ]


def _here(run: Run, step: float) -> Run:
    """The run with the seconds of its steps here, and its cap as a number of steps."""
    trial = run.trial
    limit = last_check(trial.check_every, trial.cap, trial.max_steps, run.step_seconds)
    bounded = replace(trial, cap=None, max_steps=int(limit)) if math.isfinite(limit) else trial
    return replace(run, trial=bounded, step_seconds=step, seconds=(run.steps or 0) * step)


def _spread(trials: Sequence[Trial], most: float) -> list[Trial]:
    """The trials, or of each optimizer's widths as many, from the smallest up, as can be measured
    in so many guessed seconds.
    """
    names = list(dict.fromkeys(trial.optimizer for trial in trials))
    chosen: list[Trial] = []
    for name in names:
        mine = sorted(
            (trial for trial in trials if trial.optimizer == name), key=lambda trial: trial.width
        )
        count = len(mine)
        picked = mine
        while count > 2 and sum(map(measuring_seconds, picked)) > most / len(names):
            count -= 1
            picked = list(
                dict.fromkeys(mine[round(i * (len(mine) - 1) / (count - 1))] for i in range(count))
            )
        while len(picked) > 1 and sum(map(measuring_seconds, picked)) > most / len(names):
            picked = picked[:-1]
        chosen += picked
    return chosen
