"""From a spec to stored runs: set up, calibrate, train what is pending, stop cleanly, resume."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType

from tqdm import tqdm

from study import calibration, curves, data
from study import verify as verification
from study.calibration import Calibration, Engine
from study.errors import StudyError
from study.machine import Machine, this_machine, versions
from study.plan import plan
from study.progress import Bar
from study.race import Finish, Progress
from study.record import SCHEMA, Run
from study.spec import StudySpec, Trial
from study.stopwatch import Stopwatch
from study.store import Store, append_line
from study.training import Context, train
from study.workers import EngineFactory, work

RESULTS = Path("results")


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM)."""


def tensorflow_engine(images: data.Images) -> Engine:
    """The engine of TensorFlow lanes; importing it is left to this call, so that nothing else waits for TensorFlow."""
    from study.lanes import TensorFlowEngine

    return TensorFlowEngine(images)


def folder_of(spec: StudySpec, out: str | Path | None) -> Path:
    """The study's folder: `out` itself, else results/<machine>/<study>."""
    if out == "":
        raise StudyError("the folder given as --out is an empty text: name a folder, or leave the option out")
    return Path(out) if out is not None else RESULTS / this_machine().name / spec.name


def calibration_of(folder: Path, shared: bool) -> Calibration:
    """This machine's step times as the study knows them: its own file first, then, for a study under results/<machine>, its siblings'."""
    paths = [folder / "calibration.json", *([folder.parent / "calibration.json"] if shared else [])]
    return Calibration(paths, this_machine(), versions().get("tensorflow", "none"))


def run(
    spec: StudySpec,
    out: str | Path | None = None,
    *,
    workers: int = 1,
    factory: EngineFactory = tensorflow_engine,
    progress: bool = True,
) -> Path:
    """Train every trial of the spec that is not stored yet, then the validation curves; return the study's folder.

    Rerunning goes on where it was stopped. Each finished trial is on the disk before the next is awaited.

    Args:
        spec: what to run.
        out: the study's folder; results/<machine>/<study> where None.
        workers: processes that train arrays at the same time.
        factory: makes the engine from the data.
        progress: show a progress bar.

    Raises:
        StudyError: bad input, a folder that holds another study, or a second process on the same study.
        KeyboardInterrupt: stopped; what has ended is stored.
    """
    if workers < 1:
        raise StudyError(f"workers {workers} must be at least 1")
    if spec.mode == "alone" and workers > 1:
        raise StudyError(f"mode alone takes the machine to itself: --workers {workers} must be 1")
    stopwatch = Stopwatch()
    machine = this_machine()
    folder = folder_of(spec, out)
    store = Store(folder)
    with store.writing(), _terminable():
        images = _images(spec.dataset, stopwatch)
        _claim(store, spec, images.digest, machine)
        times = calibration_of(folder, shared=out is None)
        context = Context(spec.name, machine.name, machine.fingerprint, versions(), workers)
        stored = store.runs()
        todo = plan(spec, {run.id for run in stored}, times, workers)
        engine = _once(factory, images, stopwatch)
        bar = Bar(spec, stored, todo, workers, enabled=progress)
        try:
            if todo.uncalibrated:
                with stopwatch.part("calibrate"):
                    calibration.measure(times, todo.uncalibrated, engine(), stopwatch.clock, bar.calibrating)
                todo = plan(spec, {run.id for run in stored}, times, workers)
            bar.start(todo, times)

            def emit(run: Run, finish: Finish | None) -> None:
                store.append(run, finish)
                stored.append(run)
                bar.ended(run)

            jobs = [(list(trials), _step_seconds(trials, times)) for trials in todo.groups]
            if workers == 1:
                for trials, step_seconds in jobs:
                    speeds: list[tuple[int, float]] = []
                    train(trials, step_seconds, engine(), context, emit, stopwatch, partial(_watch, bar, trials, speeds))
                    _learn_speed(times, trials[0], speeds)
            elif jobs:
                with stopwatch.part("workers"):
                    work(jobs, spec.dataset, factory, context, emit, workers)
            bar.note("validation curves")
            wanted = {trial.id for trial in spec.trials()}
            curves.train(store, [run for run in stored if run.id in wanted], engine, stopwatch, bar.curve)
        finally:
            bar.close()
            append_line(store.spent_path, {"at": datetime.now(UTC).isoformat(timespec="seconds"), "workers": workers, **stopwatch.parts()})
    return folder


