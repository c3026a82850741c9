"""From a spec to stored runs: set up, calibrate, train what is pending, stop cleanly, resume."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from study import calibration, curves, data, tables
from study import verify as verification
from study.calibration import Calibration, Engine, key_of
from study.engine import TENSORFLOW, Setup, site_of
from study.errors import StudyError
from study.machine import ONEDNN, Site, this_machine, this_site
from study.plan import GPU_PROBES, MEMORY_SHARE, PROBES, Plan, Resources, plan, resources
from study.progress import Bar
from study.quiet import Meter, wait_until_quiet
from study.race import Finish
from study.record import SCHEMA, Outcome, Run
from study.spec import StudySpec, Trial
from study.stopwatch import Stopwatch
from study.store import Store, append_line
from study.training import HUNG, Context, Emit
from study.values import choice
from study.workers import EngineFactory, Here, Workers

if TYPE_CHECKING:
    from study.cluster import Cluster

RESULTS = Path("results")

SPENT_EVERY = 60.0
"""Seconds between two lines of `spent.jsonl`."""

BACKENDS = ("loky", "dask", "ray")

PATIENCE = 600.0
"""Seconds that an array of a cluster is expected to take at most: its runs come when its last lane has ended, and go with its worker."""


def folder_of(spec: StudySpec, out: str | Path | None, site: Site | None = None) -> Path:
    """The study's folder: `out` itself, else results/<machine>/<study>."""
    if out == "":
        raise StudyError("the folder given as --out is an empty text: name a folder, or leave the option out")
    return Path(out) if out is not None else RESULTS / (site or this_site()).machine.name / spec.name


def calibration_of(folder: Path, shared: bool, site: Site | None = None) -> Calibration:
    """The site's step times as the study knows them, this machine's if none is named: its own file first, then, for a study under
    results/<machine>, its siblings'."""
    paths = [folder / "calibration.json", *([folder.parent / "calibration.json"] if shared else [])]
    site = site or this_site()
    return Calibration(paths, site.machine, site.software)


