"""The processors of a Ray cluster."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from study.errors import StudyError, first_line
from study.execution.executors.service import (
    SILENCE,
    TRIES,
    Place,
    WorkerDied,
    _await,
    _checked,
    _missing,
)


class Ray:
    """The processors of a Ray cluster, or its GPUs where it has any, through its client server.

    Args:
        address: ray://HOST:PORT. Any other way of joining a cluster has this process listen to the
            network.
        workers: how many to wait for.

    Raises:
        StudyError: Ray is not installed, the address is not such a one, nobody answers, or too few
            workers come.
    """

    foreign = True

    def __init__(self, address: str | None, workers: int | None) -> None:
        if address is None:
            raise StudyError(
                "the backend ray needs --scheduler ray://HOST:PORT: where a running cluster "
                "serves clients"
            )
        _checked(address, ("ray",))
        try:
            import ray
        except ImportError:
            raise _missing("ray") from None
        self.address, self.ray, self.gone = address, ray, False
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL)
        except (OSError, ValueError, RuntimeError) as error:
            raise StudyError(
                f"no Ray cluster answers at {address} ({first_line(error)}): start one, or mend "
                "the address"
            ) from None
        try:
            _await(workers or 1, lambda: sum(place.slots for place in self._look()), address)
        except BaseException:
            self.close()
            raise
        self.seen = self._look()
        self.task = ray.remote(_caller())
        self.needs = {
            "num_cpus": 1,
            "num_gpus": int(self._kind() == "GPU"),
            "max_retries": TRIES,
        }
        self.waiting: set[Future[Any]] = set()
        self.over = threading.Event()
        for watch in (self._watch, self._watch_nodes):
            threading.Thread(target=watch, daemon=True).start()

    def _watch(self) -> None:
        """Fail what is waited for when the cluster's server has not answered for a while: Ray's
        client would try for minutes.
        """
        host, _, port = self.address.removeprefix("ray://").rpartition(":")
        seen = time.monotonic()
        while time.monotonic() - seen < SILENCE:
            with (
                suppress(OSError),
                socket.create_connection((host.strip("[]"), int(port)), timeout=SILENCE),
            ):
                seen = time.monotonic()
            if self.over.wait(2):
                return
        self.gone = True
        self.seen = []
        _hush_ray()
        for future in list(self.waiting):
            with suppress(InvalidStateError):  # it has just come
                future.set_exception(ConnectionError(f"no answer in {SILENCE:g} s"))

    def _watch_nodes(self) -> None:
        """Look who is there, in a thread of its own: a server that is gone may not answer."""
        while not self.over.wait(2) and not self.gone:
            with suppress(Exception):  # `_watch` tells when the server is gone
                self.seen = self._look()

    def _kind(self) -> str:
        return "GPU" if self.ray.cluster_resources().get("GPU") else "CPU"

    def _look(self) -> list[Place]:
        kind = self._kind()
        return [
            Place(node["NodeID"], node["NodeID"], slots)
            for node in self.ray.nodes()
            if node["Alive"] and (slots := int(node["Resources"].get(kind, 0)))
        ]

    def places(self) -> list[Place]:
        """See `Service.places`: the nodes, as last looked."""
        return list(self.seen)

    def submit(self, function: Callable[[], Any], place: str) -> Future[Any]:
        """See `Service.submit`. Ray itself does a task again whose process dies on the node."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        future: Future[Any] = Future()
        self.waiting.add(future)
        future.add_done_callback(self.waiting.discard)
        where = NodeAffinitySchedulingStrategy(node_id=place, soft=False)
        asked = self.task.options(**self.needs, scheduling_strategy=where).remote(function)

        def settle(done: Any) -> None:
            with suppress(InvalidStateError):
                try:
                    value = done.result()
                except BaseException as error:
                    future.set_exception(self._died(place) or error)
                else:
                    future.set_result(value)

        # Ray calls back in the thread that hears the server, and `_died` asks the server.
        asked.future().add_done_callback(
            lambda done: threading.Thread(target=settle, args=(done,), daemon=True).start()
        )
        return future

    def _died(self, place: str) -> WorkerDied | None:
        """The error of a task whose node is gone; None if the node is there."""
        with suppress(Exception):  # the server is gone, which `_watch` tells
            self.seen = self._look()
            if place not in {one.name for one in self.seen}:
                return WorkerDied(f"the node {place} is gone")
        return None

    def close(self) -> None:
        self.over.set()
        if not self.gone:  # else it would wait for the cluster
            with suppress(Exception):  # it goes at this moment
                self.ray.shutdown()


def _caller() -> Callable[[Callable[[], Any]], Any]:
    """A function that calls another; it has no name of its own, so that Ray sends its code to
    workers which may lack this package.
    """

    def _call(function: Callable[[], Any]) -> Any:
        return function()

    return _call


def _hush_ray() -> None:
    """Print no traceback of Ray's own threads, which fail once more what has failed already."""
    before = threading.excepthook

    def hook(told: threading.ExceptHookArgs) -> None:
        name = told.thread.name if told.thread else ""
        if not (name.startswith("ray_client") and issubclass(told.exc_type, InvalidStateError)):
            before(told)

    threading.excepthook = hook
