"""Trains the pending trials of a plan, and keeps what a hang left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from study.errors import StudyError
from study.execution.executors.base import Checked, Ended, Event, Executor, Hung, Spent, TrainGroup
from study.execution.plan import Plan
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
    parts: dict[str, float] = {}
    done: set[str] = set()
    hung: list[Run] = []

    def record(run: Run, finish: Finish | None) -> None:
        if run.seconds_source == "reconstructed":
            run = replace(run, quiet=times.quiet(run.trial))
        store.append(run, finish)
        done.add(run.id)
        bar.ended(run)
        ended(run)

    def receive(index: int, event: Event) -> None:
        match event:
            case Checked(progress):
                bar.step(index, progress, todo.groups[index])
            case Ended(run, finish):
                record(run, finish)
            case Hung(run):
                hung.append(run)
                if run.lanes == 1:
                    record(run, None)
            case Spent(seconds):
                for name, value in seconds.items():
                    parts[name] = parts.get(name, 0.0) + value

    while todo.groups:
        bar.start(todo, times)
        tasks = [
            TrainGroup(trials, step_times_of(trials, times), context) for trials in todo.groups
        ]
        try:
            executor.run(tasks, receive)
            break
        except StudyError:
            if not hung:
                raise
        # Do not store the hang of an array: one of its trials may have caused it, so each is tried
        # alone.
        alone = [run.trial for run in hung if run.id not in done]
        hung.clear()
        again = f", and {len(alone)} trials are tried again alone" if alone else ""
        bar.say(f"no check in {context.silence:g} s: a worker was ended{again}")
        todo = _without(todo, done, alone)
    return parts


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
        seconds = times.seconds(trial)
        if seconds is None:
            raise StudyError(
                f"the step time of {trial.optimizer} at width {trial.width:g} is not known: run "
                "calibrate first"
            )
        found.append(seconds)
    return tuple(found)
