"""The case study of cyclical rates in its folder: every arm is trained with every seed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from study import tables
from study.engines.choice import TENSORFLOW, one_by_one, site_of
from study.engines.learner import Engine, Floats, Learner
from study.execution.executors.base import EngineFactory
from study.execution.executors.source import Source
from study.execution.notes import busy
from study.execution.study_folder import calibration_of
from study.spec.schedules import parse
from study.spec.trial import DATASETS
from study.stopping import heed, stoppable
from study.storage.jsonl import append_line, cut_torn_line
from study.storage.store import Store
from study.tables import case_study
from study.tables.case_study import ARMS, EPOCHS, Arm, trial_of
from study.training import timing
from study.training.stopwatch import Stopwatch


@stoppable()
def run_cycles(
    out: Path, seeds: int, dataset: str = "mnist", *, factory: EngineFactory = TENSORFLOW
) -> pd.DataFrame:
    """Train every arm with every seed that `out` lacks, and write `cycles.csv` with its summary.

    Step times that are missing are measured first. The rows of a seed are stored before the next
    seed begins, so a case study that was stopped goes on where it was.

    Args:
        out: the folder; `cycles.jsonl` in it is the source of truth.
        seeds: number of seeds N; they are 0 to N - 1.
        dataset: as in a study.
        factory: makes the engine.

    Returns:
        The table of `study.tables.case_study.read`, a row an arm, seed and epoch.

    Raises:
        StudyError: bad input, another process on the same folder, or a folder of another data set.
    """
    store, site = Store(out), site_of(one_by_one(factory))
    with store.writing():
        source = Source(dataset, factory, Stopwatch())
        asked: dict[str, Any] = {"dataset": dataset, "width": 1.0, "epochs": EPOCHS}
        if dataset not in DATASETS:  # a file, which may lie at another path the next time
            asked["dataset_md5"] = source.images().digest
            before = store.settings("cycles.json") or {}
            if before.get("dataset_md5") == asked["dataset_md5"]:
                asked["dataset"] = before["dataset"]
        if (site.engine, site.precision) != ("tensorflow", "float32"):
            # Older folders, all of TensorFlow in float32, do not name them.
            asked |= {"engine": site.engine, "precision": site.precision}
        store.settle("cycles.json", asked, "case study")
        cut_torn_line(out / case_study.FILE)
        done = {stored.seed for stored in case_study.read_seeds(out)}
        missing = [seed for seed in range(seeds) if seed not in done]
        images = source.images()
        times = calibration_of(out, shared=False, site=site)
        kinds = times.missing([trial_of(arm, 0, dataset) for arm in ARMS])
        with tqdm(total=len(missing) * EPOCHS * 3, desc="cycles", disable=not missing) as bar:

            def watch(arms: str, epoch: int) -> None:
                bar.set_postfix_str(f"{arms[:40]}, epoch {epoch}")
                bar.update(1)

            if kinds:
                bar.set_postfix_str("step times")
                for sentence in (
                    *timing.measure(times, kinds, source.engine()),
                    *busy(times, kinds),
                ):
                    bar.write(f"note: {sentence}", file=sys.stderr)
            for seed in missing:
                rows = train(seed, source.engine(), len(images.x_train), dataset, watch)
                append_line(out / case_study.FILE, {"seed": seed, "rows": rows})
    table = case_study.read(out)
    tables.write_csv(out / "cycles.csv", table)
    tables.write_csv(out / "cycles-summary.csv", case_study.summary(table))
    return table


def train(
    seed: int,
    engine: Engine,
    images: int,
    dataset: str = "mnist",
    watch: Callable[[str, int], None] = lambda arm, epoch: None,
) -> list[dict[str, Any]]:
    """Train every arm with one seed.

    Arms with the same batch and the same start are lanes of one array.

    Args:
        seed: of the initial weights and the batch order.
        engine: makes the learners.
        images: number of training images of the data set.
        dataset: its name.
        watch: called after each epoch with the names of the arms and the epoch.

    Returns:
        A row for each arm and epoch: arm, seed, epoch, steps, test_error (a fraction).
    """
    rows: list[dict[str, Any]] = []
    first = ARMS[0]
    alone = engine.learner([trial_of(first, seed, dataset)])
    rows += _epochs(alone, [first], seed, images, watch)
    for arms in (
        [arm for arm in ARMS[1:] if not arm.carries_on],
        [arm for arm in ARMS if arm.carries_on],
    ):
        learner = engine.learner([trial_of(arms[0], seed, dataset)])
        if arms[0].carries_on:
            learner.restore(alone.snapshot())
        learner.keep([0] * len(arms))
        rows += _epochs(learner, arms, seed, images, watch)
    return rows


def _epochs(
    learner: Learner, arms: Sequence[Arm], seed: int, images: int, watch: Callable[[str, int], None]
) -> Iterator[dict[str, Any]]:
    """Train arms that are the lanes of a learner, and yield their rows."""
    steps = images // arms[0].batch
    learner.prepare()
    for epoch in range(EPOCHS):
        at = np.arange(epoch * steps, (epoch + 1) * steps)
        rates: Floats = np.stack(
            [arm.rate * parse.parse(arm.schedule).factor(at, np) * np.ones(steps) for arm in arms],
            axis=1,
        )
        learner.advance(rates)
        heed()
        watch(" | ".join(arm.name for arm in arms), epoch + 1)
        for arm, accuracy in zip(arms, learner.evaluate(test=True), strict=True):
            error = round(1 - float(accuracy), 6)
            yield {
                "arm": arm.name,
                "seed": seed,
                "epoch": epoch + 1,
                "steps": (epoch + 1) * steps,
                "test_error": error,
            }
