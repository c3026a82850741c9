"""Workers on other machines, through joblib to a dask scheduler or a Ray cluster that runs there.

A task trains one array, or one trial alone, and returns its runs; the driver stores them before it
awaits the next task's. A task whose worker dies is done again by another, whole: none of its runs
had been returned.

joblib has backends of its own for both. Dask's waits for ever for a task that dask has given up
(every worker that tried it died, say) and keeps a large argument on one worker, with which it is
lost; Ray's returns nothing before all is done, and hands out tasks in advance, whichever process is
free. So `Futures` is a backend of ours: one future a task.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.parallel import ParallelBackendBase

from study.engines.choice import site_of
from study.engines.learner import Engine
from study.errors import StudyError, first_line
from study.execution.executors.base import EngineFactory, Send, Setting, Task
from study.execution.executors.dask import Dask
from study.execution.executors.elsewhere import Elsewhere
from study.execution.executors.ray import Ray
from study.execution.executors.service import Service
from study.execution.executors.tasks import gather, rounds_from, told_of
from study.machine.facts import Machine, Site
from study.machine.nvidia import free_memory
from study.machine.quiet import wait_until_quiet
from study.spec.trial import Trial
from study.storage.rounds import Rounds
from study.tables import best_rates
from study.training import curves, timing
from study.training.loop import Progress
from study.training.stopwatch import Stopwatch

SERVICES: dict[str, Callable[[str | None, int | None], Service]] = {"dask": Dask, "ray": Ray}


class Futures(ParallelBackendBase):
    """joblib's view of a service: one future a task."""

    supports_retrieve_callback = True

    def __init__(self, service: Service) -> None:
        super().__init__(nesting_level=0)
        self.service = service

    def effective_n_jobs(self, n_jobs: int) -> int:
        """At least two, since joblib does the work of one by itself, here."""
        return max(2, self.service.jobs)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
        """joblib tells who asks."""
        self.parallel = parallel
        return self.effective_n_jobs(n_jobs)

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None]) -> Any:
        """A task's future."""
        future = self.service.submit(func)
        future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, future: Any) -> Any:
        """What a future that is done holds; its error is raised."""
        return future.result()


class Cluster(Elsewhere):
    """The workers of a service, all on machines of one kind, which is `site`; `memory` is what one
    of them may find free, bytes.

    Args:
        backend: `dask` or `ray`.
        scheduler: its address.
        workers: how many to wait for.
        dataset: name of the data set that each loads.
        factory: makes each one's engine.
        digest: MD5 of the data.
        patience: seconds to wait for a quiet machine before step times are measured.

    Raises:
        StudyError: an unknown backend, or no such service or workers.
    """

    def __init__(
        self,
        backend: str,
        scheduler: str | None,
        workers: int | None,
        dataset: str,
        factory: EngineFactory,
        digest: str,
        patience: float = 0.0,
    ) -> None:
        self.backend, self.patience = backend, patience
        self.service = SERVICES[backend](scheduler, workers)
        self.jobs = self.service.jobs
        self.setting = Setting(dataset, factory, self.service.beside, digest)
        try:
            ((facts, versions, software, free),) = self._answers([(_introduce, (factory,))])
        except BaseException:
            self.close()
            raise
        self.site = Site(Machine.from_json(facts), versions, *software)
        self.memory = free if self.site.machine.gpus else free / self.service.beside

    def times(self, what: str, other: str = "") -> None:
        """Raise `StudyError` where a worker has but a part of its machine's cores, and so can time
        nothing alone.
        """
        if self.service.beside > 1 and not self.site.machine.gpus:
            raise StudyError(
                f"{what} of {self.site.machine.name} are timed with the machine to themselves, "
                f"and it has {self.service.beside} workers: "
                f"start one a machine (--workers 1 where none were started){other}"
            )

    def measure(self, trials: Sequence[Trial], watch: Callable[[int, int], None]) -> list[Rounds]:
        """`calibration.step_times`, on one worker.

        Raises:
            StudyError: the worker has but a part of its machine's cores.
        """
        self.times("step times", ", or measure on such a machine and bring its calibration.json")
        return [
            rounds_from(*told)
            for told in self._answers([(_measure, (list(trials), self.patience))])
        ]

    def curves(
        self, wanted: best_rates.Wanted, watch: Callable[[Progress], None]
    ) -> list[dict[str, Any]]:
        """Train the validation curves and return their rows."""
        return [
            row
            for (row,) in self._answers(
                [(_curves, (trials, wanted.step_seconds, wanted.span)) for trials in wanted.groups]
            )
        ]

    def close(self) -> None:
        """Let the workers go; what is not done is given up."""
        self.service.close()

    def _answers(self, tasks: Sequence[tuple[Task, tuple[Any, ...]]]) -> list[list[Any]]:
        """All messages of the tasks, task by task."""
        found: list[list[list[Any]]] = [[] for _ in tasks]
        self._work(tasks, lambda index, *message: found[index].append(list(message)))
        return [message for messages in found for message in messages]

    def _work(
        self, tasks: Sequence[tuple[Task, tuple[Any, ...]]], receive: Callable[..., None]
    ) -> None:
        calls = [
            delayed(gather)(index, task, arguments, self.setting)
            for index, (task, arguments) in enumerate(tasks)
        ]
        with parallel_config(backend=Futures(self.service)):
            # All at once, since workers may come that were not there at the start.
            results = Parallel(batch_size=1, pre_dispatch="all", return_as="generator_unordered")(
                calls
            )
        for messages in self._each(results):
            for message in messages:
                receive(*json.loads(message))

    def _each(self, results: Iterator[list[str]]) -> Iterator[list[str]]:
        """The results, with what can go wrong out there in a sentence."""
        while True:
            try:
                messages = next(results)
            except StopIteration:
                return
            except Exception as error:
                told = getattr(error, "cause", error)  # Ray wraps it
                if isinstance(told, StudyError):
                    raise StudyError(*told.args) from None
                why = first_line(told).rpartition("cancelled for reason: ")[2][:300]
                raise StudyError(
                    f"{self.backend} at {self.service.address} failed ({type(told).__name__}: "
                    f"{why}), its scheduler or "
                    "its workers gone: what had ended is stored; run the same command to go on"
                ) from None
            yield messages


def _introduce(engine: Callable[[], Engine], send: Send, factory: EngineFactory) -> None:
    """Send what a worker runs on."""
    site = site_of(factory)
    send(site.machine.to_json(), site.versions, (site.engine, site.precision), free_memory())


def _measure(
    engine: Callable[[], Engine], send: Send, trials: list[Trial], patience: float
) -> None:
    """Time steps alone, once the machine is quiet or that many seconds have passed, and send their
    rounds.
    """
    wait_until_quiet(patience)
    for rounds in timing.step_times(trials, engine()):
        send(*told_of(rounds))


def _curves(
    engine: Callable[[], Engine],
    send: Send,
    trials: list[Trial],
    step_seconds: list[float],
    span: float,
) -> None:
    """Train a seed's curves and send their rows."""
    for row in curves.train(trials, step_seconds, span, engine(), Stopwatch()):
        send(row)
