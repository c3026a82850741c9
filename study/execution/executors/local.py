"""The executor of this machine: this process, or a pool of processes where that pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial

from study.engines.choice import site_of
from study.errors import StudyError
from study.execution.executors.base import ProbeSizes, Receive, Task, TrainCurves
from study.execution.executors.pool import Pool
from study.execution.executors.source import Source
from study.execution.executors.tasks import perform
from study.execution.planning.resources import Crew, resources
from study.execution.request import Request
from study.machine import device
from study.machine.facts import Site
from study.machine.quiet import wait_until_quiet
from study.spec.program import is_program
from study.spec.study import StudySpec
from study.training.stopwatch import Stopwatch


class Local:
    """This process, with all cores to itself, or `jobs` processes with a share of them each.

    Args:
        request: who may train.
        source: this process's images and engine.
        stopwatch: counts where this process's time goes.
    """

    distant = False

    def __init__(self, request: Request, source: Source, stopwatch: Stopwatch) -> None:
        self.request, self.source, self.stopwatch = request, source, stopwatch
        self.site = site_of(request.engine)
        self.jobs = 1
        self.pool: Pool | None = None

    @property
    def sites(self) -> Sequence[Site]:
        """See `Executor.sites`: this one."""
        return (self.site,)

    def crews(self, spec: StudySpec, pending: int) -> Sequence[Crew]:
        """See `Executor.crews`; two workers at least where hangs are watched for."""
        machine = self.site.machine
        watched = self.request.silence is not None and not is_program(spec.network)
        use = resources(spec, pending, machine, self.request.workers, self.request.memory)
        if watched and machine.gpus and len(machine.gpus) < 2:
            raise StudyError(
                "a hang is ended with its worker process: --hang-limit needs two GPUs, or "
                "--device cpu"
            )
        use = replace(use, jobs=max(2, use.jobs)) if watched else use
        self.jobs = use.jobs if pending else 1
        return (Crew(self.site, use),)

    def settle(self, patience: float, say: Callable[[str], object]) -> None:
        """See `Executor.settle`."""
        with self.stopwatch.part("wait"):
            wait_until_quiet(patience, say)

    def run(self, tasks: Sequence[Task], receive: Receive) -> None:
        """See `Executor.run`; curves are trained in this process, which has their engine."""
        if self.jobs == 1 or all(isinstance(task, TrainCurves) for task in tasks):
            self.close()
            for index, task in enumerate(tasks):
                self._perform(task, partial(receive, index))
            return
        self.pool = self.pool or Pool(self.jobs, self.request.spec.dataset, self.request.engine)
        with self.stopwatch.part("workers"):
            self.pool.run(tasks, receive)

    def exclusive(self, task: Task, receive: Receive) -> None:
        """See `Executor.exclusive`: the task is done in this process."""
        self._perform(task, partial(receive, 0))

    def still(self) -> AbstractContextManager[bool]:
        """See `Executor.still`; what this process trains itself waits for this very call."""
        return self.pool.still() if self.pool else nullcontext(True)

    def _perform(self, task: Task, send: Callable[..., None]) -> None:
        # `train` and `step_times` take the device for themselves, where they read the clock.
        with device.exclusive() if isinstance(task, ProbeSizes) else nullcontext():
            perform(task, self.source.engine, self.stopwatch, send)

    def close(self) -> None:
        """See `Executor.close`."""
        if self.pool:
            self.pool.close()
            self.pool = None
