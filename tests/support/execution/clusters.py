"""Dask's schedulers and workers as processes on loopback, and studies that they train."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from study import data
from study.data.images import Images
from study.execution import driver
from study.execution.executors.cluster import Cluster
from study.execution.executors.local import Local
from study.execution.executors.source import Source
from study.execution.request import Request
from study.machine.here import this_site
from study.spec.study import StudySpec
from study.storage.calibration import Calibration
from study.storage.store import Store
from study.training.stopwatch import Stopwatch
from support.driving import SPEC, Results, engine, results
from support.parabola import MACHINE, ParabolaEngine, calibrated
from support.paths import environment

DIGEST = "5bd0c1ff"
ON_LOOPBACK = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]


class Dask:
    """A scheduler and its workers, each a process of its own on loopback."""

    def __init__(self, folder: Path) -> None:
        pytest.importorskip("distributed")
        self.folder, self.processes = folder, list[subprocess.Popen[bytes]]()
        told = folder / "scheduler.json"
        self.scheduler = self._start(
            "dask_scheduler", *ON_LOOPBACK, "--port", "0", "--scheduler-file", str(told)
        )
        while not told.exists() or not told.read_text().strip():
            assert self.scheduler.poll() is None
            time.sleep(0.05)
        self.address: str = json.loads(told.read_text())["address"]

    def workers(
        self, count: int, settings: Mapping[str, str] | None = None
    ) -> list[subprocess.Popen[bytes]]:
        """So many more workers that have come, with settings in their environment."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            there = set(client.nthreads())  # one that was killed may still be among them
            started = [self.worker(settings=settings) for _ in range(count)]
            while len(set(client.nthreads()) - there) < count:
                time.sleep(0.05)
        return started

    def worker(
        self, threads: int = 1, settings: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """One more worker, on its way."""
        options = ["--nthreads", str(threads), "--no-nanny"]
        return self._start("dask_worker", self.address, *ON_LOOPBACK, *options, settings=settings)

    def _start(
        self, what: str, *arguments: str, settings: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{what}", *arguments]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**environment(), **(settings or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def kill(self) -> None:
        """End all of it."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


def timed(folder: Path, spec: StudySpec) -> None:
    """Give the study step times, so that its driver measures none."""
    site = this_site()
    calibrated(
        Calibration([folder / "calibration.json"], site.machine, site.kind[1]), spec.trials(), 0.002
    )


def cluster(address: str | None, workers: int | None, digest: str | None = None) -> Cluster:
    """Dask's workers, seen from a machine of another kind."""
    request = Request(SPEC, factory=engine, backend="dask", scheduler=address, workers=workers)
    stopwatch = Stopwatch()
    here = Local(request, Source(SPEC.dataset, engine, stopwatch), stopwatch)
    here.site = replace(here.site, machine=MACHINE)
    return Cluster(request, digest or data.load("mnist").digest, here)


def over(
    dask: Dask,
    folder: Path,
    factory: Callable[[Images], ParabolaEngine] = engine,
    count: int | None = None,
) -> Store:
    """The study's store after a run by dask's workers, with step times given."""
    timed(folder, SPEC)
    driver.run(
        Request(
            SPEC, folder, factory=factory, backend="dask", scheduler=dask.address, workers=count
        ),
        progress=False,
    )
    return Store(folder)


def stored_once(store: Store, whole: Results) -> bool:
    """Every trial has one line, with the one worker's result."""
    lines = [json.loads(line)["id"] for line in store.runs_path.read_text().splitlines()]
    return sorted(lines) == sorted(whole) and results(store) == whole


def after_lines(store: Store, lines: int, then: Callable[[], object]) -> threading.Thread:
    """A thread that does something once so many trials are stored."""

    def wait() -> None:
        while not store.runs_path.exists() or store.runs_path.read_bytes().count(b"\n") < lines:
            time.sleep(0.005)
        then()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread
