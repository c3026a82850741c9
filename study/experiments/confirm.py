"""The selected rates of a study, trained again on fresh seeds.

The best rate of a study is the least of many noisy times, so it is partly luck. Seeds that took no
part in the selection tell what it takes without that luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import pandas as pd

from study import tables
from study.engines.choice import TENSORFLOW, site_of
from study.errors import StudyError
from study.execution.executors.base import EngineFactory
from study.execution.executors.source import Source
from study.execution.own_model import trainer_of
from study.execution.request import Request
from study.experiments.picked import train_picked
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.stopping import stoppable
from study.storage.jsonl import Row, convert
from study.storage.links import refuse_links
from study.storage.records import Run
from study.storage.store import Store
from study.tables.best_rates import CONFIRM, SELECTED, Selection, confirmed
from study.training.stopwatch import Stopwatch

FRESH = 5000
"""The first fresh seed: no study has so many of its own."""


@dataclass(frozen=True)
class Selections:
    """What confirm.json holds."""

    selected: tuple[Selection, ...]


@stoppable()
def run_confirm(
    folder: Path,
    seeds: int = 10,
    *,
    workers: int | None = None,
    memory: float | None = None,
    silence: float | None = None,
    factory: EngineFactory = TENSORFLOW,
) -> pd.DataFrame:
    """Train the best rate of each optimizer and width of a study on fresh seeds.

    The rates are selected once, and stored in confirm/confirm.json. The trials train as those of
    the study, with its step times. What was stopped goes on where it was.

    Args:
        folder: the study's folder; `confirm` in it is written to.
        seeds: how many fresh seeds.
        workers, memory, silence: as for `study.execution.driver.run`.
        factory: makes the engine.

    Returns:
        The table of `study.tables.best_rates.fresh`, one row a width and optimizer.

    Raises:
        StudyError: nothing arrived in the study, it does not tell step times, or another process
            trains there.
    """
    study = tables.stored(folder)
    runs = tables.comparable(study.runs, folder)
    if study.spec.mode != "array" or runs["step_seconds"].isna().any():
        raise StudyError(
            f"{folder} does not tell the step times of an array: confirm needs a study in mode "
            "array that was trained by this program, and neither programs nor an import are one"
        )
    factory = trainer_of(study.spec, factory)
    request = Request(study.spec, workers=workers, memory=memory, silence=silence, factory=factory)
    site = site_of(request.engine)
    refuse_links(folder)
    store = Store(folder / CONFIRM)
    with store.writing():
        told = store.settings(SELECTED)
        chosen = _select(study.spec, runs) if told is None else _read(told, store)
        store.settle(SELECTED, asdict(Selections(chosen)), "selection of rates")
        cells = [replace(trial, prune="none") for trial in _trials(study.spec, chosen)]
        wanted = [replace(trial, seed=FRESH + i) for i in range(seeds) for trial in cells]
        wanted.sort(key=lambda trial: (trial.width, trial.learning_rate))
        seconds = {
            network: median([run.step_seconds or 0.0 for run in mine])
            for network, mine in _by_network(study.records).items()
        }
        source = Source(study.spec.dataset, request.engine, Stopwatch())
        reference = study.store.reference(study.all_records)
        train_picked(store, wanted, seconds, folder, request, site, source, reference)
    table = confirmed(runs, tables.stored(folder).confirmed)
    tables.write_csv(store.folder / "confirm.csv", table)
    return table


def _read(told: Row, store: Store) -> tuple[Selection, ...]:
    """The rates that were selected before."""
    try:
        return convert(told, Selections).selected
    except StudyError as error:
        raise StudyError(
            f"{store.folder / SELECTED} cannot be read ({error}): delete it to select anew"
        ) from None


def _select(spec: StudySpec, runs: pd.DataFrame) -> tuple[Selection, ...]:
    """The best rate of each optimizer and width."""
    table = tables.best(runs).dropna(subset="best_rate")
    if table.empty:
        raise StudyError(
            f"no rate of the study {spec.name} reached the target: there is none to confirm"
        )
    return tuple(
        Selection(
            str(row["optimizer"]),
            float(row["width"]),
            float(row["best_rate"]),
            float(row["seconds"]),
            int(row["seeds"]),
        )
        for row in table.to_dict("records")
    )


def _trials(spec: StudySpec, chosen: Sequence[Selection]) -> list[Trial]:
    """The selected trials of the study, of its first seed."""
    by_cell = {(t.optimizer, t.width, t.learning_rate): t for t in spec.trials() if t.seed == 0}
    keys = [(one.optimizer, one.width, one.rate) for one in chosen]
    gone = [f"{key[0]} at {key[2]:g}" for key in keys if key not in by_cell]
    if gone:
        raise StudyError(
            f"the selected rates {', '.join(gone)} are no longer in the study's grid: move "
            f"its folder {CONFIRM} away to select anew"
        )
    return [by_cell[key] for key in keys]


def _by_network(runs: Sequence[Run]) -> dict[tuple[str, float], list[Run]]:
    """The runs of each optimizer and width, whose steps take the same time."""
    found: dict[tuple[str, float], list[Run]] = {}
    for run in runs:
        found.setdefault((run.trial.optimizer, run.trial.width), []).append(run)
    return found