def rates_around(what: str, spec: StudySpec, out: str | Path | None) -> tuple[tuple[float, ...], Path]:
    """The rates that `auto` stands for, and the study that they come from: six around the best rate of the spec's optimizer.

    `auto:DIR` takes the study in DIR; `auto` this machine's `article`, `tutorial` or `quick`, the first of the same network, data, batch,
    hyper-parameters and schedule in which all of the optimizer's trials have ended. A study stored in `out` already keeps its rates.

    Raises:
        StudyError: several optimizers, no such study, or one in which the optimizer arrived nowhere.
    """
    if len(spec.optimizers) != 1:
        raise StudyError(f"rates {what} are around one optimizer's best, and the study has {', '.join(spec.optimizers)}: name one")
    mine, named = folder_of(spec, out), what.partition(":")[2]
    if named:
        Store(Path(named)).spec()  # refuses what is no study
    if Store(mine).spec_path.exists():
        return tuple(float(rate) for rate in Store(mine).spec().rates), mine
    if named:
        return tables.rates_around(tables.load(named), spec.optimizers[0]), Path(named)
    here = RESULTS / this_machine().name
    for folder in (here / name for name in ("article", "tutorial", "quick")):
        if not (folder / "spec.json").exists():
            continue
        there = Store(folder).spec()
        runs = tables.load(folder)
        whole = len(runs) and (runs["optimizer"] == spec.optimizers[0]).sum() >= len(there) / len(there.optimizers)
        if whole and all(getattr(there, field) == getattr(spec, field) for field in ("network", "dataset", "batch", "hyper", "schedule")):
            return tables.rates_around(runs, spec.optimizers[0]), folder
    wanted = f"a finished grid study of the {spec.network} network with {spec.optimizers[0]} in {here}"
    raise StudyError(f"rates auto need {wanted}: run article (or tutorial) first, or name a study's folder, as in auto:DIR")


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
    """The plan of what is still to run, here or by a cluster, and what it stands on; touches nothing. With `retry`, failed trials are
    still to run.

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
        use = Resources(cluster.jobs, memory or MEMORY_SHARE * cluster.memory * cluster.jobs, PATIENCE, probes)
    else:
        use = resources_here(spec, sum(trial.id not in ids for trial in spec.trials()), site, workers, memory, silence)
    return Outlook(plan(spec.trials(), ids, times, use), times, use, stored)


def resources_here(
    spec: StudySpec, pending: int, site: Site, workers: int | None, memory: float | None, silence: float | None
) -> Resources:
    """What a run of so many pending trials may use on this machine; two workers at least where hangs are watched for.

    Raises:
        StudyError: the workers, the memory or the watch make no sense here.
    """
    sensible(spec, workers, silence)
    use = resources(spec, pending, site.machine, workers, memory)
    if silence is None:
        return use
    if site.machine.gpus and len(site.machine.gpus) < 2:
        raise StudyError("a hang is ended with its worker process: --hang-limit needs two GPUs, or --device cpu")
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
    """Train every trial of the spec that is not stored yet, then the validation curves; return the study's folder.

    Rerunning goes on where it was stopped. Each finished trial is on the disk before the next is awaited.

    Args:
        spec: what to run.
        out: the study's folder; results/<machine>/<study> where None.
        workers: processes that train arrays at the same time; as the machine suggests where None. Of a scheduler, how many to wait for.
        memory: bytes that they may fill together; half of what is free where None.
        retry: train trials again that failed.
        repair: move stored lines that cannot be read aside, see `Store.set_aside`.
        silence: seconds without a check, compilation included, after which a trial counts as hung: its worker process is ended and the
            trial recorded as failed. Of an array each trial is first tried again alone.
        backend: `loky` for processes of this machine, `dask` or `ray` for those of a cluster.
        scheduler: the cluster's address.
        patience: seconds to wait for a quiet machine before anything is timed.
        warn: told what was moved aside, and what is another machine or version than when trials were stored.
        factory: makes the engine from the data.
        progress: show a progress bar.

    Raises:
        StudyError: bad input, a folder that holds another study, a second process on the same study, or workers that died.
        KeyboardInterrupt: stopped; what has ended is stored.
    """
    stopwatch = Stopwatch()
    choice("backend", backend, BACKENDS)
    if backend == "loky":
        factory = settled(factory)
        if scheduler is not None:
            raise StudyError(f"the scheduler {scheduler} is for the backends dask and ray: loky works on this machine")
        sensible(spec, workers, silence)
    elif silence is not None:
        raise StudyError(f"a hang is ended with its worker process, which belongs to {backend}: --hang-limit needs the backend loky")
    with stopwatch.part("data"):
        images = data.load(spec.dataset)
    here = Here(once(factory, images, stopwatch), stopwatch)
    with ExitStack() as stack:
        cluster, store = None, None
        if backend == "loky" or out is not None:  # the folder is known: what is wrong with it is told before anybody is waited for
            store = Store(folder_of(spec, out, site_of(factory)))
            stack.enter_context(store.writing())
        if backend != "loky":
            from study.cluster import Cluster

            warn([f"connecting to {backend}" + (f" at {scheduler}" if scheduler is not None else "")])
            with stopwatch.part("connect"):
                cluster = Cluster(backend, scheduler, workers, spec.dataset, factory, images.digest, patience)
            stack.callback(cluster.close)
            if spec.mode == "alone":
                cluster.times("trials alone")
        site = cluster.site if cluster else site_of(factory)
        if store is None:
            store = Store(folder_of(spec, out, site))
            stack.enter_context(store.writing())
        folder = store.folder
        if repair:
            warn([f"lines that could not be read, moved to {path}: {count}" for path, count in store.set_aside().items()])
        look = outlook(spec, out, workers, memory, retry, silence, cluster, factory)
        warn(changes(look.stored, site))
        todo, times, use, stored = look.plan, look.times, look.use, look.stored
        _claim(store, spec, images.digest, site, bool(todo.pending))
        bar = stack.enter_context(closing(Bar(len(spec), stored, todo, use, progress, distant=cluster is not None)))
        spend = _spender(store, stopwatch, use.jobs)
        in_workers: dict[str, float] = {}
        stack.callback(lambda: spend(in_workers, 0.0))
        if patience and cluster is None and (todo.uncalibrated or todo.unprobed or (todo.pending and spec.mode == "alone")):
            with stopwatch.part("wait"):
                wait_until_quiet(patience, bar.note)
        if todo.uncalibrated:
            meter = here if site.kind == site_of(factory).kind else cluster or here
            with stopwatch.part("calibrate"):
                warn(times.take(todo.uncalibrated, meter.measure(todo.uncalibrated, bar.calibrating)))
        warn(busy(times, todo.pending))
        crew = cluster or crew_of(todo, use, spec.dataset, factory, here)
        ids = {run.id for run in stored}
        for trial, sizes in plan(spec.trials(), ids, times, use).unprobed.items():
            bar.note("measuring array sizes")
            with stopwatch.part("calibrate"):
                found = crew.probe(trial, sizes)
                kinds = {size: calibration.array_key(trial, size, use.jobs) for size in found}
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
        wanted = curves.wanted(store, [run for run in stored if run.id in ids and run.fingerprint == site.machine.fingerprint])
        if wanted:
            rows = (cluster or here).curves(wanted, bar.curve)
            store.write_curves([{**row, "fingerprint": site.machine.fingerprint} for row in rows])
    return folder


def crew_of(todo: Plan, use: Resources, dataset: str, factory: EngineFactory, here: Here) -> Here | Workers:
    """Who trains the plan on this machine: this process, or several where there is enough to do."""
    return Workers(use.jobs, dataset, factory) if use.jobs > 1 and todo.pending else here


def train_pending(
    store: Store,
    todo: Plan,
    times: Calibration,
    crew: Here | Workers | Cluster,
    context: Context,
    bar: Bar,
    ended: Callable[[Run], None] = lambda run: None,
) -> dict[str, float]:
    """Train what the plan holds into the store, each run on the disk before the next is awaited; return other processes' seconds by part.

    Args:
        store: open for writing.
        todo: the plan; the step times of its trials are known.
        times: step times, and whether they were measured on a quiet machine.
        crew: who trains; worker processes of this machine are let go at the end.
        context: what every run records.
        bar: shows how far it is.
        ended: called after each run is stored.

    Raises:
        StudyError: a step time is not known, or workers died.
    """

    def emit(run: Run, finish: Finish | None) -> None:
        if run.seconds_source == "reconstructed":
            run = replace(run, quiet=times.quiet(run.trial))
        store.append(run, finish)
        bar.ended(run)
        ended(run)

    bar.start(todo, times)
    parts = _train(crew, todo, times, context, emit, bar)
    if isinstance(crew, Workers):
        crew.close()
    return parts


def _train(crew: Here | Workers | Cluster, todo: Plan, times: Calibration, context: Context, emit: Emit, bar: Bar) -> dict[str, float]:
    """Train the plan's groups, and after a hang what it left; return the seconds of other processes by part."""
    ended: set[str] = set()
    hung: list[Run] = []

    def sift(run: Run, finish: Finish | None) -> None:
        """Keep back what an array's hang says of its trials: it hangs as a whole, and each has yet to be tried alone."""
        if run.error is not None and run.error.startswith(HUNG):
            hung.append(run)
            if run.lanes > 1:
                return
        ended.add(run.id)
        emit(run, finish)

    try:
        jobs = [(list(trials), step_times_of(trials, times)) for trials in todo.groups]
        return crew.train(jobs, context, sift, lambda i, progress: bar.step(i, progress, todo.groups[i]))
    except StudyError:
        if not hung:
            raise
    alone = [run.trial for run in hung if run.id not in ended]
    again = f", and {len(alone)} trials are tried again alone" if alone else ""
    bar.say(f"no check in {context.silence:g} s: a worker was ended{again}")
    rest = [tuple(trial for trial in trials if trial.id not in ended and trial not in alone) for trials in todo.groups]
    groups = (*filter(None, rest), *((trial,) for trial in alone))
    todo = replace(todo, groups=groups, pending=tuple(trial for trials in groups for trial in trials))
    bar.start(todo, times)
    return _train(crew, todo, times, context, emit, bar)


