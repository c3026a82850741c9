"""Hands tasks to the workers of a service, each to a worker of the kind that it was planned for.

A worker gets its next task when it has done the last. So workers that come later take part, and a
worker that dies costs one task, which another of its kind does again from the start.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from study.errors import StudyError, first_line
from study.execution.executors import handshake
from study.execution.executors import service as services
from study.execution.executors.base import Setting, Task, TrainGroup, WorkersGone
from study.execution.executors.service import TRIES, Place, Service, WorkerDied
from study.execution.executors.tasks import gather
from study.machine.facts import Kind, Machine, Site
from study.stopping import heed
from study.words import counted

TICK = 0.5
"""Seconds between two looks at who is there."""


@dataclass(frozen=True)
class Worker:
    """A place that has told what it is.

    Args:
        place: where tasks for it go.
        site: its machine and software.
        free: bytes of memory that were free there.
    """

    place: Place
    site: Site
    free: float


class Dispatcher:
    """Who is there, on what, and who does what.

    Args:
        service: the workers.
        setting: what each needs to know.
        note: told once of each worker that is left out.
    """

    def __init__(
        self, service: Service, setting: Setting, note: Callable[[str], object] = lambda said: None
    ) -> None:
        self.service, self.setting, self.note = service, setting, note
        self.places: dict[str, Place] = {}
        self.met: dict[str, Worker] = {}
        self.kinds: set[Kind] = set()  # those that tasks are planned for
        self._asked: dict[Future[Any], tuple[str, str]] = {}  # the worker, and what it was asked
        self._left_out: set[str] = set()
        self._ended: SimpleQueue[Future[Any]] = SimpleQueue()
        self._looked, self._seen = -TICK, dict[Kind | None, float]()

    def meet(self, wanted: int) -> None:
        """Wait until all who are there have told what they are, or so many have and the others have
        had a while.

        Raises:
            StudyError: one runs on another engine or in another precision than the first.
        """
        begun = self._seen[None] = time.monotonic()
        while self._asked or not self.met:
            late = time.monotonic() - begun > services.ARRIVAL
            if late and sum(worker.place.slots for worker in self.met.values()) >= wanted:
                break
            self._look()
            self._refuse_nobody(None)
            self._hear()
        first, *others = self.workers()
        for other in others:
            if not _fits(other.site, first.site):
                raise StudyError(
                    f"{_described(first)} and {_described(other)} do not train one study: "
                    "give --precision float32, or start workers that agree"
                )

    def workers(self) -> list[Worker]:
        """Those who have told what they are, the oldest first."""
        return [self.met[name] for name in self.places if name in self.met]

    def beside(self, worker: Worker) -> int:
        """Workers on the worker's machine, itself among them."""
        machine = worker.place.machine
        return sum(place.slots for place in self.places.values() if place.machine == machine)

    def each(self, tasks: Sequence[Task]) -> Iterator[list[bytes]]:
        """What the tasks tell, each as it ends.

        Raises:
            StudyError: a task failed.
            WorkersGone: the workers of a kind are gone; all that others could do is done.
            ConnectionError: all workers are gone, or a task ended too many.
        """
        queues: dict[Kind | None, deque[int]] = {}
        for index, task in enumerate(tasks):
            queues.setdefault(task.kind, deque()).append(index)
        running: dict[Future[Any], tuple[int, str]] = {}
        died: Counter[int] = Counter()
        now = time.monotonic()
        self._seen = dict.fromkeys((None, *queues), now)
        try:
            while running or any(queues.values()):
                self._look()
                self._hand_out(tasks, queues, running)
                if not running:
                    for kind in [kind for kind, queue in queues.items() if queue]:
                        self._refuse_nobody(kind)
                ended = self._hear()
                if ended is None or ended not in running:
                    continue
                index, name = running.pop(ended)
                try:
                    messages = ended.result()
                except WorkerDied as error:
                    died[index] += 1
                    if died[index] > TRIES:
                        raise _deadly(tasks[index], died[index], error) from None
                    self._forget(name)
                    queues[tasks[index].kind].appendleft(index)
                    continue
                yield messages
        finally:
            for future in running:
                future.cancel()

    def _hand_out(
        self,
        tasks: Sequence[Task],
        queues: dict[Kind | None, deque[int]],
        running: dict[Future[Any], tuple[int, str]],
    ) -> None:
        """Give every worker that has nothing to do the next task of its kind."""
        busy = Counter(name for _, name in running.values())
        for worker in self.workers():
            name = worker.place.name
            while busy[name] < worker.place.slots:
                queue = queues.get(worker.site.kind) or queues.get(None)
                if not queue:
                    break
                index = queue.popleft()
                setting = replace(self.setting, beside=self.beside(worker))
                future = self._submit(partial(gather, index, tasks[index], setting), name)
                running[future] = (index, name)
                busy[name] += 1

    def _submit(self, function: Callable[[], Any], name: str) -> Future[Any]:
        future = self.service.submit(function, name)
        future.add_done_callback(self._ended.put)
        return future

    def _hear(self) -> Future[Any] | None:
        """The next future that is done, of a task; None if none is for a moment."""
        heed()
        try:
            future = self._ended.get(timeout=TICK)
        except Empty:
            return None
        if future not in self._asked:
            return future
        name, question = self._asked.pop(future)
        try:
            told = future.result()
            self._go_on(name, question, told)
        except WorkerDied:
            self._forget(name)
        except Exception as error:
            if not self.kinds or isinstance(error, ConnectionError | CancelledError):
                raise
            self._leave_out(name, first_line(error))
        return None

    def _go_on(self, name: str, question: str, told: Any) -> None:
        """A worker has answered: ask the next question, or welcome it."""
        if question == "python" and handshake.same_python(told):
            self._ask(name, "package", handshake.package())
        elif question in ("python", "package"):
            if question == "package":
                handshake.check(told, name)
            self._ask(name, "site", partial(handshake.introduce, self.setting))
        elif name in self.places:
            facts, versions, software, free = told
            site = Site(Machine.from_json(facts), versions, *software)
            self._welcome(Worker(self.places[name], site, free))

    def _ask(self, name: str, question: str, function: Callable[[], Any]) -> None:
        self._asked[self._submit(function, name)] = name, question

    def _welcome(self, worker: Worker) -> None:
        """A worker that comes while tasks are done takes part where its kind is planned for."""
        known = next(iter(self.workers()), None)
        if self.kinds and known and not _fits(worker.site, known.site):
            self._leave_out(worker.place.name, f"it would train {_software(worker.site)}")
            return
        self.met[worker.place.name] = worker
        if self.kinds and worker.site.kind not in self.kinds:
            self.note(
                f"{_described(worker)} came later and is of a kind that nothing was planned for: "
                "run the same command again to have it take part"
            )

    def _leave_out(self, name: str, why: str) -> None:
        self._left_out.add(name)
        self.note(f"the worker {name} came later and is left out: {why}")

    def _look(self) -> None:
        """See who is there; ask those who are new what they are."""
        now = time.monotonic()
        if now - self._looked < TICK:
            return
        self._looked = now
        self.places = {place.name: place for place in self.service.places()}
        for name in self.met.keys() - self.places.keys():
            del self.met[name]
        asked = {name for name, _ in self._asked.values()} | self._left_out | self.met.keys()
        for name in self.places:
            if name not in asked:
                if self.service.foreign:
                    self._ask(name, "python", handshake.python())
                else:
                    self._ask(name, "site", partial(handshake.introduce, self.setting))
        for kind in self._seen:
            if self._of(kind):
                self._seen[kind] = now

    def _of(self, kind: Kind | None) -> bool:
        """Whether anybody of the kind is there; with None, anybody at all."""
        if kind is None:
            return bool(self.places.keys() - self._left_out)
        return any(worker.site.kind == kind for worker in self.met.values())

    def _forget(self, name: str) -> None:
        """A place is gone, whatever the service says of it for a moment."""
        self.met.pop(name, None)
        self.places.pop(name, None)

    def _refuse_nobody(self, kind: Kind | None) -> None:
        """Raise an error if nobody of the kind has been there for a while."""
        if time.monotonic() - self._seen[kind] <= services.ARRIVAL:
            return
        if not self.met:
            raise ConnectionError("no worker is left")
        machine, software = kind or ("", "")
        raise WorkersGone(
            f"no worker of the kind {machine}, {software} is left at {self.service.address}"
        )


def _deadly(task: Task, times: int, last: WorkerDied) -> StudyError:
    """The error of a task of which so many workers died."""
    what = (
        f"{counted(len(task.trials), 'lane')} at width {task.trials[0].width:g}"
        if isinstance(task, TrainGroup)
        else f"{type(task).__name__}"
    )
    return StudyError(
        f"{times} workers died of the same array of {what} ({last}): give each worker more memory, "
        "or plan smaller arrays by a lower --memory; what had ended is stored"
    )


def _fits(one: Site, other: Site) -> bool:
    return (one.engine, one.precision) == (other.engine, other.precision)


def _software(site: Site) -> str:
    return f"with {site.engine} in {site.precision}"


def _described(worker: Worker) -> str:
    return f"the worker {worker.place.name} on {worker.site.machine.name} {_software(worker.site)}"
