"""From a spec to stored runs: set up, calibrate, train what is pending, stop cleanly, resume."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from study import data
from study.engines.choice import TENSORFLOW, site_of
from study.errors import StudyError
from study.execution.executors.base import EngineFactory
from study.execution.executors.local import Here
from study.execution.plan import Plan, plan
from study.execution.progress import Bar
from study.execution.resources import GPU_PROBES, MEMORY_SHARE, PROBES, Resources, resources
from study.execution.study_folder import (
    _belongs,
    _claim,
    busy,
    calibration_of,
    changes,
    folder_of,
    sensible,
)
from study.execution.train import SPENT_EVERY, _spender, crew_of, once, settled, train_pending
from study.machine.facts import Site
from study.machine.quiet import wait_until_quiet
from study.spec.study import StudySpec
from study.storage import step_times
from study.storage.calibration import Calibration
from study.storage.records import Outcome, Run
from study.storage.store import Store
from study.tables import best_rates
from study.training.group import Context
from study.training.stopwatch import Stopwatch
from study.validation import choice

if TYPE_CHECKING:
    from study.execution.executors.cluster import Cluster


BACKENDS = ("loky", "dask", "ray")


PATIENCE = 600.0
"""Seconds that an array of a cluster is expected to take at most: its runs come when its last lane
has ended, and go with its worker.
"""


@dataclass(frozen=True)
class Outlook:
    """What `run` would do now."""

    plan: Plan
    times: Calibration
    use: Resources
    stored: list[Run]


def outlook(
    spec: StudySpec,
    out: str | Path | None,
    workers: int | None = None,
    memory: float | None = None,
    retry: bool = False,
    silence: float | None = None,
    cluster: Cluster | None = None,
    factory: EngineFactory = TENSORFLOW,
) -> Outlook:
    """The plan of what is still to run, here or by a cluster, and what it stands on; touches
    nothing. With `retry`, failed trials are still to run.

    Raises:
        StudyError: the folder holds another study, or the workers make no sense.
    """
    site = cluster.site if cluster else site_of(factory)
    folder = folder_of(spec, out, site)
    stored = Store(folder).runs()
    _belongs(Store(folder), stored, spec, site)
    stored = [run for run in stored if not (retry and run.outcome is Outcome.FAILED)]
    times = calibration_of(folder, out is None, site)
    ids = {run.id for run in stored}
    if cluster:
        probes = GPU_PROBES if site.machine.gpus else PROBES
        use = Resources(
            cluster.jobs, memory or MEMORY_SHARE * cluster.memory * cluster.jobs, PATIENCE, probes
        )
    else:
        use = resources_here(
            spec,
            sum(trial.id not in ids for trial in spec.trials()),
            site,
            workers,
            memory,
            silence,
        )
    return Outlook(plan(spec.trials(), ids, times, use), times, use, stored)


def resources_here(
    spec: StudySpec,
    pending: int,
    site: Site,
    workers: int | None,
    memory: float | None,
    silence: float | None,
) -> Resources:
    """What a run of so many pending trials may use on this machine; two workers at least where
    hangs are watched for.

    Raises:
        StudyError: the workers, the memory or the watch make no sense here.
    """
    sensible(spec, workers, silence)
    use = resources(spec, pending, site.machine, workers, memory)
    if silence is None:
        return use
    if site.machine.gpus and len(site.machine.gpus) < 2:
        raise StudyError(
            "a hang is ended with its worker process: --hang-limit needs two GPUs, or --device cpu"
        )
    return replace(use, jobs=max(2, use.jobs))


def run(
    spec: StudySpec,
    out: str | Path | None = None,
    *,
    workers: int | None = None,
    memory: float | None = None,
    retry: bool = False,
    repair: bool = False,
    silence: float | None = None,
    backend: str = "loky",
    scheduler: str | None = None,
    patience: float = 0.0,
    warn: Callable[[list[str]], None] = lambda sentences: None,
    factory: EngineFactory = TENSORFLOW,
    progress: bool = True,
) -> Path:
    """Train every trial of the spec that is not stored yet, then the validation curves; return the
    study's folder.

    Rerunning goes on where it was stopped. Each finished trial is on the disk before the next is
    awaited.

    Args:
        spec: what to run.
        out: the study's folder; results/<machine>/<study> where None.
        workers: processes that train arrays at the same time; as the machine suggests where None.
            Of a scheduler, how many to wait for.
        memory: bytes that they may fill together; half of what is free where None.
        retry: train trials again that failed.
        repair: move stored lines that cannot be read aside, see `Store.set_aside`.
        silence: seconds without a check, compilation included, after which a trial counts as hung:
            its worker process is ended and the trial recorded as failed. Of an array each trial is
            first tried again alone.
        backend: `loky` for processes of this machine, `dask` or `ray` for those of a cluster.
        scheduler: the cluster's address.
        patience: seconds to wait for a quiet machine before anything is timed.
        warn: told what was moved aside, and what is another machine or version than when trials
            were stored.
        factory: makes the engine from the data.
        progress: show a progress bar.

    Raises:
        StudyError: bad input, a folder that holds another study, a second process on the same
            study, or workers that died.
        KeyboardInterrupt: stopped; what has ended is stored.
    """
    stopwatch = Stopwatch()
    choice("backend", backend, BACKENDS)
    if backend == "loky":
        factory = settled(factory)
        if scheduler is not None:
            raise StudyError(
                f"the scheduler {scheduler} is for the backends dask and ray: loky works on "
                "this machine"
            )
        sensible(spec, workers, silence)
    elif silence is not None:
        raise StudyError(
            f"a hang is ended with its worker process, which belongs to {backend}: --hang-limit "
            "needs the backend loky"
        )
    with stopwatch.part("data"):
        images = data.load(spec.dataset)
    here = Here(once(factory, images, stopwatch), stopwatch)
    with ExitStack() as stack:
        cluster, store = None, None
        if (
            backend == "loky" or out is not None
        ):  # the folder is known: what is wrong with it is told before anybody is waited for
            store = Store(folder_of(spec, out, site_of(factory)))
            stack.enter_context(store.writing())
        if backend != "loky":
            from study.execution.executors.cluster import Cluster

            warn(
                [f"connecting to {backend}" + (f" at {scheduler}" if scheduler is not None else "")]
            )
            with stopwatch.part("connect"):
                cluster = Cluster(
                    backend, scheduler, workers, spec.dataset, factory, images.digest, patience
                )
            stack.callback(cluster.close)
            if spec.mode == "alone":
                cluster.times("trials alone")
        site = cluster.site if cluster else site_of(factory)
        if store is None:
            store = Store(folder_of(spec, out, site))
            stack.enter_context(store.writing())
        folder = store.folder
        if repair:
            warn(
                [
                    f"lines that could not be read, moved to {path}: {count}"
                    for path, count in store.set_aside().items()
                ]
            )
        look = outlook(spec, out, workers, memory, retry, silence, cluster, factory)
        warn(changes(look.stored, site))
        todo, times, use, stored = look.plan, look.times, look.use, look.stored
        _claim(store, spec, images.digest, site, bool(todo.pending))
        bar = stack.enter_context(
            closing(Bar(len(spec), stored, todo, use, progress, distant=cluster is not None))
        )
        spend = _spender(store, stopwatch, use.jobs)
        in_workers: dict[str, float] = {}
        stack.callback(lambda: spend(in_workers, 0.0))
        if (
            patience
            and cluster is None
            and (todo.uncalibrated or todo.unprobed or (todo.pending and spec.mode == "alone"))
        ):
            with stopwatch.part("wait"):
                wait_until_quiet(patience, bar.note)
        if todo.uncalibrated:
            meter = here if site.kind == site_of(factory).kind else cluster or here
            with stopwatch.part("calibrate"):
                warn(
                    times.take(todo.uncalibrated, meter.measure(todo.uncalibrated, bar.calibrating))
                )
        warn(busy(times, todo.pending))
        crew = cluster or crew_of(todo, use, spec.dataset, factory, here)
        ids = {run.id for run in stored}
        for trial, sizes in plan(spec.trials(), ids, times, use).unprobed.items():
            bar.note("measuring array sizes")
            with stopwatch.part("calibrate"):
                found = crew.probe(trial, sizes)
                kinds = {size: step_times.array_key(trial, size, use.jobs) for size in found}
                times.add(times.entry(kinds[size], one) for size, one in found.items())
        todo = plan(spec.trials(), ids, times, use)

        def ended(run: Run) -> None:
            stored.append(run)
            spend({}, SPENT_EVERY)

        context = Context(spec.name, site, use.jobs, silence=silence)
        with stopwatch.part("workers") if crew is not here else nullcontext():
            in_workers.update(train_pending(store, todo, times, crew, context, bar, ended))
        bar.note("validation curves")
        ids = {trial.id for trial in spec.trials()}
        wanted = best_rates.wanted(
            store,
            [
                run
                for run in stored
                if run.id in ids and run.fingerprint == site.machine.fingerprint
            ],
        )
        if wanted:
            rows = (cluster or here).curves(wanted, bar.curve)
            store.write_curves([{**row, "fingerprint": site.machine.fingerprint} for row in rows])
    return folder
