"""Opens the executor that a request asks for."""

from __future__ import annotations

from collections.abc import Callable

from study.execution.executors.base import Executor
from study.execution.executors.local import Local
from study.execution.executors.source import Source
from study.execution.request import Request
from study.training.stopwatch import Stopwatch


def open_executor(
    request: Request,
    source: Source,
    stopwatch: Stopwatch,
    warn: Callable[[list[str]], None] = lambda sentences: None,
) -> Executor:
    """The executor of this machine, or the cluster that the request names.

    Args:
        request: who may train.
        source: this process's images and engine.
        stopwatch: counts where this process's time goes.
        warn: told which cluster is connected to, and which workers are left out.

    Raises:
        StudyError: no such cluster or workers.
    """
    here = Local(request, source, stopwatch)
    if request.backend == "loky":
        return here
    from study.execution.executors.cluster import Cluster

    address = f" at {request.scheduler}" if request.scheduler is not None else ""
    warn([f"connecting to {request.backend}{address}"])
    digest = source.images().digest
    with stopwatch.part("connect"):
        return Cluster(request, digest, here, lambda said: warn([said]), stopwatch)
