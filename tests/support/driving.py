"""Studies of parabolas for the driver, in this process and in others, which import this module."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from study.data.images import Images
from study.errors import StudyError
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


SMALL = SPEC.with_(optimizers=("sgd", "adam"), widths=(1,))


def lost(store: Store, whole: Store) -> int:
    """Trials that the one has not exactly once, or that ended otherwise than in the other."""
    stored = [json.loads(line)["id"] for line in store.runs_path.read_text().splitlines()]
    found = results(store)
    return sum(
        stored.count(id_) != 1 or found[id_] != end for id_, end in results(whole).items()
    ) + len(set(stored) - set(results(whole)))


def drive(folder: Path, delay: float) -> None:
    """A driver process on slow parabolas; exit code 2 where it is refused."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    try:
        driver.run(
            Request(SMALL, folder, factory=partial(engine, delay=delay), workers=1), progress=False
        )
    except StudyError:
        sys.exit(2)


def toml(folder: Path) -> Path:
    """The study as a file."""
    path = folder / "parabolas.toml"
    values = {name: value for name, value in SMALL.to_json().items() if value is not None}
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
    return path


TIMES = int(os.environ.get("STUDY_FAULTS", "1"))
"""How often each fault is tried where its place or moment is drawn."""

Tally = Callable[[str, int, int], None]
