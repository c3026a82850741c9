"""What a worker does in its own process: it times steps, trains a group, trains curves."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

from study.engines.choice import data_of, site_of
from study.engines.learner import Engine
from study.engines.native.engine import for_arrays
from study.errors import StudyError, Terminated
from study.execution.executors.base import (
    Checked,
    Drawn,
    Ended,
    Event,
    Hung,
    ProbeSizes,
    Setting,
    Spent,
    Task,
    Timed,
    TimeSteps,
    Timing,
    TrainCurves,
    TrainGroup,
    to_message,
)
from study.machine import device
from study.machine.here import this_site
from study.machine.quiet import wait_until_quiet
from study.machine.versions import THREADS
from study.storage.checks import Finish
from study.storage.records import Run
from study.training import curves, timing
from study.training.group import train
from study.training.programs import HUNG
from study.training.stopwatch import Stopwatch

Send = Callable[[Event], None]

_engines: dict[str, Engine] = {}


_one_at_a_time = threading.Lock()
"""A worker with several threads would otherwise train twice in one TensorFlow."""


def perform(
    task: Task,
    engine: Callable[[], Engine],
    stopwatch: Stopwatch,
    send: Send,
    family: int | None = None,
) -> None:
    """Do a task in this process.

    Args:
        task: what to do.
        engine: makes the engine when it is first needed.
        stopwatch: counts where the time goes.
        send: told each event at once.
        family: a process whose children's load is not that of other programs, see `Meter`.
    """
    match task:
        case TimeSteps(trials, patience):
            wait_until_quiet(patience)
            found = timing.step_times(
                trials,
                engine(),
                stopwatch.clock,
                lambda done, total: send(Timing(done, total)),
                task.rounds,
            )
            send(Timed(dict(enumerate(found))))
        case ProbeSizes(trial, sizes):
            trainer = for_arrays(engine(), task.arrays)
            send(Timed(timing.probe(trial, sizes, trainer, stopwatch.clock, family)))
        case TrainCurves(trials, step_seconds, span):
            rows = curves.train(
                trials,
                step_seconds,
                span,
                engine(),
                stopwatch,
                lambda progress: send(Checked(progress)),
            )
            send(Drawn(rows))
        case TrainGroup(trials, step_seconds, context):

            def emit(run: Run, finish: Finish | None) -> None:
                hung = run.error is not None and run.error.startswith(HUNG) and finish is None
                send(Hung(run) if hung else Ended(run, finish))

            train(
                trials,
                step_seconds,
                engine(),
                replace(context, device=device.current()),
                emit,
                stopwatch,
                lambda progress: send(Checked(progress)),
                family,
            )


def work(task: Task, setting: Setting, send: Send) -> None:
    """Do a task as a worker of the setting's driver."""
    if isinstance(task, TrainGroup):
        task = _here(task)
    stopwatch = Stopwatch()
    with stopwatch.part("import"):
        engine = engine_of(setting)
    # The driver's other children do the same.
    perform(task, lambda: engine, stopwatch, send, family=os.getppid())
    if isinstance(task, TrainGroup):
        send(Spent(stopwatch.parts()))


def _here(task: TrainGroup) -> TrainGroup:
    """The task with this process's own site, which its rows are to tell.

    Raises:
        StudyError: this machine is of another kind than the task was planned for.
    """
    site = task.context.site
    mine = this_site(site.engine, site.precision)
    if mine.kind == site.kind:
        return replace(task, context=replace(task.context, site=mine))
    there, here = (
        f"{one.machine.name}, fingerprint {one.machine.fingerprint}, {one.software}"
        for one in (mine, site)
    )
    raise StudyError(
        f"a worker runs on another machine or {site.engine} ({there}) than its array was planned "
        f"for ({here}): start the worker again"
    )


def engine_of(setting: Setting) -> Engine:
    """This process's engine, kept for the driver's next task.

    Its device and its threads are settled before a framework is imported.
    """
    if setting.key not in _engines:
        # The facts of the whole machine, and the user's own settings, come first.
        cores = site_of(setting.factory).machine.cores
        device.pin()
        for name in ("TF_NUM_INTEROP_THREADS", *THREADS.values()):
            os.environ.setdefault(name, str(max(1, cores // setting.beside)))
        images = data_of(setting.factory, setting.dataset)
        if setting.digest not in (None, images.digest):
            raise StudyError(
                f"a worker's {setting.dataset} is other data (MD5 {images.digest}) than the "
                f"study's (MD5 {setting.digest})"
            )
        _engines.clear()  # another driver's
        _engines[setting.key] = setting.factory(images)
    return _engines[setting.key]


def has_engine() -> bool:
    """Whether this process has done a task before."""
    return bool(_engines)


def gather(index: int, task: Task, setting: Setting) -> list[bytes]:
    """Do a task in a process of any machine, and return its events as messages.

    What is of use only at once, such as a check, is left out.
    """
    messages: list[bytes] = []

    def send(event: Event) -> None:
        if not isinstance(event, Checked | Timing):
            messages.append(to_message(index, event))
        elif _unwanted():
            raise Terminated

    with _one_at_a_time:
        work(task, setting, send)
    return messages


def _unwanted() -> bool:
    """Whether the driver has gone, or has given up the task in which this is called.

    Dask lets a task in a thread run on, though nobody waits for it.
    """
    if "distributed" not in sys.modules:
        return False
    from distributed import get_worker

    worker = get_worker()
    return bool(worker.state.tasks[worker.get_current_task()].state == "cancelled")
