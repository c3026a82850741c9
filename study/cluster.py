"""Workers on other machines, through joblib to a dask scheduler or a Ray cluster that runs there.

A task trains one array, or one trial alone, and returns its runs; the driver stores them before it awaits the next task's. A task whose
worker dies is done again by another, whole: none of its runs had been returned.

joblib has backends of its own for both. Dask's waits for ever for a task that dask has given up (every worker that tried it died, say) and
keeps a large argument on one worker, with which it is lost; Ray's returns nothing before all is done, and hands out tasks in advance,
whichever process is free. So `Futures` is a backend of ours: one future a task.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, Protocol

from joblib import Parallel, delayed, parallel_config
from joblib.parallel import ParallelBackendBase

from study import calibration, curves
from study.calibration import Engine, Rounds
from study.data import first_line
from study.engine import site_of
from study.errors import StudyError
from study.machine import Machine, Site, free_memory, this_site
from study.quiet import wait_until_quiet
from study.race import Progress
from study.spec import Trial
from study.stopwatch import Stopwatch
from study.workers import Elsewhere, EngineFactory, Send, Setting, Task, gather, rounds_from, told_of

ARRIVAL = 60.0
"""Seconds to wait for a scheduler to answer, and then for its workers."""

SILENCE = 20.0
"""Seconds without an answer after which a Ray cluster is held to be gone."""

GRACE = 1.0
"""Seconds that dask's client has, when it closes, to tell those who wait."""

TRIES = 3
"""How many workers may die of a task before it is given up."""


class Service(Protocol):
    """What dask and Ray are here: so many workers that turn a function into a future."""

    address: str
    jobs: int
    beside: int

    def submit(self, function: Callable[[], Any]) -> Any:
        """A future of the function's value, with `add_done_callback` and `result`."""
        ...

    def close(self) -> None:
        """Give up what is not done, and let the workers go."""
        ...


class Dask:
    """The workers of a dask scheduler; without an address, of one that is started here and listens to this machine alone.

    Args:
        address: as `dask scheduler` prints it, tcp://HOST:PORT.
        workers: how many to start, or to wait for.

    Raises:
        StudyError: dask is not installed, nobody answers, too few workers come, or one has several threads.
    """

    def __init__(self, address: str | None, workers: int | None) -> None:
        try:
            from distributed import Client, LocalCluster, Security
        except ImportError:
            raise _missing("dask") from None
        if address is not None:
            _checked(address, ("tcp", "tls"))
            if address.startswith("tls") and Security().get_connection_args("client").get("ssl_context") is None:
                raise StudyError(f"scheduler {address} needs dask's TLS settings, and its configuration has none (distributed.comm.tls)")
        # That a connection broke is told in a sentence of ours; some of these loggers have levels of their own.
        for name in ("distributed", *(name for name in logging.root.manager.loggerDict if name.startswith("distributed."))):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.cluster: Any = None
        self.waiting: set[Future[Any]] = set()
        if address is None:
            machine = this_site().machine
            workers = workers or len(machine.gpus) or machine.cores
            local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
            self.cluster = LocalCluster(n_workers=workers, threads_per_worker=1, **local)
        self.address = self.cluster.scheduler_address if address is None else address
        try:
            self.client = Client(self.address, timeout=ARRIVAL, set_as_default=False)
        except (OSError, ValueError) as error:
            raise StudyError(f"no dask scheduler answers at {address} ({first_line(error)}): start one, or mend the address") from None
        try:
            _await(workers or 1, lambda: len(self.client.nthreads()), self.address)
            threads = self.client.nthreads()
            crowded = next((worker for worker, count in threads.items() if count > 1), None)
            if crowded:
                raise StudyError(
                    f"the dask worker at {crowded} has {threads[crowded]} threads: start workers with --nthreads 1, a training each"
                )
        except BaseException:
            self.close()
            raise
        self.jobs = len(threads)
        self.beside = max(Counter(worker.rpartition(":")[0] for worker in threads).values())
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        """Close the client, which ends every wait, when its workers are gone and no others come: the scheduler would wait for ever."""
        seen = time.monotonic()
        with suppress(Exception):  # it was closed meanwhile
            while self.client.status == "running":
                if self.client.nthreads():
                    seen = time.monotonic()
                elif time.monotonic() - seen > ARRIVAL:
                    self.client.close()
                time.sleep(1)
        time.sleep(GRACE)
        for future in list(self.waiting):  # a client that closes does not always tell those who wait
            with suppress(InvalidStateError):
                future.set_exception(ConnectionError("no worker is left"))

    def submit(self, function: Callable[[], Any]) -> Future[Any]:
        """See `Service.submit`."""
        future: Future[Any] = Future()
        self.waiting.add(future)
        asked = self.client.submit(function, pure=False)

        def settle(done: Any) -> None:
            self.waiting.discard(future)
            with suppress(InvalidStateError):
                try:
                    value = done.result()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(value)

        asked.add_done_callback(settle)
        future.add_done_callback(lambda _: asked.release())  # dask gives up a task that nobody holds any more
        return future

    def close(self) -> None:
        self.client.close()
        if self.cluster:
            self.cluster.close()