def calibrate(
    spec: StudySpec,
    out: str | Path | None = None,
    *,
    factory: EngineFactory = TENSORFLOW,
    again: bool = False,
    patience: float = 0.0,
    warn: Callable[[list[str]], None] = lambda sentences: None,
) -> Calibration:
    """Measure the step times that the spec needs and this machine lacks; with `again`, take another reading of those that it has, too.

    `patience` is how many seconds to wait for a quiet machine first; `warn` is told of readings that differ much from what was known, and
    of a machine that was busy.
    """
    site = site_of(factory)
    folder = folder_of(spec, out, site)
    with Store(folder).writing():
        times = calibration_of(folder, out is None, site)
        if again:
            times.forget_arrays(spec.trials())
        missing = list({key_of(trial): trial for trial in spec.trials()}.values()) if again else times.missing(spec.trials())
        if missing:
            warn(measure(times, missing, lambda: factory(data.load(spec.dataset)), patience))
    return times


def measure(times: Calibration, trials: Sequence[Trial], engine: Callable[[], Engine], patience: float = 0.0) -> list[str]:
    """Add the trials' step times to `times`, behind a progress bar, once the machine is quiet or `patience` seconds have passed; return
    what there is to tell of them."""
    with tqdm(total=1, bar_format="{desc} {percentage:3.0f}% {bar} {elapsed}", leave=False) as bar:

        def watch(done: int, total: int) -> None:
            bar.total, bar.n = total, done
            bar.refresh()

        wait_until_quiet(patience, bar.set_description_str)
        bar.set_description_str("step times")
        said = calibration.measure(times, trials, engine(), watch=watch)
    return [*said, *busy(times, trials)]