def calibrate(
    spec: StudySpec, out: str | Path | None = None, *, factory: EngineFactory = tensorflow_engine, again: bool = False
) -> Calibration:
    """Measure the step times that the spec needs and this machine lacks; all of them with `again`."""
    folder = folder_of(spec, out)
    with Store(folder).writing(), _terminable():
        times = calibration_of(folder, shared=out is None)
        if again:
            times.times = {}
        missing = times.missing(spec.trials())
        if missing:
            with tqdm(total=1, desc="step times", bar_format="{desc} {percentage:3.0f}% {bar} {elapsed}") as bar:

                def watch(done: int, total: int) -> None:
                    bar.total, bar.n = total, done
                    bar.refresh()

                calibration.measure(times, missing, factory(data.load(spec.dataset)), watch=watch)
    return times


def verify(
    folder: Path, count: int, seed: int, *, factory: EngineFactory = tensorflow_engine
) -> tuple[list[verification.Check], dict[str, float | int]]:
    """Train `count` stored trials of mode array again alone; return the comparisons and their summary. Nothing is stored.

    Raises:
        StudyError: no such study, another machine's, or nothing in it to verify.
    """
    store = Store(folder)
    spec = store.spec()
    mine = this_machine().fingerprint
    runs = [run for run in store.runs() if run.seconds_source == "reconstructed" and run.fingerprint == mine]
    chosen = verification.choose(runs, count, seed)
    if not chosen:
        raise StudyError(f"{folder} holds no trial of mode array that was run on this machine: nothing to verify")
    with tqdm(total=len(chosen), desc="alone", leave=False) as bar:
        checks = verification.verify(chosen, factory(data.load(spec.dataset)), lambda _: bar.update(1))
    return checks, verification.summary(checks)


def _images(dataset: str, stopwatch: Stopwatch) -> data.Images:
    with stopwatch.part("data"):
        return data.load(dataset)


def _once(factory: EngineFactory, images: data.Images, stopwatch: Stopwatch) -> Callable[[], Engine]:
    """A function that makes the engine when it is first needed, TensorFlow's import included."""
    made: list[Engine] = []

    def engine() -> Engine:
        if not made:
            with stopwatch.part("import"):
                made.append(factory(images))
        return made[0]

    return engine


def _claim(store: Store, spec: StudySpec, digest: str, machine: Machine) -> None:
    """Write what the folder is about, unless it is about something else."""
    if store.spec_path.exists():
        there = store.spec()
        different = there.differences(spec)
        if different:
            listed = "; ".join(f"{name} is {getattr(there, name)} there, {getattr(spec, name)} here" for name in different)
            raise StudyError(f"{store.folder} holds a study under another protocol ({listed}): give another --out")
        stored_digest = json.loads(store.spec_path.read_text(encoding="utf-8")).get("dataset_md5")
        if stored_digest != digest:
            raise StudyError(f"{store.folder} was run on other data (MD5 {stored_digest}, now {digest}): give another --out")
    store.write(store.spec_path, {"schema": SCHEMA, "dataset_md5": digest, "spec": spec.to_json()})
    store.write(store.folder / "machine.json", {**machine.to_json(), "versions": versions()})


def _step_seconds(trials: Sequence[Trial], times: Calibration) -> list[float] | None:
    """The trials' step times, all of them measured by now; None in mode alone, where the clock itself is read."""
    known = [times.seconds(trial) for trial in trials]
    return None if trials[0].mode == "alone" else [seconds for seconds in known if seconds is not None]


def _watch(bar: Bar, trials: Sequence[Trial], speeds: list[tuple[int, float]], progress: Progress) -> None:
    speeds.append((progress.array, progress.seconds / trials[0].check_every / progress.array))
    bar.step(progress, trials)


def _learn_speed(times: Calibration, trial: Trial, speeds: Sequence[tuple[int, float]]) -> None:
    """Keep the lane's step time in the largest array, for plans to come."""
    if trial.mode == "alone" or not speeds:
        return
    largest = max(size for size, _ in speeds)
    seconds = [value for size, value in speeds if size == largest]
    key = calibration.key_of(trial, "mixed")
    known = times.times.get(key)
    if known is None or largest >= known.lanes:
        times.add([times.entry(key, largest, seconds, trial.check_every)])


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises `Terminated`, so that it stops as cleanly as Ctrl-C."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