class Ray:
    """The processors of a Ray cluster, or its GPUs where it has any, through its client server.

    Args:
        address: ray://HOST:PORT. Any other way of joining a cluster has this process listen to the network.
        workers: how many to wait for.

    Raises:
        StudyError: Ray is not installed, the address is not such a one, nobody answers, or too few workers come.
    """

    def __init__(self, address: str | None, workers: int | None) -> None:
        if address is None:
            raise StudyError("the backend ray needs --scheduler ray://HOST:PORT: where a running cluster serves clients")
        _checked(address, ("ray",))
        try:
            import ray
        except ImportError:
            raise _missing("ray") from None
        self.address, self.ray, self.gone = address, ray, False
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL)
        except (OSError, ValueError, RuntimeError) as error:
            raise StudyError(f"no Ray cluster answers at {address} ({first_line(error)}): start one, or mend the address") from None
        try:
            self.jobs = _await(workers or 1, lambda: sum(self._slots()), address)
        except BaseException:
            self.close()
            raise
        self.beside = max(self._slots())
        self.task = ray.remote(_call).options(num_cpus=1, num_gpus=int(self._kind() == "GPU"), max_retries=TRIES)
        self.waiting: set[Any] = set()
        self.over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        """Fail what is waited for when the cluster's server has not answered for a while: Ray's client would try for minutes."""
        host, _, port = self.address.removeprefix("ray://").rpartition(":")
        seen = time.monotonic()
        while time.monotonic() - seen < SILENCE:
            with suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=SILENCE):
                seen = time.monotonic()
            if self.over.wait(2):
                return
        self.gone = True
        for future in list(self.waiting):
            with suppress(Exception):  # it has just come
                future.set_exception(ConnectionError(f"no answer in {SILENCE:g} s"))

    def _kind(self) -> str:
        return "GPU" if self.ray.cluster_resources().get("GPU") else "CPU"

    def _slots(self) -> list[int]:
        kind = self._kind()
        return [int(node["Resources"].get(kind, 0)) for node in self.ray.nodes() if node["Alive"]] or [0]

    def submit(self, function: Callable[[], Any]) -> Any:
        future = self.task.remote(function).future()
        self.waiting.add(future)
        future.add_done_callback(self.waiting.discard)
        return future

    def close(self) -> None:
        self.over.set()
        if not self.gone:  # else it would wait for the cluster
            self.ray.shutdown()


