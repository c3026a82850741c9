"""Workers on other machines: those of a dask scheduler or of a Ray cluster that runs there.

A task trains one array, or one trial alone, and returns its runs. The driver stores them before it
awaits the next task's. If a worker dies, another worker of its kind does its task again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from study.errors import StudyError, first_line
from study.execution.executors.base import (
    Executor,
    Receive,
    Setting,
    Task,
    WorkersGone,
    from_message,
)
from study.execution.executors.dask import Dask
from study.execution.executors.dispatch import Dispatcher, Worker
from study.execution.executors.ray import Ray
from study.execution.executors.service import Service
from study.execution.planning.portions import told
from study.execution.planning.resources import MEMORY_SHARE, Crew, Resources, own_of
from study.execution.request import Request
from study.machine.facts import Kind, Site
from study.spec.program import is_program
from study.spec.study import StudySpec
from study.training.stopwatch import Stopwatch

PATIENCE = 600.0
"""Maximum expected seconds of one array on a cluster.

Its results arrive only when the whole array has ended, and are lost if the worker dies.
"""

SERVICES: dict[str, Callable[[str | None, int | None], Service]] = {"dask": Dask, "ray": Ray}


class Cluster:
    """The workers of a service, on machines of any kinds.

    Args:
        request: which service, and how many of its workers to wait for.
        digest: MD5 of the data.
        here: this process, which times steps where its machine is of the kind that is asked for.
        note: told of workers that come later and are left out.
        stopwatch: counts the time in which the workers are waited for.

    Raises:
        StudyError: no such service or workers, or workers that do not train one study.
    """

    distant = True

    def __init__(
        self,
        request: Request,
        digest: str,
        here: Executor,
        note: Callable[[str], object] = lambda said: None,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self.request, self.here = request, here
        self.stopwatch = stopwatch or Stopwatch()
        try:
            self.service = SERVICES[request.backend](request.scheduler, request.workers)
        except OSError as error:
            raise _told(request.backend, str(request.scheduler), error) from None
        setting = Setting(request.spec.dataset, request.engine, 1, digest)
        self.dispatcher = Dispatcher(self.service, setting, note)
        try:
            self._met(request.workers or 1)
            if request.spec.mode == "alone":
                self._must_be_of_one_kind()
                if not is_program(request.spec.network):  # they are marked as read beside others
                    self._must_have_a_machine(self.sites[0].kind, "trials alone")
        except BaseException:
            self.close()
            raise

    def _met(self, wanted: int) -> None:
        try:
            self.dispatcher.meet(wanted)
        except Exception as error:
            raise self._told(error) from None
        self.sites: Sequence[Site] = tuple(kind[0].site for kind in self._kinds().values())

    def _kinds(self) -> dict[Kind, list[Worker]]:
        """The workers by their kind, this process's kind first."""
        found: dict[Kind, list[Worker]] = {site.kind: [] for site in self.here.sites}
        for worker in self.dispatcher.workers():
            found.setdefault(worker.site.kind, []).append(worker)
        return {kind: workers for kind, workers in found.items() if workers}

    @property
    def jobs(self) -> int:
        """Tasks that are done at the same time."""
        return sum(worker.place.slots for worker in self.dispatcher.workers())

    def crews(self, spec: StudySpec, pending: int) -> Sequence[Crew]:
        """See `Executor.crews`: of the workers who are there now."""
        kinds = self._kinds()
        if not kinds:
            raise self._told(ConnectionError("no worker is left"))
        self.dispatcher.kinds = set(kinds)
        return [self._crew(workers) for workers in kinds.values()]

    def _crew(self, workers: Sequence[Worker]) -> Crew:
        """Workers of one kind, with their part of the memory."""
        site, jobs = workers[0].site, sum(worker.place.slots for worker in workers)
        gpu = bool(site.machine.gpus)
        free = min(
            worker.free if gpu else worker.free / self.dispatcher.beside(worker)
            for worker in workers
        )
        given = self.request.memory
        memory = given * jobs / self.jobs if given else MEMORY_SHARE * free * jobs
        return Crew(site, Resources(jobs, memory, PATIENCE, gpu=gpu, **own_of(self.request.spec)))

    def still(self) -> AbstractContextManager[bool]:
        """See `Executor.still`; nothing comes from workers before an array ends."""
        return nullcontext(False)

    def settle(self, patience: float, say: Callable[[str], object]) -> None:
        """See `Executor.settle`: `TimeSteps` waits on the worker that does it."""

    def run(self, tasks: Sequence[Task], receive: Receive) -> None:
        """See `Executor.run`."""
        with self.stopwatch.part("workers"):
            for messages in self._each(tasks):
                for message in messages:
                    receive(*from_message(message))

    def _each(self, tasks: Sequence[Task]) -> Iterator[Sequence[bytes]]:
        """What each task sends, as the tasks end; what goes wrong is told in a sentence."""
        each = self.dispatcher.each(tasks)
        while True:
            try:
                messages = next(each)
            except StopIteration:
                return
            except Exception as error:
                raise self._told(error) from None
            yield messages

    def exclusive(self, task: Task, receive: Receive) -> None:
        """See `Executor.exclusive`: on this machine if it is of the kind, else on a worker."""
        kind = task.kind or self.sites[0].kind
        if any(site.kind == kind for site in self.here.sites):
            self.here.exclusive(task, receive)
            return
        self._must_have_a_machine(
            kind, "step times", ", or measure on such a machine and bring its calibration.json"
        )
        self.run([task], receive)

    def close(self) -> None:
        """See `Executor.close`."""
        self.service.close()

    def _must_be_of_one_kind(self) -> None:
        """Raise `StudyError` if a clock would be read on machines that differ."""
        if len(self.sites) > 1:
            raise StudyError(
                "mode alone reads seconds off the clock, so its workers must be of one kind, and "
                f"{self.service.address} has {told(self.crews(self.request.spec, 0))}: end the "
                "others, or give mode array"
            )

    def _must_have_a_machine(self, kind: Kind, what: str, other: str = "") -> None:
        """Raise `StudyError` if workers of a kind share a machine: timing needs it alone."""
        workers = self._kinds().get(kind, [])
        beside = max((self.dispatcher.beside(worker) for worker in workers), default=1)
        if beside > 1 and not workers[0].site.machine.gpus:
            raise StudyError(
                f"{what} of {workers[0].site.machine.name} are timed with the machine to "
                f"themselves, and it has {beside} workers: "
                f"start one a machine (--workers 1 where none were started){other}"
            )

    def _told(self, error: Exception) -> StudyError:
        """What went wrong out there, as one sentence."""
        return _told(self.request.backend, self.service.address, error)


def _told(backend: str, address: str, error: Exception) -> StudyError:
    """What went wrong at a cluster, as one sentence."""
    cause = getattr(error, "cause", error)  # Ray wraps it
    if isinstance(cause, WorkersGone):
        return cause
    if isinstance(cause, StudyError):
        return StudyError(*cause.args)
    why = first_line(cause).rpartition("cancelled for reason: ")[2][:300]
    return StudyError(
        f"{backend} at {address} failed ({type(cause).__name__}: {why}), its scheduler or its "
        "workers gone: what had ended is stored; start them again if need be, and the same command "
        "goes on"
    )
