"""Studies of parabolas for the driver, in this process and in others, which import this module."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from study.data.images import Images
from study.execution import driver
from study.execution.request import Request
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.store import Store
from support.parabola import Parabola, ParabolaEngine

Results = dict[str, tuple[str, int | None]]
"""Outcome and steps of every trial."""

SPEC = StudySpec(
    name="parabolas",
    optimizers=("sgd", "adam", "rmsprop"),
    rates="1e-4:1e7:8",
    widths=(1, 2),
    seeds=2,
    max_steps=2000,
    check_every=20,
)


def engine(images: Images, delay: float = 0.0, breaks: tuple[float, ...] = ()) -> ParabolaEngine:
    """The driver's factory; it is given real images, as any engine is."""
    assert len(images.y_train) == 55_000
    return ParabolaEngine(delay, breaks)


def run(
    spec: StudySpec,
    folder: Path,
    factory: Callable[[Images], ParabolaEngine] = engine,
    workers: int = 1,
) -> Store:
    """The store after a run."""
    driver.run(Request(spec, folder, factory=factory, workers=workers), progress=False)
    return Store(folder)


def results(store: Store) -> Results:
    """Outcome and steps of every trial: what must not depend on how it was run."""
    return {run.id: (run.outcome.value, run.steps) for run in store.runs()}


def slow(images: Images) -> ParabolaEngine:
    """A group of lanes takes a second or so."""
    return engine(images, delay=0.01)


def endless(images: Images) -> ParabolaEngine:
    """A group takes a minute."""
    return engine(images, delay=0.5)


class Deadly(ParabolaEngine):
    """Kills whatever worker trains the highest rate."""

    def learner(self, trials: Sequence[Trial]) -> Parabola:
        if any(trial.learning_rate > 1e6 for trial in trials):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().learner(trials)


def deadly(images: Images) -> ParabolaEngine:
    """The factory of that."""
    return Deadly()


def program(folder: Path, delay: float, workers: int) -> list[str]:
    """A driver process on slow parabolas."""
    code = f"""
from functools import partial
from pathlib import Path
from study.cli.stop import terminable
from study.errors import Terminated
from study.execution import driver
from study.execution.request import Request
from support.driving import SPEC, engine
try:
    with terminable():
        factory = partial(engine, delay={delay})
        out = Path({str(folder)!r})
        driver.run(Request(SPEC, out, factory=factory, workers={workers}), progress=False)
except (KeyboardInterrupt, Terminated) as stop:
    raise SystemExit(143 if isinstance(stop, Terminated) else 130)
"""
    return [sys.executable, "-c", code]
