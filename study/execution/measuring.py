"""Has an executor measure step times: of trials alone, and of a lane in arrays of several sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Protocol

from study.execution.executors.base import (
    Event,
    Executor,
    ProbeSizes,
    Runner,
    Timed,
    TimeSteps,
    Timing,
)
from study.execution.executors.local import Local
from study.execution.executors.source import Source
from study.execution.notes import busy
from study.execution.planning.estimates import measuring_seconds
from study.execution.planning.resources import Crew, Resources
from study.execution.progress import StepTimesBar
from study.execution.request import Request
from study.machine.clock import running
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.storage.rounds import Rounds
from study.storage.step_times import array_key, one_of_each
from study.training.stopwatch import Stopwatch
from study.words import counted

EVERY, AT_THE_END = 600.0, 300.0
"""Seconds of training after which step times are measured again, and at the end."""


AGAIN_ROUNDS, MOST_AGAIN = 3, 6
"""Rounds in which that is done, and step times that are measured; a second each."""


class Watch(Protocol):
    """What shows how far a measurement is."""

    def note(self, doing: str) -> None:
        """Say what is happening."""
        ...

    def calibrating(self, done: int, total: int) -> None:
        """`done` of `total` timing rounds are over."""
        ...


def measure_missing(
    times: Calibration,
    trials: Sequence[Trial],
    executor: Executor,
    patience: float,
    watch: Watch,
) -> list[str]:
    """Time the trials' steps alone and add the readings to `times`.

    Args:
        times: where the readings go.
        trials: one for each step time that is wanted.
        executor: who times them, with a machine to itself.
        patience: seconds to wait for a quiet machine.
        watch: shows how far it is.

    Returns:
        Sentences on readings that differ much from what was known.
    """
    if not trials:
        return []
    found: dict[int, Rounds] = {}

    def receive(index: int, event: Event) -> None:
        if isinstance(event, Timing):
            watch.calibrating(event.done, event.total)
        elif isinstance(event, Timed):
            found.update(event.rounds)

    about = sum(map(measuring_seconds, trials))
    watch.note(f"measuring {counted(len(trials), 'step time')} alone, about {about:.0f} s")
    patience = patience if executor.distant else 0.0
    executor.exclusive(TimeSteps(tuple(trials), patience, times.kind), receive)
    return times.take(trials, [found[i] for i in range(len(trials))])


class Again:
    """Measures step times again while a study trains, since machines drift.

    Args:
        times: where the readings go. Where the step times of another machine count, none are made.
        trials: those that train.
        executor: who trains, and times meanwhile.
        note: told what is happening.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        times: Calibration,
        trials: Sequence[Trial],
        executor: Executor,
        note: Callable[[str], None],
        clock: Callable[[], float] = running,
    ) -> None:
        known = [] if times.clock else [one for one in one_of_each(trials) if times.seconds(one)]
        step = max(1, -(-len(known) // MOST_AGAIN))
        self.trials = tuple(known[::step]) if trials and trials[0].mode == "array" else ()
        self.times, self.executor, self.note, self.clock = times, executor, note, clock
        self.last = clock()

    def look(self, least: float) -> list[str]:
        """Measure if the last time is `least` seconds ago; return what differs much."""
        if not self.trials or self.clock() - self.last < least:
            return []
        found: dict[int, Rounds] = {}

        def receive(index: int, event: Event) -> None:
            if isinstance(event, Timed):
                found.update(event.rounds)

        with self.executor.still() as still:
            if still:
                self.note("measuring step times again")
                task = TimeSteps(self.trials, 0.0, self.times.kind, AGAIN_ROUNDS)
                self.executor.exclusive(task, receive)
        self.last = self.clock()
        trials = [self.trials[i] for i in sorted(found)]
        rounds = [found[i] for i in sorted(found)]
        return self.times.take(trials, rounds, again=True) if found else []


def measure_here(
    times: Calibration, trials: Sequence[Trial], request: Request, source: Source | None = None
) -> list[str]:
    """Time the trials' steps in this process, behind a progress bar of its own.

    Args:
        times: where the readings go.
        trials: one for each step time that is wanted.
        request: the engine, and the seconds to wait for a quiet machine.
        source: this process's images and engine, where it has them already.

    Returns:
        Sentences on what differs much from what was known, and on a busy machine.
    """
    stopwatch = Stopwatch()
    executor = Local(
        request, source or Source(request.spec.dataset, request.factory, stopwatch), stopwatch
    )
    with closing(StepTimesBar()) as bar:
        executor.settle(request.patience, bar.note)
        bar.note("step times")
        said = measure_missing(times, trials, executor, 0.0, bar)
    return [*said, *busy(times, trials)]


def probe(
    runner: Runner, trial: Trial, sizes: Sequence[int], crew: Crew | None = None
) -> dict[int, Rounds]:
    """Time a lane's step in arrays of each size, on all workers at once: so they will train.

    A crew of one process, where several train on this machine, is this process with all cores. The
    rounds of all workers are put together; the load is that of the busiest.

    Args:
        runner: who times.
        trial: whose step.
        sizes: of the arrays.
        crew: which of the runner's workers, all of them if None.
    """
    found: dict[int, list[Rounds]] = {}

    def receive(index: int, event: Event) -> None:
        if isinstance(event, Timed):
            for size, rounds in event.rounds.items():
                found.setdefault(size, []).append(rounds)

    kind, jobs = (crew.site.kind, crew.use.jobs) if crew else (None, runner.jobs)
    task = ProbeSizes(trial, tuple(sizes), kind, crew.use.arrays if crew else "")
    if isinstance(runner, Local) and jobs == 1:
        runner.exclusive(task, receive)
    else:
        runner.run([task] * jobs, receive)
    return {
        size: Rounds(
            [value for one in some for value in one.seconds],
            some[0].steps,
            [value for one in some for value in one.processor],
            max((one.load for one in some if one.load), key=lambda load: load.others, default=None),
        )
        for size, some in sorted(found.items())
    }


def add_sizes(times: Calibration, trial: Trial, found: dict[int, Rounds], use: Resources) -> None:
    """Add what `probe` found to `times`, for the processes and the engine of `use`."""
    times.add(
        times.entry(array_key(trial, size, use.jobs, use.arrays), one)
        for size, one in found.items()
    )
