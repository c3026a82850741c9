"""Trains the pending trials of a plan, and keeps what a hang left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from study.errors import StudyError
from study.execution.executors.base import (
    Checked,
    Ended,
    Event,
    Executor,
    Hung,
    Spent,
    TrainGroup,
    WorkersGone,
)
from study.execution.planning.plan import Plan
from study.execution.planning.portions import Portion
from study.execution.progress import Bar
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.checks import Finish
from study.storage.records import Run
from study.storage.store import Store
from study.training.group import Context


def train_pending(
    store: Store,
    portions: Sequence[Portion],
    executor: Executor,
    context: Context,
    bar: Bar,
    ended: Callable[[Run], None] = lambda run: None,
    replan: Callable[[], Sequence[Portion]] | None = None,
    checked: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Train what the portions hold into the store, each run on the disk before the next is awaited.

    Args:
        store: open for writing.
        portions: what the workers of each kind are to train; the step times by which its trials
            count are known.
        executor: who trains.
        context: what every run records beside its worker.
        bar: shows how far it is.
        ended: called after each run is stored.
        replan: shares out what is left when the workers of a kind are gone.
        checked: called after each check of a group.

    Returns:
        Seconds of other processes, by part.

    Raises:
        StudyError: a step time is not known, or workers died.
    """
    books = _Books(store, bar, ended, checked)
    while any(portion.plan.groups for portion in portions):
        bar.start(portions)
        tasks = [task for portion in portions for task in _tasks(portion, context)]
        books.groups = [(group, portion) for portion in portions for group in portion.plan.groups]
        try:
            executor.run(tasks, books.enter)
            break
        except WorkersGone as gone:
            if replan is None:
                raise
            portions = replan()
            bar.say(f"{gone.which}: its trials are shared out among those who are left")
            continue
        except StudyError:
            if not books.hung:
                raise
        alone = books.to_try_alone()
        again = f", and {len(alone)} trials are tried again alone" if alone else ""
        bar.say(f"no check in {context.silence:g} s: a worker was ended{again}")
        portions = [
            replace(portion, plan=_without(portion.plan, books.done, alone)) for portion in portions
        ]
    return books.parts


def _tasks(portion: Portion, context: Context) -> list[TrainGroup]:
    """A portion's groups, as tasks for workers of its kind."""
    use = portion.crew.use
    here = replace(context, site=portion.crew.site, jobs=use.jobs, arrays=use.arrays)
    return [
        TrainGroup(group, step_times_of(group, portion.times), here)
        for group in portion.plan.groups
    ]


class _Books:
    """Stores what the events of training groups tell, and remembers what hung."""

    def __init__(
        self,
        store: Store,
        bar: Bar,
        ended: Callable[[Run], None],
        checked: Callable[[], None],
    ) -> None:
        self.store, self.bar, self.ended, self.checked = store, bar, ended, checked
        self.groups: Sequence[tuple[tuple[Trial, ...], Portion]] = ()
        self.parts: dict[str, float] = {}
        self.done: set[str] = set()
        self.hung: list[Run] = []

    def enter(self, index: int, event: Event) -> None:
        """Take down an event of the group at `index`."""
        trials, portion = self.groups[index]
        match event:
            case Checked(progress):
                self.bar.step(index, progress, trials)
                self.checked()
            case Ended(run, finish):
                self._store(run, finish, portion.times)
            case Hung(run):
                self.hung.append(run)
                # Do not store the hang of an array: one of its trials may have caused it.
                if run.lanes == 1:
                    self._store(run, None, portion.times)
            case Spent(seconds):
                for name, value in seconds.items():
                    self.parts[name] = self.parts.get(name, 0.0) + value

    def _store(self, run: Run, finish: Finish | None, times: Calibration) -> None:
        if run.seconds_source == "reconstructed":
            run = replace(run, quiet=times.counted_quiet(run.trial))
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
    """The plan without the trials that are done; its own of `alone` are groups of their own."""
    mine = set(todo.pending)
    rest = [
        tuple(trial for trial in trials if trial.id not in done and trial not in alone)
        for trials in todo.groups
    ]
    groups = (*filter(None, rest), *((trial,) for trial in alone if trial in mine))
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
