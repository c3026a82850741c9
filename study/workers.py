"""Groups of trials on several processes through joblib. The process that calls is the only one that writes."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

from study import data
from study.calibration import Engine
from study.errors import StudyError
from study.machine import this_machine
from study.spec import Trial
from study.stopwatch import Stopwatch
from study.training import Context, Emit, train

EngineFactory = Callable[[data.Images], Engine]
Job = tuple[list[Trial], list[float] | None]


def work(jobs: Sequence[Job], dataset: str, factory: EngineFactory, context: Context, emit: Emit, workers: int) -> None:
    """Train the groups on `workers` processes; this process alone writes, each run as it comes."""
    from multiprocessing import Manager

    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky import get_reusable_executor

    with Manager() as manager:
        ended = manager.Queue()

        def everything() -> None:
            try:
                with parallel_config(backend="loky", n_jobs=workers):
                    calls = (delayed(_worker)(*job, dataset, factory, context, ended, workers) for job in jobs)
                    for _ in Parallel(batch_size=1, return_as="generator_unordered")(calls):
                        pass
                ended.put(None)
            except BaseException as error:
                ended.put(error)

        thread = threading.Thread(target=everything, daemon=True)
        thread.start()
        clean = False
        try:
            while (message := _next(ended, thread)) is not None:
                if isinstance(message, (StudyError, OSError)):
                    raise message
                if isinstance(message, BaseException):
                    raise StudyError(
                        f"a worker process died ({type(message).__name__}): what had ended is stored; run the same command to go on"
                    )
                emit(*message)
            clean = True
        finally:
            get_reusable_executor().shutdown(wait=clean, kill_workers=not clean)


def _next(ended: Any, thread: threading.Thread) -> Any:
    """The next message; waits in short spells, so that a signal is answered, and ends if the sender is gone."""
    while True:
        try:
            return ended.get(timeout=0.5)
        except queue.Empty:
            if not thread.is_alive() and ended.empty():
                return None


_engines: dict[str, Engine] = {}


def _worker(
    trials: list[Trial],
    step_seconds: list[float] | None,
    dataset: str,
    factory: EngineFactory,
    context: Context,
    ended: Any,
    workers: int,
) -> None:
    """Train a group in a worker process; the engine is kept for the next one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, str(max(1, this_machine().cores // workers)))
    if dataset not in _engines:
        _engines[dataset] = factory(data.load(dataset))
    train(trials, step_seconds, _engines[dataset], context, lambda *message: ended.put(message), Stopwatch())