def _call(function: Callable[[], Any]) -> Any:
    return function()


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
    """The workers of a service, all on machines of one kind, which is `site`; `memory` is what one of them may find free, bytes.

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
        """Raise `StudyError` where a worker has but a part of its machine's cores, and so can time nothing alone."""
        if self.service.beside > 1 and not self.site.machine.gpus:
            raise StudyError(
                f"{what} of {self.site.machine.name} are timed with the machine to themselves, and it has {self.service.beside} workers: "
                f"start one a machine (--workers 1 where none were started){other}"
            )

    def measure(self, trials: Sequence[Trial], watch: Callable[[int, int], None]) -> list[Rounds]:
        """`calibration.step_times`, on one worker.

        Raises:
            StudyError: the worker has but a part of its machine's cores.
        """
        self.times("step times", ", or measure on such a machine and bring its calibration.json")
        return [rounds_from(*told) for told in self._answers([(_measure, (list(trials), self.patience))])]

    def curves(self, wanted: curves.Wanted, watch: Callable[[Progress], None]) -> list[dict[str, Any]]:
        """Train the validation curves and return their rows."""
        return [row for (row,) in self._answers([(_curves, (trials, wanted.step_seconds, wanted.span)) for trials in wanted.groups])]

    def close(self) -> None:
        """Let the workers go; what is not done is given up."""
        self.service.close()

    def _answers(self, tasks: Sequence[tuple[Task, tuple[Any, ...]]]) -> list[list[Any]]:
        """All messages of the tasks, task by task."""
        found: list[list[list[Any]]] = [[] for _ in tasks]
        self._work(tasks, lambda index, *message: found[index].append(list(message)))
        return [message for messages in found for message in messages]

    def _work(self, tasks: Sequence[tuple[Task, tuple[Any, ...]]], receive: Callable[..., None]) -> None:
        calls = [delayed(gather)(index, task, arguments, self.setting) for index, (task, arguments) in enumerate(tasks)]
        with parallel_config(backend=Futures(self.service)):
            # All at once, since workers may come that were not there at the start.
            results = Parallel(batch_size=1, pre_dispatch="all", return_as="generator_unordered")(calls)
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
                    f"{self.backend} at {self.service.address} failed ({type(told).__name__}: {why}), its scheduler or "
                    "its workers gone: what had ended is stored; run the same command to go on"
                ) from None
            yield messages


def _introduce(engine: Callable[[], Engine], send: Send, factory: EngineFactory) -> None:
    """Send what a worker runs on."""
    site = site_of(factory)
    send(site.machine.to_json(), site.versions, (site.engine, site.precision), free_memory())


def _measure(engine: Callable[[], Engine], send: Send, trials: list[Trial], patience: float) -> None:
    """Time steps alone, once the machine is quiet or that many seconds have passed, and send their rounds."""
    wait_until_quiet(patience)
    for rounds in calibration.step_times(trials, engine()):
        send(*told_of(rounds))


def _curves(engine: Callable[[], Engine], send: Send, trials: list[Trial], step_seconds: list[float], span: float) -> None:
    """Train a seed's curves and send their rows."""
    for row in curves.train(trials, step_seconds, span, engine(), Stopwatch()):
        send(row)


def _await(wanted: int, there: Callable[[], int], address: str) -> int:
    """How many workers there are, once there are as many as wanted."""
    begun = time.monotonic()
    while (count := there()) < wanted:
        if time.monotonic() - begun > ARRIVAL:
            raise StudyError(f"{count} of {wanted} workers have come to {address} in {ARRIVAL:g} s: start more, or lower --workers")
        time.sleep(0.1)
    return count


def _checked(address: str, schemes: Sequence[str]) -> None:
    """Raise `StudyError` unless the address is SCHEME://HOST:PORT: dask and Ray wait long, or for ever, for what cannot be one."""
    found = re.fullmatch(r"(\w+)://([^/:\s]+|\[[^/\s]+\]):(\d{1,5})", address)
    if not found or found[1] not in schemes or not 0 < int(found[3]) < 2**16:
        raise StudyError(f"scheduler {address!r} must be {' or '.join(f'{scheme}://HOST:PORT' for scheme in schemes)}")


def _missing(backend: str) -> StudyError:
    return StudyError(f"the backend {backend} is not installed: .venv/bin/pip install -r requirements-{backend}.txt")
