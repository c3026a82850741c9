"""The rates that `auto` stands for: those around the best rate of another study."""

from __future__ import annotations

from pathlib import Path

from study import tables
from study.errors import StudyError
from study.execution.study_folder import RESULTS, folder_of
from study.machine.here import this_machine
from study.spec.presets import preset
from study.spec.study import StudySpec
from study.storage.store import Store
from study.validation import home


def rates_around(
    what: str, spec: StudySpec, out: str | Path | None
) -> tuple[tuple[float, ...], Path]:
    """The rates that `auto` stands for, and the study that they come from: six around the best rate
    of the spec's optimizer.

    `auto:DIR` takes the study in DIR; `auto` takes `article`, `tutorial` or `quick` here, the
    first of the same network, data, batch, hyper-parameters and schedule in which all of the
    optimizer's trials have ended. A study stored in `out` already keeps its rates.

    Raises:
        StudyError: several optimizers, no such study, or one in which the optimizer arrived
            nowhere.
    """
    if len(spec.optimizers) != 1:
        raise StudyError(
            f"rates {what} are around one optimizer's best, and the study has "
            f"{', '.join(spec.optimizers)}: name one"
        )
    mine, named = folder_of(spec, out), what.partition(":")[2]
    named = str(home(named)) if named else ""
    if named:
        Store(Path(named)).spec()  # refuses what is no study
    if Store(mine).spec_path.exists():
        return tuple(float(rate) for rate in Store(mine).spec().rates), mine
    if named:
        return tables.rates_around(tables.load(named), spec.optimizers[0]), Path(named)
    names = ("article", "tutorial", "quick")
    places = (RESULTS, RESULTS / this_machine().name)
    for folder in (place / name for name in names for place in places):
        if not (folder / "spec.json").exists():
            continue
        there = Store(folder).spec()
        runs = tables.load(folder)
        whole = len(runs) and (runs["optimizer"] == spec.optimizers[0]).sum() >= len(there) / len(
            there.optimizers
        )
        if whole and all(
            getattr(there, field) == getattr(spec, field)
            for field in ("network", "dataset", "batch", "hyper", "schedule")
        ):
            return tables.rates_around(runs, spec.optimizers[0]), folder
    wanted = (
        f"a finished grid study of the {spec.network} network with {spec.optimizers[0]} in "
        f"{RESULTS}"
    )
    first = [name for name in names if preset(name).network == spec.network]
    raise StudyError(
        f"--rates auto needs {wanted}: run {' or '.join(first) or 'one'} first, or name a study's "
        "folder, as in auto:DIR"
    )
