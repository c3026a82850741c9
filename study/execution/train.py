"""Trains the pending trials of a plan, and keeps what a hang left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from study.errors import StudyError
from study.execution.executors.base import Checked, Ended, Event, Executor, Hung, Spent, TrainGroup
from study.execution.planning.plan import Plan
from study.execution.progress import Bar
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.records import Finish, Run
from study.storage.store import Store
from study.training.group import Context


def train_pending(
    store: Store,
    todo: Plan,
    times: Calibration,
    executor: Executor,
    context: Context,
    bar: Bar,
    ended: Callable[[Run], None] = lambda run: None,
) -> dict[str, float]:
    """Train what the plan holds into the store, each run on the disk before the next is awaited.

    Args:
        store: open for writing.
        todo: the plan; the step times of its trials are known.
        times: step times, and whether they were measured on a quiet machine.
        executor: who trains.
        context: what every run records.
        bar: shows how far it is.
        ended: called after each run is stored.

    Returns:
        Seconds of other processes, by part.

    Raises:
        StudyError: a step time is not known, or workers died.
    """
    books = _Books(store, times, bar, ended)
    while todo.groups:
        bar.start(todo, times)
        tasks = [TrainGroup(group, step_times_of(group, times), context) for group in todo.groups]
        books.groups = todo.groups
        try:
            executor.run(tasks, books.enter)
            break
        except StudyError:
            if not books.hung:
                raise
        alone = books.to_try_alone()
        again = f", and {len(alone)} trials are tried again alone" if alone else ""
        bar.say(f"no check in {context.silence:g} s: a worker was ended{again}")
        todo = _without(todo, books.done, alone)
    return books.parts


class _Books:
    """Stores what the events of training groups tell, and remembers what hung."""

    def __init__(
        self, store: Store, times: Calibration, bar: Bar, ended: Callable[[Run], None]
    ) -> None:
        self.store, self.times, self.bar, self.ended = store, times, bar, ended
        self.groups: Sequence[tuple[Trial, ...]] = ()
        self.parts: dict[str, float] = {}
        self.done: set[str] = set()
        self.hung: list[Run] = []

    def enter(self, index: int, event: Event) -> None:
        """Take down an event of the group at `index`."""
        match event:
            case Checked(progress):
                self.bar.step(index, progress, self.groups[index])
            case Ended(run, finish):
                self._store(run, finish)
            case Hung(run):
                self.hung.append(run)
                # Do not store the hang of an array: one of its trials may have caused it.
                if run.lanes == 1:
                    self._store(run, None)
            case Spent(seconds):
                for name, value in seconds.items():
                    self.parts[name] = self.parts.get(name, 0.0) + value

    def _store(self, run: Run, finish: Finish | None) -> None:
        if run.seconds_source == "reconstructed":
            run = replace(run, quiet=self.times.counted_quiet(run.trial))
        self.store.append(run, finish)
        self.done.add(run.id)
        self.bar.ended(run)
        self.ended(run)

    def to_try_alone(self) -> list[Trial]:
        """The trials of arrays that hung, which are forgotten here."""
        alone = [run.trial for run in self.hung if run.id not in self.done]
        self.hung.clear()
        return alone


def _without(todo: Plan, done: set[str], alone: Sequence[Trial]) -> Plan:
    """The plan without the trials that are done; those of `alone` are groups of their own."""
    rest = [
        tuple(trial for trial in trials if trial.id not in done and trial not in alone)
        for trials in todo.groups
    ]
    groups = (*filter(None, rest), *((trial,) for trial in alone))
    pending = tuple(trial for trials in groups for trial in trials)
    return replace(todo, groups=groups, pending=pending)


def step_times_of(trials: Sequence[Trial], times: Calibration) -> tuple[float, ...] | None:
    """The trials' step times; None in mode alone, where the clock itself is read.

    Raises:
        StudyError: one is not known.
    """
    if trials[0].mode == "alone":
        return None
    found: list[float] = []
    for trial in trials:
        seconds = times.counted(trial)
        if seconds is None:
            raise StudyError(
                f"the step time of {trial.optimizer} at width {trial.width:g} is not known: run "
                "calibrate first"
            )
        found.append(seconds)
    return tuple(found)
