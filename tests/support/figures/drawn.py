"""Every figure of the package, of several data: made up, tiny, huge and stored ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from study import figures, from_frame, tables
from study.search.finder import Sweep
from study.search.population import Member, Population, Round
from study.search.staircase import Row, Staircase
from study.spec.study import StudySpec
from study.storage.store import Store
from study.tables import case_study, contests
from support import imports as elsewhere
from support import sizes
from support.known import made_up, sparse
from support.made import made
from support.own import studies
from support.paths import ROOT
from support.published import GRID, in_band
from support.tables import imports

STORED = ROOT / "results" / "amd-epyc-2-cores"
UNITS = (1e-4, 1e6)
"""Of the seconds of one truth; stored and published studies have usual ones."""

Data = tuple[Any, ...]
"""What a figure's function is called with."""


def grid(unit: float) -> Data:
    """The known study, its seconds in another unit."""
    return (tables.frame(made_up(unit=unit)),)


def nothing(unit: float) -> Data:
    """The same, of which one trial alone arrived."""
    return (tables.frame(sparse()),)


def few(count: float) -> Data:
    """A study of so many rates, of which one optimizer's last arrives."""
    spec = StudySpec(optimizers=("sgd", "adam"), rates=f"1e-3:2e-3:{count:g}", cap=10.0)
    last = spec.trials()[-1].id
    return (made(spec, lambda trial: 2.5 if trial.id == last else "stuck"),)


def published(seeds: float) -> Data:
    """The published grid."""
    return (made(GRID.with_(seeds=int(seeds)), in_band),)


def imported(_: float) -> Data:
    """The published grid as it was measured."""
    return (tables.load(imports.grid()),)


@cache
def _foreign(metric: str) -> Any:
    with TemporaryDirectory() as folder:
        return from_frame(pd.DataFrame(elsewhere.rows()), folder, metric=metric)


def foreign(place: float) -> Data:
    """Results from elsewhere, by their accuracy or their loss."""
    return (_foreign(("val_acc", "loss")[int(place)]),)


def imported_sizes(_: float) -> Data:
    """The published sizes as they were measured."""
    return (tables.load(imports.sizes()),)


def imported_curves(_: float) -> Data:
    """The published curves, without the grid."""
    study = tables.stored(imports.curves_alone())
    return study.curves, study.spec


def against_imported(_: float) -> Data:
    """A study of this project over the published one."""
    return ({"a": grid(1.0)[0], "b": imported(0)[0]},)


def stored(_: float) -> Data:
    """A stored study."""
    return (tables.load(STORED / "quick-reference"),)


def two(unit: float) -> Data:
    """Two studies, one a little slower."""
    return ({"a": grid(unit)[0], "b": grid(1.07 * unit)[0]},)


def two_by_steps(unit: float) -> Data:
    """The same, by their steps."""
    return (*two(unit), "steps")


def of_sizes(slope: float) -> Data:
    """A study of sizes, seconds times a factor."""
    spec = sizes.SPEC.with_(cap=3.0 * slope, seeds=1)
    return (made(spec, lambda trial: slope * sizes.takes(trial)),)


def near(target: float) -> Data:
    """Curves and runs of a study near a target."""
    curves = tables.curves(STORED / "quick-reference")
    (runs,) = stored(0)
    accuracy = target + (curves["accuracy"] - 0.97) / 10
    return curves.assign(accuracy=accuracy), runs.assign(target=target)


def swept(level: float) -> Data:
    """A sweep whose loss falls from a level by a little, and blows up."""
    rates = np.geomspace(1e-4, 10.0, 80)
    falls = np.r_[np.linspace(0, 1, 50), np.linspace(1, -3, 30)]
    losses = level - 1e-4 * falls
    return (Sweep(rates, losses, losses, falls / 40 + 0.1, "log", "end", 80),)


def swept_evenly(high: float) -> Data:
    """A sweep whose rates rise by equal steps."""
    rates, losses = np.linspace(high / 80, high, 80), np.linspace(2.3, 0.5, 80)
    return (Sweep(rates, losses, losses, np.empty(0), "linear", "end", 80),)


def stairs(level: float) -> Data:
    """A staircase whose loss falls from a level to 0.01 % below."""
    rows = (Row(i, 10.0 ** (i - 4), 1, 10 * i, level * (1 - 2e-5 * i), 0.5) for i in range(6))
    return (Staircase(tuple(rows), fresh=True),)


def grown(score: float) -> Data:
    """A population of two whose accuracy rises a little from a score."""
    rounds = tuple(
        Round((Member(0.3 + k, 0.5, 0), Member(0.5, 0.5, 1)), (score + 1e-4 * k, score), 25 * k)
        for k in range(1, 5)
    )
    return Population(rounds, 25, 200, 1.0, 0.5), "made up"


def decays(steps: float) -> Data:
    """Schedules that decay, over so many steps."""
    return figures.DECAYS, int(steps), "made up"


def cosine(rate: float) -> Data:
    """One schedule from a rate, over more steps the higher it is."""
    return {"a": "cosine:steps=5"}, rate, 5 + round(10 * rate), "made up"


