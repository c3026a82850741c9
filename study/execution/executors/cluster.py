"""Workers on other machines, through joblib to a dask scheduler or a Ray cluster that runs there.

A task trains one array, or one trial alone, and returns its runs. The driver stores them before it
awaits the next task's. If a worker dies, another worker does its task again from the start.

joblib's dask backend never returns if dask gives up a task. It also keeps a large argument on one
worker, and fails if that worker dies. Its Ray backend returns nothing until all tasks are done.
`Futures` is therefore a backend of our own: one future a task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.parallel import ParallelBackendBase

from study.engines.choice import site_of
from study.errors import StudyError, first_line
from study.execution.executors.base import Executor, Receive, Setting, Task, from_message
from study.execution.executors.dask import Dask
from study.execution.executors.ray import Ray
from study.execution.executors.service import Service
from study.execution.executors.tasks import gather
from study.execution.planning.resources import MEMORY_SHARE, Resources
from study.execution.request import Request
from study.machine.facts import Machine, Site
from study.machine.nvidia import free_memory
from study.spec.study import StudySpec

PATIENCE = 600.0
"""Maximum expected seconds of one array on a cluster.

Its results arrive only when the whole array has ended, and are lost if the worker dies.
"""

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


class Cluster:
    """The workers of a service, all on machines of one kind, which is `site`.

    Args:
        request: which service, and how many of its workers to wait for.
        digest: MD5 of the data.
        here: this process, which times steps where its machine is of the same kind.

    Raises:
        StudyError: no such service or workers.
    """

    distant = True

    def __init__(self, request: Request, digest: str, here: Executor) -> None:
        self.request, self.here = request, here
        self.service = SERVICES[request.backend](request.scheduler, request.workers)
        self.jobs = self.service.jobs
        self.setting = Setting(request.spec.dataset, request.engine, self.service.beside, digest)
        try:
            self.site, self.memory = self._introduced()
            if request.spec.mode == "alone":
                self._must_have_a_machine("trials alone")
        except BaseException:
            self.close()
            raise

    def _introduced(self) -> tuple[Site, float]:
        """What the workers run on, and the bytes that one of them may find free."""
        ((facts, versions, software, free),) = self._each([delayed(_introduce)(self.setting)])
        site = Site(Machine.from_json(facts), versions, *software)
        return site, free if site.machine.gpus else free / self.service.beside

    def limits(self, spec: StudySpec, pending: int) -> Resources:
        """See `Executor.limits`."""
        memory = self.request.memory or MEMORY_SHARE * self.memory * self.jobs
        return Resources(self.jobs, memory, PATIENCE, gpu=bool(self.site.machine.gpus))

    def settle(self, patience: float, say: Callable[[str], object]) -> None:
        """See `Executor.settle`: `TimeSteps` waits on the worker that does it."""

    def run(self, tasks: Sequence[Task], receive: Receive) -> None:
        """See `Executor.run`."""
        calls = [delayed(gather)(index, task, self.setting) for index, task in enumerate(tasks)]
        for messages in self._each(calls):
            for message in messages:
                receive(*from_message(message))

    def exclusive(self, task: Task, receive: Receive) -> None:
        """See `Executor.exclusive`: on this machine if it is of the same kind, else on a worker."""
        if self.site.kind == self.here.site.kind:
            self.here.exclusive(task, receive)
            return
        self._must_have_a_machine(
            "step times", ", or measure on such a machine and bring its calibration.json"
        )
        self.run([task], receive)

    def close(self) -> None:
        """See `Executor.close`."""
        self.service.close()

    def _must_have_a_machine(self, what: str, other: str = "") -> None:
        """Raise `StudyError` if several workers share a machine: timing needs it alone."""
        if self.service.beside > 1 and not self.site.machine.gpus:
            raise StudyError(
                f"{what} of {self.site.machine.name} are timed with the machine to themselves, "
                f"and it has {self.service.beside} workers: "
                f"start one a machine (--workers 1 where none were started){other}"
            )

    def _each(self, calls: Sequence[Any]) -> Iterator[Any]:
        """What the calls return, as they end; what goes wrong out there becomes one sentence."""
        with parallel_config(backend=Futures(self.service)):
            # All at once, since workers may come that were not there at the start.
            results = Parallel(batch_size=1, pre_dispatch="all", return_as="generator_unordered")(
                calls
            )
        while True:
            try:
                found = next(results)
            except StopIteration:
                return
            except Exception as error:
                cause = getattr(error, "cause", error)  # Ray wraps it
                if isinstance(cause, StudyError):
                    raise StudyError(*cause.args) from None
                why = first_line(cause).rpartition("cancelled for reason: ")[2][:300]
                raise StudyError(
                    f"{self.request.backend} at {self.service.address} failed "
                    f"({type(cause).__name__}: {why}), its scheduler or its workers gone: what "
                    "had ended is stored; run the same command to go on"
                ) from None
            yield found


def _introduce(setting: Setting) -> tuple[Any, ...]:
    """What a worker runs on: its machine, versions, engine and precision, and free bytes."""
    site = site_of(setting.factory)
    return site.machine.to_json(), site.versions, (site.engine, site.precision), free_memory()
