"""What a worker does in its own process: train a group, time arrays."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from study import data
from study.engines.choice import site_of
from study.engines.learner import Engine
from study.errors import StudyError, Terminated
from study.execution.executors.base import Send, Setting, Task
from study.machine import device
from study.machine.here import this_site
from study.machine.quiet import Load
from study.machine.versions import THREADS
from study.spec.trial import Trial
from study.storage.records import Finish, Run
from study.storage.rounds import Rounds
from study.training import timing
from study.training.group import Context, train
from study.training.loop import Progress
from study.training.stopwatch import Stopwatch

_engines: dict[str, Engine] = {}


_one_at_a_time = threading.Lock()
"""A worker with several threads would otherwise train twice in one TensorFlow."""


def _engine(setting: Setting) -> Engine:
    """This process's engine, kept for the driver's next task; its device and threads are settled
    before TensorFlow is imported.
    """
    if setting.key not in _engines:
        # The whole machine's facts, all its GPUs', and the user's own settings, before one is
        # pinned and threads are given out.
        cores = site_of(setting.factory).machine.cores
        device.pin()
        for name in ("TF_NUM_INTEROP_THREADS", *THREADS.values()):
            os.environ.setdefault(name, str(max(1, cores // setting.beside)))
        images = data.load(setting.dataset)
        if setting.digest not in (None, images.digest):
            raise StudyError(
                f"a worker's {setting.dataset} is other data (MD5 {images.digest}) than the "
                f"study's (MD5 {setting.digest})"
            )
        _engines.clear()  # another driver's
        _engines[setting.key] = setting.factory(images)
    return _engines[setting.key]


def gather(index: int, task: Task, arguments: tuple[Any, ...], setting: Setting) -> list[str]:
    """Do a task in a process of any machine, and return its messages; checks, which are of use only
    at once, are left out.
    """
    messages: list[str] = []

    def send(*message: Any) -> None:
        if message[0] != "check":
            messages.append(json.dumps([index, *message]))
        elif _unwanted():
            raise Terminated

    with _one_at_a_time:
        task(partial(_engine, setting), send, *arguments)
    return messages


def _unwanted() -> bool:
    """Has the driver gone, or given the task up in which this is called? Dask lets what runs in a
    thread run on, for nobody.
    """
    if "distributed" not in sys.modules:
        return False
    from distributed import get_worker

    worker = get_worker()
    return bool(worker.state.tasks[worker.get_current_task()].state == "cancelled")


def _train(
    engine: Callable[[], Engine],
    send: Send,
    trials: list[Trial],
    step_seconds: list[float] | None,
    context: Context,
) -> None:
    """Train a group and send each run, each check, and where the time went."""
    site = context.site
    mine = this_site(site.engine, site.precision)
    if mine.kind != site.kind:
        there, here = (
            f"{one.machine.name}, fingerprint {one.machine.fingerprint}, {one.software}"
            for one in (mine, site)
        )
        raise StudyError(
            f"a worker runs on another machine or {site.engine} ({there}) than the study "
            f"({here}), and seconds would not compare: give "
            "each kind of machine a study of its own"
        )
    stopwatch = Stopwatch()

    def emit(run: Run, finish: Finish | None) -> None:
        send("run", run.to_json(), None if finish is None else asdict(finish))

    def watch(progress: Progress) -> None:
        send("check", progress.step, progress.alive, progress.array, progress.seconds)

    with stopwatch.part("import"):
        made = engine()
    train(
        trials,
        step_seconds,
        made,
        replace(context, device=device.current()),
        emit,
        stopwatch,
        watch,
    )
    send("parts", stopwatch.parts())


def _probe(engine: Callable[[], Engine], send: Send, trial: Trial, sizes: list[int]) -> None:
    """Time a lane's step in arrays of these sizes and send what was found; the parent's other
    children do the same.
    """
    for size, rounds in timing.probe(trial, sizes, engine(), family=os.getppid()).items():
        send(size, *told_of(rounds))


def told_of(rounds: Rounds) -> tuple[list[float], int, list[float], dict[str, Any] | None]:
    """Rounds as a message's values."""
    return (
        rounds.seconds,
        rounds.steps,
        rounds.processor,
        None if rounds.load is None else asdict(rounds.load),
    )


def rounds_from(
    seconds: list[float], steps: int, processor: list[float], load: dict[str, Any] | None
) -> Rounds:
    """The rounds that `told_of` told."""
    return Rounds(seconds, steps, processor, None if load is None else Load(**load))