def cyclical(factor: float) -> Data:
    """The stored case study, its errors times a factor."""
    rows = case_study.read(STORED / "cycles")
    return (rows.assign(test_error=factor * rows["test_error"]),)


def contest(factor: float) -> Data:
    """The stored contest, its regrets and seconds times a factor."""
    picks = contests.read(STORED / "contest-again")
    picks[["regret", "search_seconds"]] *= factor
    return picks, contests.summary(picks)


def picked(_: float) -> Data:
    """The stored contest and its grid."""
    return contests.read(STORED / "contest-again"), tables.load(STORED / "article")


def own(number: float) -> Data:
    """A study of the user's own model, its metric a loss or an accuracy; of one half of them."""
    specs = (studies.LOSS, studies.ACCURACY)
    runs = studies.frame(specs[int(number) % 2])
    return (runs if number < 2 else runs[::2],)


def own_nothing(number: float) -> Data:
    """The same, of which nothing arrived."""
    spec = (studies.LOSS, studies.ACCURACY)[int(number)]
    return (tables.frame(studies.nothing(spec), spec.optimizers),)


def own_sizes(_: float) -> Data:
    """Five sizes of it."""
    return (studies.frame(studies.SIZES),)


def own_curves(number: float) -> Data:
    """Its curves and runs."""
    spec = (studies.LOSS, studies.ACCURACY, studies.SIZES)[int(number)]
    return studies.curves(spec), studies.frame(spec.with_(widths=(1.0,)))


def own_two(number: float) -> Data:
    """Two studies of it, which differ in their optimizers."""
    return ({"a": own(0)[0], "b": own(1)[0]}, ("seconds", "steps")[int(number)])


def own_picked(_: float) -> Data:
    """Picks for its optimizers, and its grid."""
    return studies.picks(), own(0)[0]


def own_contest(_: float) -> Data:
    """What they are worth."""
    return studies.picks(), contests.summary(studies.picks())


def own_grown(score: float) -> Data:
    """A population whose scores are losses."""
    return (*grown(score), "val_loss")


def rising(share: float) -> Data:
    """Steps as the target of a stored study rises; of some of its trials."""
    study = tables.stored(STORED / "quick-reference")
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        with store.writing():
            store.write_spec(study.spec, "made up")
            for run in study.records[: round(share * len(study.records))]:
                store.append_checks(study.checks[run.id])
                store.append(run)
        return tables.targets(folder), tables.load(folder)


def of_every_schedule(_: float) -> Data:
    """Nothing: what is shown is fixed."""
    return ()


Maker = Callable[[float], Data]

GRIDS: dict[Maker, tuple[float, ...]] = {
    grid: UNITS,
    few: (2, 40),
    nothing: (1,),
    published: (1,),
    imported: (1,),
    stored: (1,),
    own: (0, 1, 2, 3),
    own_nothing: (0, 1),
}
SIZES: dict[Maker, tuple[float, ...]] = {
    of_sizes: (0.1, 1e5),
    imported_sizes: (1,),
    own_sizes: (1,),
}
DATA: dict[Callable[..., Figure | dict[str, Figure]], dict[Maker, tuple[float, ...]]] = {
    figures.valley: GRIDS,
    figures.envelope: GRIDS,
    figures.profile: GRIDS,
    figures.final: {foreign: (0, 1)},
    figures.overlays: {two: UNITS, against_imported: (1,)},
    figures.overlay: {two: UNITS, two_by_steps: (1,), against_imported: (1,), own_two: (0, 1)},
    figures.targets: {rising: (0.5,)},
    figures.curves: {near: (0.3, 0.999), imported_curves: (1,), own_curves: (0, 1, 2)},
    figures.size: SIZES,
    figures.sizes: SIZES,
    figures.size_valley: SIZES,
    figures.slopes: SIZES,
    figures.size_parts: {of_sizes: (0.1, 1e5), own_sizes: (1,)},
    figures.schedules: {decays: (1, 99_999)},
    figures.decay: {cosine: (1e-6, 0.1, 250_000)},
    figures.every_schedule: {of_every_schedule: (1,)},
    figures.sweep: {swept: (1e-5, 2.3, 20_000), swept_evenly: (1e-5, 0.125)},
    figures.staircase: {stairs: (1e-6, 2.3, 123_456)},
    figures.lineage: {grown: (0.5, 0.97), own_grown: (0.02, 1.7)},
    figures.cycles: {cyclical: (0.01, 1)},
    figures.costs: {contest: (1e-4, 1e6), own_contest: (1,)},
    figures.picks: {picked: (1,), own_picked: (1,)},
}
"""Every function that draws, the data that it is given, and what is varied in them."""


def drawn(function: Callable[..., Figure | dict[str, Figure]], data: Data) -> list[Figure]:
    """The figures of a function, each laid out, so that its ticks are placed."""
    found = function(*data)
    several = list(found.values()) if isinstance(found, dict) else [found]
    for figure in several:
        figure.draw_without_rendering()
    return several
