"""Trains the pending trials of a plan, and keeps what a hang left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tqdm import tqdm

from study import data
from study.engines.choice import Setup, site_of
from study.engines.learner import Engine
from study.errors import StudyError
from study.execution.executors.base import EngineFactory
from study.execution.executors.local import Here
from study.execution.executors.pool import Workers
from study.execution.plan import Plan
from study.execution.progress import Bar
from study.execution.resources import Resources
from study.execution.study_folder import busy
from study.machine.quiet import wait_until_quiet
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.jsonl import append_line
from study.storage.records import Finish, Run
from study.storage.store import Store
from study.training import timing
from study.training.group import HUNG, Context, Emit
from study.training.stopwatch import Stopwatch

if TYPE_CHECKING:
    from study.execution.executors.cluster import Cluster


SPENT_EVERY = 60.0
"""Seconds between two lines of `spent.jsonl`."""


def crew_of(
    todo: Plan, use: Resources, dataset: str, factory: EngineFactory, here: Here
) -> Here | Workers:
    """Who trains the plan on this machine: this process, or several where there is enough to do."""
    return Workers(use.jobs, dataset, factory) if use.jobs > 1 and todo.pending else here


def train_pending(
    store: Store,
    todo: Plan,
    times: Calibration,
    crew: Here | Workers | Cluster,
    context: Context,
    bar: Bar,
    ended: Callable[[Run], None] = lambda run: None,
) -> dict[str, float]:
    """Train what the plan holds into the store, each run on the disk before the next is awaited;
    return other processes' seconds by part.

    Args:
        store: open for writing.
        todo: the plan; the step times of its trials are known.
        times: step times, and whether they were measured on a quiet machine.
        crew: who trains; worker processes of this machine are let go at the end.
        context: what every run records.
        bar: shows how far it is.
        ended: called after each run is stored.

    Raises:
        StudyError: a step time is not known, or workers died.
    """

    def emit(run: Run, finish: Finish | None) -> None:
        if run.seconds_source == "reconstructed":
            run = replace(run, quiet=times.quiet(run.trial))
        store.append(run, finish)
        bar.ended(run)
        ended(run)

    bar.start(todo, times)
    parts = _train(crew, todo, times, context, emit, bar)
    if isinstance(crew, Workers):
        crew.close()
    return parts


def _train(
    crew: Here | Workers | Cluster,
    todo: Plan,
    times: Calibration,
    context: Context,
    emit: Emit,
    bar: Bar,
) -> dict[str, float]:
    """Train the plan's groups, and after a hang what it left; return the seconds of other processes
    by part.
    """
    ended: set[str] = set()
    hung: list[Run] = []

    def sift(run: Run, finish: Finish | None) -> None:
        """Keep back what an array's hang says of its trials: it hangs as a whole, and each has yet
        to be tried alone.
        """
        if run.error is not None and run.error.startswith(HUNG):
            hung.append(run)
            if run.lanes > 1:
                return
        ended.add(run.id)
        emit(run, finish)

    try:
        jobs = [(list(trials), step_times_of(trials, times)) for trials in todo.groups]
        return crew.train(
            jobs, context, sift, lambda i, progress: bar.step(i, progress, todo.groups[i])
        )
    except StudyError:
        if not hung:
            raise
    alone = [run.trial for run in hung if run.id not in ended]
    again = f", and {len(alone)} trials are tried again alone" if alone else ""
    bar.say(f"no check in {context.silence:g} s: a worker was ended{again}")
    rest = [
        tuple(trial for trial in trials if trial.id not in ended and trial not in alone)
        for trials in todo.groups
    ]
    groups = (*filter(None, rest), *((trial,) for trial in alone))
    todo = replace(
        todo, groups=groups, pending=tuple(trial for trials in groups for trial in trials)
    )
    bar.start(todo, times)
    return _train(crew, todo, times, context, emit, bar)


def measure(
    times: Calibration, trials: Sequence[Trial], engine: Callable[[], Engine], patience: float = 0.0
) -> list[str]:
    """Add the trials' step times to `times`, behind a progress bar, once the machine is quiet or
    `patience` seconds have passed; return what there is to tell of them.
    """
    with tqdm(total=1, bar_format="{desc} {percentage:3.0f}% {bar} {elapsed}", leave=False) as bar:

        def watch(done: int, total: int) -> None:
            bar.total, bar.n = total, done
            bar.refresh()

        wait_until_quiet(patience, bar.set_description_str)
        bar.set_description_str("step times")
        said = timing.measure(times, trials, engine(), watch=watch)
    return [*said, *busy(times, trials)]


def settled(factory: EngineFactory) -> EngineFactory:
    """The same engine at one precision, whatever GPU a worker pins."""
    return (
        Setup(factory.engine, site_of(factory).precision) if isinstance(factory, Setup) else factory
    )


def once(factory: EngineFactory, images: data.Images, stopwatch: Stopwatch) -> Callable[[], Engine]:
    """A function that makes the engine when it is first needed, TensorFlow's import included."""
    made: list[Engine] = []

    def engine() -> Engine:
        if not made:
            with stopwatch.part("import"):
                made.append(factory(images))
        return made[0]

    return engine


def _spender(
    store: Store, stopwatch: Stopwatch, jobs: int
) -> Callable[[dict[str, float], float], None]:
    """A function that stores where the time went since it last did, if that is at least so many
    seconds: a killed process leaves it.
    """
    written: dict[str, float] = {}

    def spend(in_workers: dict[str, float], least: float) -> None:
        parts = stopwatch.parts()
        since = {name: seconds - written.get(name, 0.0) for name, seconds in parts.items()}
        if sum(since.values()) < least:
            return
        written.update(parts)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        append_line(
            store.spent_path, {"at": now, "jobs": jobs, "seconds": since, "in_workers": in_workers}
        )

    return spend


def step_times_of(trials: Sequence[Trial], times: Calibration) -> list[float] | None:
    """The trials' step times, all of them measured by now; None in mode alone, where the clock
    itself is read.

    Raises:
        StudyError: one is not known.
    """
    if trials[0].mode == "alone":
        return None
    found: list[float] = []
    for trial in trials:
        seconds = times.seconds(trial)
        if seconds is None:
            raise StudyError(
                f"the step time of {trial.optimizer} at width {trial.width:g} is not known: run "
                "calibrate first"
            )
        found.append(seconds)
    return found
