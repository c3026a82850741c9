"""The processors of a Ray cluster."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from study.errors import StudyError, first_line
from study.execution.executors.service import SILENCE, TRIES, _await, _checked, _missing


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
            self.jobs = _await(workers or 1, lambda: sum(self._slots()), address)
        except BaseException:
            self.close()
            raise
        self.beside = max(self._slots())
        self.task = ray.remote(_call).options(
            num_cpus=1, num_gpus=int(self._kind() == "GPU"), max_retries=TRIES
        )
        self.waiting: set[Any] = set()
        self.over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

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
        for future in list(self.waiting):
            with suppress(Exception):  # it has just come
                future.set_exception(ConnectionError(f"no answer in {SILENCE:g} s"))

    def _kind(self) -> str:
        return "GPU" if self.ray.cluster_resources().get("GPU") else "CPU"

    def _slots(self) -> list[int]:
        kind = self._kind()
        return [
            int(node["Resources"].get(kind, 0)) for node in self.ray.nodes() if node["Alive"]
        ] or [0]

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
