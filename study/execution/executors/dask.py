"""The workers of a dask scheduler."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from study.errors import StudyError, first_line
from study.execution.executors.service import (
    ARRIVAL,
    GRACE,
    Place,
    WorkerDied,
    _await,
    _checked,
    _missing,
)
from study.machine.here import this_site


class Dask:
    """The workers of a dask scheduler; without an address, of one that is started here and listens
    to this machine alone.

    Args:
        address: as `dask scheduler` prints it, tcp://HOST:PORT.
        workers: how many to start, or to wait for.

    Raises:
        StudyError: dask is not installed, nobody answers, too few workers come, or one has several
            threads.
    """

    def __init__(self, address: str | None, workers: int | None) -> None:
        try:
            from distributed import Client, LocalCluster, Security
        except ImportError:
            raise _missing("dask") from None
        if address is not None:
            _checked(address, ("tcp", "tls"))
            if (
                address.startswith("tls")
                and Security().get_connection_args("client").get("ssl_context") is None
            ):
                raise StudyError(
                    f"scheduler {address} needs dask's TLS settings, and its configuration has "
                    "none (distributed.comm.tls)"
                )
        # That a connection broke is told in a sentence of ours; some of these loggers have levels
        # of their own.
        for name in (
            "distributed",
            *(name for name in logging.root.manager.loggerDict if name.startswith("distributed.")),
        ):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.foreign = address is not None
        self.cluster: Any = None
        self.waiting: dict[Future[Any], str] = {}  # and the worker that each waits for
        if address is None:
            machine = this_site().machine
            workers = workers or len(machine.gpus) or machine.cores
            local = {
                "host": "127.0.0.1",
                "dashboard_address": "127.0.0.1:0",
                "silence_logs": logging.CRITICAL,
            }
            self.cluster = LocalCluster(n_workers=workers, threads_per_worker=1, **local)
        self.address = self.cluster.scheduler_address if address is None else address
        if address is not None:
            _knock(address)
        try:
            self.client = Client(self.address, timeout=ARRIVAL, set_as_default=False)
        except (OSError, ValueError) as error:
            raise StudyError(
                f"no dask scheduler answers at {address} ({first_line(error)}): start one, or "
                "mend the address"
            ) from None
        try:
            _await(workers or 1, lambda: len(self._there()), self.address)
            threads = self._there()
            crowded = next((worker for worker, count in threads.items() if count > 1), None)
            if crowded:
                raise StudyError(
                    f"the dask worker at {crowded} has {threads[crowded]} threads: start "
                    "workers with --nthreads 1, a training each"
                )
        except BaseException:
            self.close()
            raise
        self.threads = threads
        threading.Thread(target=self._watch, daemon=True).start()

    def _there(self) -> Mapping[str, int]:
        """The workers with their threads; a scheduler that does not answer raises `OSError`."""
        found: Mapping[str, int] = self.client.sync(
            self.client.scheduler.ncores, callback_timeout=ARRIVAL
        )
        return found

    def _watch(self) -> None:
        """Look who is there. What is waited for of a worker that is gone fails: the scheduler would
        wait for ever. So does all that is waited for when the scheduler is gone.
        """
        with suppress(Exception):  # it was closed meanwhile
            while self.client.status == "running":
                waiting = list(self.waiting.items())  # of workers that were there before
                self.threads = self._there()
                for future, worker in waiting:
                    if worker not in self.threads:
                        _fail(future, WorkerDied(f"the worker {worker} is gone"))
                time.sleep(1)
        self.threads = {}
        time.sleep(GRACE)
        # A client that closes does not always tell those who wait.
        for future in list(self.waiting):
            _fail(future, ConnectionError("the scheduler is gone"))

    def places(self) -> list[Place]:
        """See `Service.places`: as last looked, a moment ago."""
        return [Place(worker, worker.rpartition(":")[0]) for worker in self.threads]

    def submit(self, function: Callable[[], Any], place: str) -> Future[Any]:
        """See `Service.submit`."""
        future: Future[Any] = Future()
        self.waiting[future] = place
        asked = self.client.submit(function, pure=False, workers=[place], allow_other_workers=False)

        def settle(done: Any) -> None:
            with suppress(InvalidStateError):
                try:
                    value = done.result()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(value)
            self.waiting.pop(future, None)

        # dask calls back in one thread for all clients of the process. `result` never returns where
        # its client is closed meanwhile: the next client would wait for ever, and so would the end
        # of the process.
        asked.add_done_callback(
            lambda done: threading.Thread(target=settle, args=(done,), daemon=True).start()
        )

        def release(_: Any) -> None:
            self.waiting.pop(future, None)
            asked.release()  # dask gives up a task that nobody holds any more

        future.add_done_callback(release)
        return future

    def close(self) -> None:
        self.client.close()
        if self.cluster:
            self.cluster.close()


def _knock(address: str) -> None:
    """Raise `StudyError` unless a dask scheduler answers at the address.

    dask's own client waits for ever for what takes the call and says something else, or nothing.
    """
    from distributed import Security
    from distributed.comm import connect

    async def knock() -> None:
        async with asyncio.timeout(ARRIVAL):
            arguments = Security().get_connection_args("client")
            comm = await connect(address, timeout=ARRIVAL, **arguments)
            await comm.close()

    try:
        asyncio.run(knock())
    except TimeoutError:
        why = f"what listens there did not answer as one in {ARRIVAL:g} s"
    except (OSError, ValueError) as error:
        why = first_line(error)
    else:
        return
    raise StudyError(
        f"no dask scheduler answers at {address} ({why}): start one, or mend the address; its port "
        "is 8786 unless told otherwise, and 8787 is its dashboard's"
    )


def _fail(future: Future[Any], error: Exception) -> None:
    with suppress(InvalidStateError):  # it has just come
        future.set_exception(error)
