"""The published project's result files (2018, one Tesla K80) as studies of this project."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mode

from study.errors import StudyError
from study.machine.facts import Machine
from study.spec.networks import network_of
from study.spec.study import StudySpec
from study.spec.trial import OPTIMIZERS, Trial
from study.storage.published.files import Result, read_results
from study.storage.records import Outcome, Run
from study.storage.store import Store

MACHINE_NAME = "published K80"


MACHINE = Machine(
    cpu="not published", cores=0, memory_gb=0, gpus=("Tesla K80",), system="not published"
)


TARGETS = {"grid": 0.97, "sizes": 0.96}


CAPS = {"grid": 120.0, "sizes": 240.0}
"""Seconds after which the published code stopped, by what was varied."""


EARLY = 0.9
"""A trial that ended before this share of the cap did not run out of time."""


def import_published(
    files: Sequence[str | Path], out: str | Path, target: float | None = None
) -> dict[Path, tuple[StudySpec, int]]:
    """Write the results in the files as a study; as two, `grid` and `sizes`, if they hold both.

    Sheets of one model size belong to the grid (target 97 %, cap 120 s), sheets of several to the
    sizes (96 %, 240 s). Equal rows count once. Repeated measurements of one configuration become
    seeds. The number of seeds is the most common number of repeats. Results of a rate that changed
    in training are left out.

    Args:
        files: CSV files and spreadsheets.
        out: the new study's folder.
        target: accuracy that counts as success, in files that state the accuracy; the published
            one if None.

    Returns:
        The spec and the number of trials of each study, by its folder.

    Raises:
        StudyError: a file that cannot be read, with its sheet, row and column; no results in it; or
            a folder that holds a study.
    """
    kinds: dict[str, list[Result]] = {}
    for path in map(Path, files):
        for results in read_results(path):
            kind = "sizes" if len({result.width for result in results}) > 1 else "grid"
            kinds.setdefault(kind, []).extend(results)
    kinds = {kind: list(dict.fromkeys(results)) for kind, results in kinds.items() if results}
    if not kinds:
        raise StudyError(
            "no result at a fixed rate in "
            f"{', '.join(str(file) for file in files) or 'no file'}: nothing to import"
        )
    places = {kind: Path(out) if len(kinds) == 1 else Path(out) / kind for kind in kinds}
    for folder in places.values():
        if Store(folder).spec_path.exists() or Store(folder).runs():
            raise StudyError(f"{folder} holds a study already: give another --out")
    written = {}
    for kind, results in kinds.items():
        folder = places[kind]
        spec, runs = _study(kind, results, TARGETS[kind] if target is None else target)
        _write(folder, spec, runs)
        written[folder] = (spec, len(runs))
    return written


def _study(kind: str, results: Sequence[Result], target: float) -> tuple[StudySpec, list[Run]]:
    """The study that holds these results, and its runs."""
    repeats: dict[tuple[str, float, float], list[Result]] = {}
    for result in results:
        repeats.setdefault((result.optimizer, result.rate, result.width), []).append(result)
    spec = StudySpec(
        name=f"published-{kind}",
        optimizers=tuple(name for name in OPTIMIZERS if any(key[0] == name for key in repeats)),
        rates=tuple(sorted({key[1] for key in repeats})),
        widths=tuple(sorted({key[2] for key in repeats})),
        seeds=mode(map(len, repeats.values())),
        network="tutorial",
        target=target,
        metric="cumulative",
        cap=max(
            CAPS[kind],
            math.ceil(max(result.success_seconds or result.seconds for result in results)),
        ),
        mode="alone",
    )
    cells = {(trial.optimizer, trial.learning_rate, trial.width): trial for trial in spec.trials()}
    runs = [
        _run(spec, replace(cells[key], seed=seed), result)
        for key, same in repeats.items()
        for seed, result in enumerate(same)
    ]
    return spec, runs


def _run(spec: StudySpec, trial: Trial, result: Result) -> Run:
    """The run of a result. Its steps are not known."""
    # The cap was not what ended a trial that stopped long before it, below the target.
    early = result.accuracy is not None and (
        result.seconds < EARLY * CAPS[spec.name.removeprefix("published-")]
    )
    unsuccessful = Outcome.PRUNED if early else Outcome.CAPPED
    net = network_of(trial)
    return Run(
        trial=trial,
        study=spec.name,
        weights=net.weights,
        multiply_adds=net.multiply_adds,
        outcome=Outcome.REACHED if result.reached(spec.target) else unsuccessful,
        steps=None,
        seconds=result.success_seconds or result.seconds,
        seconds_source="measured",
        step_seconds=None,
        accuracy=result.accuracy,
        best_accuracy=result.accuracy,
        error=None,
        lanes=1,
        jobs=1,
        machine=MACHINE_NAME,
        fingerprint=MACHINE.fingerprint,
        versions={"tensorflow": "1"},
        started_at="2018",
        processor="not published",
    )


def _write(folder: Path, spec: StudySpec, runs: Iterable[Run]) -> None:
    store = Store(folder)
    with store.writing():
        for run in runs:
            store.append(run)
        store.write(store.machine_path, {**MACHINE.to_json(), "name": MACHINE_NAME})
        digest = hashlib.md5(store.runs_path.read_bytes(), usedforsecurity=False).hexdigest()
        store.write_spec(spec, f"not published; runs {digest}")
