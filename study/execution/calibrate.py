"""Measures the step times that a study needs, and checks stored ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from study.engines.choice import TENSORFLOW, data_of, site_of
from study.errors import StudyError
from study.execution.executors.base import EngineFactory
from study.execution.measuring import measure_here
from study.execution.own_model import trainer_of, with_model
from study.execution.request import Request
from study.execution.study_folder import calibration_of, folder_of
from study.machine.quiet import Meter
from study.spec.own import refuse
from study.spec.study import StudySpec
from study.storage.calibration import Calibration
from study.storage.step_times import key_of
from study.storage.store import Store
from study.training import verification
from study.training.stopwatch import Stopwatch


def calibrate(
    spec: StudySpec,
    out: str | Path | None = None,
    *,
    factory: EngineFactory = TENSORFLOW,
    again: bool = False,
    patience: float = 0.0,
    warn: Callable[[list[str]], None] = lambda sentences: None,
) -> Calibration:
    """Measure the step times that the spec needs and this machine lacks; with `again`, take another
    reading of those that it has, too.

    `patience` is how many seconds to wait for a quiet machine first; `warn` is told of readings
    that differ much from what was known, and of a machine that was busy.
    """
    refuse(spec.network, "programs need no step times")
    asked = Request(spec, out, patience=patience, factory=factory)
    request, source = with_model(asked, Stopwatch())
    spec, site = request.spec, site_of(request.factory)
    folder = folder_of(spec, out, site)
    with Store(folder).writing():
        times = calibration_of(folder, out is None, site)
        if again:
            times.forget_arrays(spec.trials())
        kinds = list({key_of(trial): trial for trial in spec.trials()}.values())
        missing = kinds if again else times.missing(spec.trials())
        if missing:
            warn(measure_here(times, missing, request, source))
    return times


def verify(
    folder: Path,
    count: int,
    seed: int,
    *,
    factory: EngineFactory = TENSORFLOW,
    warn: Callable[[list[str]], None] = lambda sentences: None,
) -> tuple[list[verification.Verification], dict[str, float | int]]:
    """Train `count` stored trials of mode array again alone; return the comparisons and their
    summary. Nothing is stored; `warn` is told if the machine was busy meanwhile.

    Raises:
        StudyError: no such study, another machine's, or nothing in it to verify.
    """
    store = Store(folder)
    spec = store.spec()
    refuse(spec.network, "there is nothing to verify in a study of programs")
    factory = trainer_of(spec, factory)
    mine = site_of(factory)
    runs = [
        run
        for run in store.runs()
        if run.seconds_source == "reconstructed"
        and run.fingerprint == run.clock == mine.machine.fingerprint
    ]
    chosen = verification.choose(
        [run for run in runs if (run.engine, run.precision) == (mine.engine, mine.precision)],
        count,
        seed,
    )
    if not chosen:
        there = f"{mine.machine.name} with {mine.engine} in {mine.precision}"
        raise StudyError(
            f"{folder} holds no trial of mode array that was run on this machine ({there}): "
            "nothing to verify"
        )
    with tqdm(total=len(chosen), desc="alone", leave=False) as bar:
        engine, meter = factory(data_of(factory, spec.dataset)), Meter()
        checks = verification.verify(chosen, engine, lambda _: bar.update(1), beside=True)
    load = meter.read()
    if not load.quiet:
        warn(
            [
                (
                    f"the machine is busy ({load}), so the trials took longer alone than they "
                    "do on "
                    "a quiet one"
                )
            ]
        )
    return checks, verification.summary(checks)
