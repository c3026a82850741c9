"""Workers of a Ray cluster."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import psutil
import pytest

from study.errors import StudyError
from study.execution import driver
from study.execution.executors import cluster
from study.execution.executors.ray import Ray
from study.execution.executors.service import WorkerDied
from study.execution.request import Request
from study.storage.store import Store
from support.driving import SPEC, Results, engine, slow
from support.execution.clusters import after_lines, stored_once, timed
from support.execution.kinds import HERE, THERE, Fate, Open, Workers
from support.execution.ray_head import Head, head

pytestmark = pytest.mark.slow


@pytest.fixture
def ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Head]:
    """The head of a Ray cluster of this machine."""
    with head(tmp_path, monkeypatch) as found:
        yield found


def test_ray_gives_what_one_process_gives_and_its_end_is_told(
    folder: Path, tmp_path: Path, ray: Head, whole: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one of its workers killed on the way. When the head dies the driver soon says so, and
    keeps what it has.

    One test, since Ray lets a process join one cluster in its life.
    """

    def kill() -> None:
        busy: list[psutil.Process] = []
        while not busy:  # between two arrays a worker is idle for a moment
            busy = [
                p
                for p in psutil.process_iter(["cmdline"])
                if " ".join(p.info["cmdline"] or []).startswith("ray::_call")
            ]
        busy[0].kill()

    killer = after_lines(Store(folder), 1, kill)
    timed(folder, SPEC)
    driver.run(
        Request(SPEC, folder, factory=slow, backend="ray", scheduler=ray.address), progress=False
    )
    killer.join()
    assert stored_once(Store(folder), whole)

    monkeypatch.setattr("study.execution.executors.ray.SILENCE", 3.0)
    again = tmp_path / "again"
    killer = after_lines(Store(again), 1, lambda: os.killpg(ray.process.pid, signal.SIGKILL))
    timed(again, SPEC)
    with pytest.raises(StudyError, match=r"^ray at .* failed .*the same command goes on$"):
        driver.run(
            Request(SPEC, again, factory=slow, backend="ray", scheduler=ray.address), progress=False
        )
    killer.join()
    assert 1 <= len(Store(again).runs()) < len(SPEC)


class Pretended(ModuleType):
    """What `Ray` asks of the package, on the threads of a service that stand for nodes."""

    def __init__(self, service: Workers, cpus: dict[str, int]) -> None:
        super().__init__("ray")
        self.service, self.cpus = service, cpus
        self.over = False

    def init(self, address: str, **options: object) -> None:
        """Join the cluster."""

    def shutdown(self) -> None:
        """Leave it."""
        self.over = True

    def cluster_resources(self) -> dict[str, float]:
        """Processors alone."""
        return {"CPU": float(sum(self.cpus.values()))}

    def nodes(self) -> list[dict[str, Any]]:
        """As Ray lists them, those that have gone among them."""
        there = {place.name for place in self.service.places()}
        return [
            {"NodeID": name, "Alive": name in there, "Resources": {"CPU": float(count)}}
            for name, count in self.cpus.items()
        ]

    def remote(self, call: Any) -> Any:
        """A task; Ray takes its options once."""

        def options(**given: Any) -> Any:
            def submit(function: Any) -> Any:
                where = given["scheduling_strategy"]
                assert where.soft is False
                assert (given["num_cpus"], given["num_gpus"]) == (1, 0)
                asked = self.service.submit(partial(call, function), where.node_id)
                return SimpleNamespace(future=lambda: told(asked))

            return SimpleNamespace(remote=submit)

        return SimpleNamespace(options=options)


def told(asked: Future[Any]) -> Future[Any]:
    """A future whose error is Ray's where the node is gone."""
    future: Future[Any] = Future()

    def settle(done: Future[Any]) -> None:
        error = done.exception()
        if isinstance(error, WorkerDied):
            error = RuntimeError("the node does not exist any more")
        if error:
            future.set_exception(error)
        else:
            future.set_result(done.result())

    asked.add_done_callback(settle)
    return future


def test_nodes_of_two_kinds_and_one_that_goes(
    folder: Path, workers: Open, whole: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the same class, on a package that stands for Ray: a task goes to a node of its kind,
    and a node's end is told from a task's error.
    """
    service = workers(mine=HERE, other=THERE)
    service.fates["other"] = Fate(dies_after=1)
    ray = Pretended(service, {"mine": 2, "other": 1})
    monkeypatch.setitem(sys.modules, "ray", ray)
    strategies = ModuleType("ray.util.scheduling_strategies")
    monkeypatch.setattr(
        strategies, "NodeAffinitySchedulingStrategy", SimpleNamespace, raising=False
    )
    monkeypatch.setitem(sys.modules, "ray.util", ModuleType("ray.util"))
    monkeypatch.setitem(sys.modules, "ray.util.scheduling_strategies", strategies)
    monkeypatch.setitem(cluster.SERVICES, "ray", Ray)
    timed(folder, SPEC)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"ray://127.0.0.1:{server.getsockname()[1]}"
        driver.run(
            Request(SPEC, folder, factory=engine, backend="ray", scheduler=address, workers=3),
            progress=False,
        )
    assert ray.over
    runs = Store(folder).runs()
    assert stored_once(Store(folder), whole)
    assert {(run.fingerprint, run.jobs) for run in runs} == {
        (HERE.machine.fingerprint, 2),
        (THERE.machine.fingerprint, 1),
    }
