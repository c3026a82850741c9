"""The published project's result files (2018, one Tesla K80) as studies of this project."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mode

from study.errors import StudyError
from study.spec.networks import network_of
from study.spec.study import StudySpec
from study.spec.trial import OPTIMIZERS, Trial
from study.storage.checks import Curve
from study.storage.published.files import Point, Result, read
from study.storage.published.looks import spacing
from study.storage.published.protocol import (
    ABSENT,
    CAPS,
    MACHINE,
    MACHINE_NAME,
    TARGETS,
    Protocol,
    machine_json,
    protocol_of,
)
from study.storage.published.sheets import Other
from study.storage.records import Outcome, Run, little_told
from study.storage.store import Store
from study.validation import choice

EARLY = 0.9
"""A trial that ended before this share of the cap did not run out of time."""


@dataclass(frozen=True)
class Imported:
    """A study that was made of published files.

    Args:
        spec: the study.
        runs: its trials, those that were assumed included.
        curves: its validation curves.
        protocol: what is known of how it was measured.
    """

    spec: StudySpec
    runs: tuple[Run, ...]
    curves: tuple[Curve, ...]
    protocol: Protocol


@dataclass(frozen=True)
class Import:
    """What an import made.

    Args:
        studies: the studies by their folders.
        others: files and sheets without a known table, which were left out.
        training_rows: rows of training accuracy, which were left out.
    """

    studies: dict[Path, Imported]
    others: tuple[Other, ...]
    training_rows: int


def import_published(
    files: Sequence[str | Path],
    out: str | Path,
    target: float | None = None,
    absent: str = "capped",
) -> Import:
    """Write what the files hold as a study; as several, each in a folder, if they hold several.

    Tables of one model size belong to the `grid` (target 97 %, cap 120 s), tables of several to the
    `sizes` (96 %, 240 s). Validation curves belong to the grid, or are a study `curves` without it.
    Equal rows count once. Repeated measurements of one configuration become seeds. The number of
    seeds is the most common number of repeats. Results of a rate that changed in training are left
    out, and so is training accuracy.

    Args:
        files: CSV files and spreadsheets. A folder stands for those in it.
        out: the new study's folder.
        target: accuracy that counts as success, in files that state the accuracy; the published
            one if None.
        absent: what a size without a row is taken for: `capped`, as the published file leaves out
            what failed, or `unknown`.

    Returns:
        The studies, and what was left out.

    Raises:
        StudyError: a file that cannot be read, with its sheet, row and column; nothing to import; a
            folder that holds a study; or an unknown word for `absent`.
    """
    choice("absent", absent, ABSENT)
    found = read(files)
    kinds: dict[str, list[Result]] = {}
    for table in found.results:
        kind = "sizes" if len({result.width for result in table}) > 1 else "grid"
        kinds.setdefault(kind, []).extend(table)
    kinds = {kind: list(dict.fromkeys(results)) for kind, results in kinds.items() if results}
    curves = _curves([point for point in found.points if not point.training])
    if curves and "grid" not in kinds:
        kinds["curves"] = []
    if not kinds:
        raise StudyError(
            f"no result at a fixed rate in {', '.join(map(str, files))}: nothing to import"
        )
    places = {kind: Path(out) if len(kinds) == 1 else Path(out) / kind for kind in kinds}
    for folder in (Path(out), *places.values(), *(Path(out) / kind for kind in TARGETS)):
        if Store(folder).spec_path.exists() or Store(folder).runs():
            raise StudyError(f"{folder} holds a study already: give another --out")
    written = {}
    for kind, results in kinds.items():
        of_kind = TARGETS[kind] if target is None else target
        study = (
            _study(kind, results, of_kind, absent, () if kind == "sizes" else curves)
            if results
            else _of_curves(curves, of_kind)
        )
        _write(places[kind], study)
        written[places[kind]] = study
    return Import(written, found.others, sum(point.training for point in found.points))


def _study(
    kind: str, results: Sequence[Result], target: float, absent: str, curves: tuple[Curve, ...]
) -> Imported:
    """The study that holds these results."""
    repeats: dict[tuple[str, float, float], list[Result]] = {}
    for result in results:
        repeats.setdefault((result.optimizer, result.rate, result.width), []).append(result)
    arrived = [result for result in results if result.reached(target)]
    spec = _spec(
        kind,
        target,
        [key[0] for key in repeats],
        rates=tuple(sorted({key[1] for key in repeats})),
        widths=tuple(sorted({key[2] for key in repeats})),
        seeds=mode(map(len, repeats.values())),
        # A trial that was capped took until its last look, a little longer than the cap.
        cap=max([CAPS[kind], *(math.ceil(_seconds(result)) for result in arrived)]),
    )
    cells = {(trial.optimizer, trial.learning_rate, trial.width): trial for trial in spec.trials()}
    runs = [
        _run(spec, replace(cells[key], seed=seed), result)
        for key, same in repeats.items()
        for seed, result in enumerate(same)
    ]
    assumed = []
    if kind == "sizes" and absent == "capped":
        assumed = [_assumed(spec, cells[key]) for key in cells if key not in repeats]
    looks = None
    if kind == "grid":
        looks = spacing(
            [_seconds(result) for result in arrived if result.optimizer == name]
            for name in spec.optimizers
        )
    protocol = protocol_of(kind, looks, absent, len(assumed), bool(curves))
    return Imported(spec, (*runs, *assumed), curves, protocol)


def _of_curves(curves: tuple[Curve, ...], target: float) -> Imported:
    """The study of validation curves alone: the protocol of the grid, and no trials."""
    spec = _spec("curves", target, [curve.optimizer for curve in curves], cap=CAPS["curves"])
    return Imported(spec, (), curves, protocol_of("curves", None, "unknown", 0, bool(curves)))


def _spec(kind: str, target: float, optimizers: Iterable[str], **grid: object) -> StudySpec:
    """A published study: its grid, under the protocol that all share."""
    names = set(optimizers)
    return StudySpec(
        name=f"published-{kind}",
        optimizers=tuple(name for name in OPTIMIZERS if name in names),
        network="tutorial",
        target=target,
        metric="cumulative",
        mode="alone",
    ).with_(**grid)


def _curves(points: Iterable[Point]) -> tuple[Curve, ...]:
    """The validation curves, one an optimizer; a curve covers the seconds to its last point."""
    found = []
    by_name: dict[str, list[Point]] = {}
    for point in sorted(set(points), key=lambda point: point.seconds):
        by_name.setdefault(point.optimizer, []).append(point)
    for name in [name for name in OPTIMIZERS if name in by_name]:
        mine = by_name[name]
        found.append(
            Curve(
                id=f"published-{name}",
                check_every=None,
                accuracy=tuple(point.accuracy for point in mine),
                loss=(),
                optimizer=name,
                learning_rate=None,
                width=1.0,
                seed=0,
                step_seconds=None,
                span=mine[-1].seconds,
                seconds=tuple(point.seconds for point in mine),
            )
        )
    return tuple(found)


def _seconds(result: Result) -> float:
    return result.success_seconds or result.seconds


def _run(spec: StudySpec, trial: Trial, result: Result) -> Run:
    """The run of a result."""
    # The cap was not what ended a trial that stopped long before it, below the target.
    early = result.accuracy is not None and (
        result.seconds < EARLY * CAPS[spec.name.removeprefix("published-")]
    )
    unsuccessful = Outcome.PRUNED if early else Outcome.CAPPED
    return replace(
        _assumed(spec, trial),
        outcome=Outcome.REACHED if result.reached(spec.target) else unsuccessful,
        seconds=_seconds(result),
        seconds_source="measured",
        accuracy=result.accuracy,
        best_accuracy=result.accuracy,
    )


def _assumed(spec: StudySpec, trial: Trial) -> Run:
    """The run of a trial without a row, taken as capped. Its steps are not known."""
    net = network_of(trial)
    return little_told(
        trial,
        spec.name,
        weights=net.weights,
        multiply_adds=net.multiply_adds,
        seconds=spec.cap or 0.0,
        seconds_source="assumed",
        machine=MACHINE_NAME,
        fingerprint=MACHINE.fingerprint,
        versions={"tensorflow": "1"},
        started_at="2018",
        processor="not published",
    )


def _write(folder: Path, study: Imported) -> None:
    store = Store(folder)
    with store.writing():
        for run in study.runs:
            store.append(run)
        if study.curves:
            store.write_curves([asdict(curve) for curve in study.curves])
        store.write(store.machine_path, machine_json(study.protocol))
        rows = [path for path in (store.runs_path, store.curves_path) if path.exists()]
        text = b"".join(path.read_bytes() for path in rows)
        digest = hashlib.md5(text, usedforsecurity=False).hexdigest()
        store.write_spec(study.spec, f"not published; runs {digest}")