def verify(
    folder: Path,
    count: int,
    seed: int,
    *,
    factory: EngineFactory = TENSORFLOW,
    warn: Callable[[list[str]], None] = lambda sentences: None,
) -> tuple[list[verification.Check], dict[str, float | int]]:
    """Train `count` stored trials of mode array again alone; return the comparisons and their summary. Nothing is stored; `warn` is told
    if the machine was busy meanwhile.

    Raises:
        StudyError: no such study, another machine's, or nothing in it to verify.
    """
    store = Store(folder)
    spec = store.spec()
    mine = site_of(factory)
    runs = [run for run in store.runs() if run.seconds_source == "reconstructed" and run.fingerprint == mine.machine.fingerprint]
    chosen = verification.choose([run for run in runs if (run.engine, run.precision) == (mine.engine, mine.precision)], count, seed)
    if not chosen:
        there = f"{mine.machine.name} with {mine.engine} in {mine.precision}"
        raise StudyError(f"{folder} holds no trial of mode array that was run on this machine ({there}): nothing to verify")
    with tqdm(total=len(chosen), desc="alone", leave=False) as bar:
        engine, meter = factory(data.load(spec.dataset)), Meter()
        checks = verification.verify(chosen, engine, lambda _: bar.update(1))
    load = meter.read()
    if not load.quiet:
        warn([f"the machine is busy ({load}), so the trials took longer alone than they do on a quiet one"])
    return checks, verification.summary(checks)


def settled(factory: EngineFactory) -> EngineFactory:
    """The same engine at one precision, whatever GPU a worker pins."""
    return Setup(factory.engine, site_of(factory).precision) if isinstance(factory, Setup) else factory


def once(factory: EngineFactory, images: data.Images, stopwatch: Stopwatch) -> Callable[[], Engine]:
    """A function that makes the engine when it is first needed, TensorFlow's import included."""
    made: list[Engine] = []

    def engine() -> Engine:
        if not made:
            with stopwatch.part("import"):
                made.append(factory(images))
        return made[0]

    return engine


def sensible(spec: StudySpec, workers: int | None, silence: float | None) -> None:
    """Raise `StudyError` at a number of workers that the mode, or the watch over them, cannot have."""
    if workers is not None and workers < 1:
        raise StudyError(f"workers {workers} must be at least 1")
    if spec.mode == "alone" and workers is not None and workers > 1:
        raise StudyError(f"mode alone takes the machine to itself: --workers {workers} must be 1")
    if silence is not None and (spec.mode == "alone" or workers == 1):
        raise StudyError("a hang is ended with its worker process: --hang-limit needs mode array and two workers at least")


def _belongs(store: Store, stored: Sequence[Run], spec: StudySpec, site: Site) -> None:
    """Raise `StudyError` if the folder holds trials under another protocol, or of another engine or precision."""
    if store.spec_path.exists():
        there = store.spec()
        different = there.differences(spec)
        if different:
            listed = "; ".join(f"{name} is {getattr(there, name)} there, {getattr(spec, name)} here" for name in different)
            raise StudyError(f"{store.folder} holds a study under another protocol ({listed}): give another --out")
    elif stored:
        raise StudyError(f"{store.folder} holds runs but no {store.spec_path.name} that says of what: restore it, or give another --out")
    other = next((run for run in stored if (run.engine, run.precision) != (site.engine, site.precision)), None)
    if other and other.fingerprint == site.machine.fingerprint:
        what = f"{other.engine} in {other.precision}, and this would be {site.engine} in {site.precision}"
        raise StudyError(f"{store.folder} holds trials of {what}: give another --out, --engine or --precision")


