"""A service whose workers are threads of this process that say they are of different machines."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from study import data
from study.execution import driver
from study.execution.executors import cluster, dispatch, handshake, service, tasks
from study.execution.executors.base import TrainGroup
from study.execution.executors.service import Place, WorkerDied
from study.execution.request import Request
from study.machine.facts import Machine, Site
from study.machine.here import this_site
from study.spec.study import StudySpec
from study.storage.calibration import Calibration
from study.storage.store import Store
from study.training import timing
from support.driving import SPEC, engine
from support.execution.clusters import timed
from support.parabola import MACHINE, calibrated

HERE = this_site()
"""The kind of this process."""

THERE = replace(HERE, machine=MACHINE)
"""Another processor."""

PLAIN = replace(HERE, versions={**HERE.versions, "onednn": "off"})
"""This processor without oneDNN."""

GPU = Site(
    Machine(cpu="Test CPU", cores=8, memory_gb=64, gpus=("Test GPU",), system="Linux"),
    HERE.versions,
)
"""A machine with a GPU."""

_me = threading.local()


def _site(*_: object) -> Site:
    site: Site = getattr(_me, "site", HERE)
    return site


@dataclass
class Fate:
    """What becomes of a worker: it dies of its next array after so many."""

    dies_after: float = float("inf")


class Workers:
    """A service of threads; `sites` tells what each says that it is."""

    address, foreign = "fake://here", False

    def __init__(self, sites: Mapping[str, Site]) -> None:
        self.sites, self.done = dict(sites), dict.fromkeys(sites, 0)
        self.asked: Counter[str] = Counter()
        self.fates: dict[str, Fate] = {}
        self.then: Callable[[str], object] = lambda name: None
        self.gone: set[str] = set()
        self.threads: dict[str, ThreadPoolExecutor] = {}
        self.closed = False

    def __call__(self, address: str | None, workers: int | None) -> Workers:
        """The service at an address."""
        return self

    def places(self) -> Sequence[Place]:
        """See `Service.places`: each on a machine of its own."""
        return [Place(name, name) for name in self.sites if name not in self.gone]

    def submit(self, function: Callable[[], Any], place: str) -> Future[Any]:
        """See `Service.submit`."""
        self.asked[place] += 1
        thread = self.threads.setdefault(place, ThreadPoolExecutor(1))
        return thread.submit(self._do, function, place)

    def _do(self, function: Callable[[], Any], place: str) -> Any:
        _me.site = self.sites[place]
        trains = any(isinstance(one, TrainGroup) for one in _arguments(function))
        fate = self.fates.get(place, Fate())
        if place in self.gone or (trains and self.done.get(place, 0) >= fate.dies_after):
            self.gone.add(place)
            raise WorkerDied(f"{place} is gone")
        found = function()
        if trains:
            self.done[place] = self.done.get(place, 0) + 1
            self.then(place)
        return found

    def close(self) -> None:
        """See `Service.close`."""
        self.closed = True
        for thread in self.threads.values():
            thread.shutdown(wait=True)


def _arguments(function: Any) -> Iterator[Any]:
    """What a call is given, also inside another call."""
    for one in getattr(function, "args", ()):
        yield one
        yield from _arguments(one)


Open = Callable[..., Workers]


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Makes the service `dask` one of threads, each named and of the site that it is given."""
    monkeypatch.setattr(tasks, "this_site", _site)
    monkeypatch.setattr(handshake, "site_of", _site)
    monkeypatch.setattr(tasks, "_unwanted", lambda: False)
    # Threads share this process: none may settle its number of threads.
    monkeypatch.setattr(tasks, "engine_of", lambda setting: setting.factory(data.load("mnist")))
    monkeypatch.setattr(timing, "ROUND_SECONDS", 0.01)
    monkeypatch.setattr(dispatch, "TICK", 0.02)
    monkeypatch.setattr(service, "ARRIVAL", 0.3)

    def open_(**sites: Site) -> Workers:
        found = Workers(sites)
        monkeypatch.setitem(cluster.SERVICES, "dask", found)
        return found

    return open_


def request(folder: Path, spec: StudySpec = SPEC, **options: Any) -> Request:
    """A study that the service's workers train."""
    return Request(spec, folder, backend="dask", scheduler="fake", factory=engine, **options)


def trained(folder: Path, said: list[str] | None = None, site: Site = HERE) -> Store:
    """The study's store after a run by the service's workers, with a site's step times given."""
    if site.kind == HERE.kind:
        timed(folder, SPEC)
    else:
        path = folder / "calibration.json"
        calibrated(Calibration([path], site.machine, site.software), SPEC.trials(), 0.002)
    notes = said if said is not None else []
    driver.run(request(folder), warn=notes.extend, progress=False)
    return Store(folder)