def busy(times: Calibration, trials: Sequence[Trial]) -> list[str]:
    """A sentence where the step times of these trials were measured on a machine that was not quiet."""
    used = [time for trial in trials if trial.mode == "array" and (time := times.times.get(key_of(trial))) and time.quiet is False]
    if not used:
        return []
    most, cores = max(time.others or 0.0 for time in used), times.machine.cores
    # A step cannot take less than its processor seconds shared by all cores.
    factors = [cores * time.seconds / time.processor_seconds for time in used if time.processor_seconds]
    factor = f" (at most {max(factors):.1f} times)" if factors else ""
    return [
        f"the machine is busy: other programs took {most:.1f} of its {cores} cores while step times were measured, so the seconds of "
        f"these trials may be too long{factor}; their steps are right. --wait-quiet SECONDS waits for a quiet machine, and calibrate "
        "--again takes another reading later"
    ]


def changes(stored: Sequence[Run], site: Site) -> list[str]:
    """Sentences on what is another machine or software at the site now than when trials were stored, or slow by the user's choice."""
    said = []
    machine = site.machine
    old = [run.machine for run in stored if run.fingerprint == machine.old_fingerprint != machine.fingerprint]
    if old:
        said.append(
            f"{len(old)} trials are stored of a machine that an older version called {old[0]}: that version did not tell kinds of "
            "processor apart, so it may be this machine or not, and their seconds are not pooled with new ones"
        )
    foreign = sorted({run.machine for run in stored if run.fingerprint not in (machine.fingerprint, machine.old_fingerprint)})
    if foreign:
        said.append(
            f"trials of {', '.join(foreign)} are stored here, and this machine is {machine.name}: each row keeps its machine, and a table "
            "is of one (--machine)"
        )
    other = sorted({run.software for run in stored if run.fingerprint == machine.fingerprint} - {site.software})
    if other:
        said.append(f"trials are stored that ran on {', '.join(other)}, and this is {site.software}: step times are not the same ones")
    if site.versions.get("onednn") == "off":
        said.append(
            f"TensorFlow computes without oneDNN ({ONEDNN} is {os.environ.get(ONEDNN)}): a step takes about three times as long, and the "
            "convolutions of the lanes of an array are computed one after another"
        )
    return said


def _claim(store: Store, spec: StudySpec, digest: str, site: Site, pending: bool) -> None:
    """Write what the folder is about, unless it was run on other data."""
    if store.spec_path.exists():
        stored = store.digest()
        if stored is None:
            raise StudyError(f"{store.spec_path} does not tell the MD5 of its data any more: restore it, or give another --out")
        if stored != digest:
            raise StudyError(f"{store.folder} was run on other data (MD5 {stored}, now {digest}): give another --out")
    store.write(store.spec_path, {"schema": SCHEMA, "dataset_md5": digest, "spec": spec.to_json()})
    if pending or not store.machine():
        store.write(store.folder / "machine.json", {**site.machine.to_json(), "versions": site.versions})


def _spender(store: Store, stopwatch: Stopwatch, jobs: int) -> Callable[[dict[str, float], float], None]:
    """A function that stores where the time went since it last did, if that is at least so many seconds: a killed process leaves it."""
    written: dict[str, float] = {}

    def spend(in_workers: dict[str, float], least: float) -> None:
        parts = stopwatch.parts()
        since = {name: seconds - written.get(name, 0.0) for name, seconds in parts.items()}
        if sum(since.values()) < least:
            return
        written.update(parts)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        append_line(store.spent_path, {"at": now, "jobs": jobs, "seconds": since, "in_workers": in_workers})

    return spend


def step_times_of(trials: Sequence[Trial], times: Calibration) -> list[float] | None:
    """The trials' step times, all of them measured by now; None in mode alone, where the clock itself is read.

    Raises:
        StudyError: one is not known.
    """
    if trials[0].mode == "alone":
        return None
    found: list[float] = []
    for trial in trials:
        seconds = times.seconds(trial)
        if seconds is None:
            raise StudyError(f"the step time of {trial.optimizer} at width {trial.width:g} is not known: run calibrate first")
        found.append(seconds)
    return found
