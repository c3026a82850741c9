"""The sections of the report as plain values: texts, rows of texts, pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from study import claims, figures, tables
from study.figures.style.titles import unit_of
from study.report.pictures import Picture, picture
from study.report.protocol import Folded, folded, protocol
from study.spec.goals import has_target, label
from study.spec.own import is_foreign
from study.tables import case_study, contests, fits, intervals
from study.words import per_weights

CLOCKS = {"reconstructed": "steps x the time of a step measured alone"}
"""How seconds were measured, where they were not read off the clock."""


ENOUGH = f"{fits.ENOUGH:g}"


Row = dict[str, str]
"""A row of a table: its texts by the column."""


def read(folder: tables.Source, machine: str | None = None) -> tables.StoredStudy:
    """Read a study for the report.

    Args:
        folder: the study's folder, or a `StoredStudy`.
        machine: whose trials to take, see `tables.load`.

    Returns:
        The study, in memory.

    Raises:
        StudyError: the folder holds no study, a line that cannot be read, no finished trial, or
            trials that must not share a table.
    """
    study = tables.stored(folder, machine)
    tables.comparable(study.some_runs, study.folder)
    return study


@dataclass(frozen=True)
class Summary:
    """The head of a study's section.

    Args:
        protocol: what the study did, in sentences.
        stored: the number of trials that are stored.
        asked: of how many; an import has no others.
        machine: where they trained.
        software: engine, version and precision that trained them.
        clock: how seconds were measured.
        folded: what is told of a model of the user's own to those who ask.
    """

    protocol: str
    stored: int
    asked: int
    machine: str
    software: str
    clock: str
    folded: list[Folded]


def summary(study: tables.StoredStudy) -> Summary:
    """The head of a study's section."""
    runs = study.runs
    told = runs[runs["seconds_source"] != "assumed"]
    stored = int(told["id"].isin([trial.id for trial in study.spec.trials()]).sum())
    versions = study.records[0].versions.items()
    software = ", ".join(f"{key} {value}" for key, value in versions) or "software not told"
    clock = CLOCKS.get(str(runs["seconds_source"].iloc[0]), "read off the clock")
    if study.published is not None and "final" in runs:
        known = tables.timed(runs)
        clock = str(known["counted"].iloc[0]) if "counted" in known else "those of its source"
    trained = study.spec if is_foreign(study.spec.network) else study.store.spec()
    read = "".join(f" {said[:1].upper()}{said[1:]}." for said in tables.of_the_aim(study))
    said = protocol(trained, looks_known=study.published is None) + read
    machine = str(runs["clock_machine"].iloc[0])
    asked = stored if "final" in runs else len(study.spec)
    return Summary(said, stored, asked, machine, software, clock, folded(study.spec))


def notes(study: tables.StoredStudy) -> list[str]:
    """What the data are too few, too narrow or too noisy to say."""
    return tables.warnings(study)


def best_rates(study: tables.StoredStudy) -> list[Row]:
    """The table of best rates, with intervals if there are enough seeds.

    Of many widths the ends and the middle are shown.
    """
    untold = not has_target(study.spec.target) or tables.timeless(study.runs)
    if "final" in study.runs and untold:
        return _best_final(study)
    table = study.best
    counted = "seconds" not in table  # they are not told, and steps are
    unit = unit_of(tables.timed(study.runs))
    if counted:
        renamed = {f"steps{end}": f"seconds{end}" for end in ("", "_low", "_high")}
        table = table.rename(columns=renamed)
    if table["width"].nunique() > figures.MOST_WIDTHS:
        ends = sorted(set(table["width"]))
        table = table[table["width"].isin([ends[0], ends[len(ends) // 2], ends[-1]])]
    draw = ", one draw" if set(table["seeds"]) == {1} else ""
    return [
        {
            "optimizer": figures.label_of(str(row.optimizer)),
            "width": f"{row.width:g}",
            "rates that work": f"{row.arrived} of {row.rates}",
            "from": _number(row.lowest),
            "to": _number(row.highest),
            "best rate": _interval(row.best_rate, row.best_low, row.best_high) + _tie(row),
            f"{unit}{draw}": _interval(row.seconds, row.seconds_low, row.seconds_high),
            **({} if counted else {"steps": _number(row.steps)}),
            "decades within 2x": _interval(row.decades, row.decades_low, row.decades_high),
        }
        for row in _rows(table)
    ]


def _best_final(study: tables.StoredStudy) -> list[Row]:
    """The rates at which the trials of an import end best, where no target is named."""
    name = label(study.spec.metric, own=True)
    return [
        {
            "optimizer": figures.label_of(str(row.optimizer)),
            "width": f"{row.width:g}",
            "rates that end": f"{row.told} of {row.rates}",
            "best rate": _number(row.best_rate),
            f"final {name}": _interval(row.final, row.final_low, row.final_high),
        }
        for row in _rows(tables.best_final(study.runs))
    ]


@dataclass(frozen=True)
class Lines:
    """The fits of time against size.

    Args:
        name: the study's name.
        rows: one row a rate.
        sentences: one sentence a row.
        shapes: sentences on the shapes of steps and step times.
    """

    name: str
    rows: list[Row]
    sentences: list[str]
    shapes: list[str]


def lines(study: tables.StoredStudy) -> Lines | None:
    """The fits of a study; None if it has too few sizes."""
    runs = study.runs
    if runs["width"].nunique() < intervals.FEWEST_SIZES:
        return None
    table = tables.sizes(runs)
    rows = [
        {
            "optimizer": figures.label_of(str(row.optimizer)),
            "rate": f"{row.rate:g}",
            "arrived": f"{row.arrived} of {row.trials}",
            "c, s": _number(row.c),
            "k, s per million": _number(1e6 * row.k),
            "R²": _number(row.r2),
            "robust k": _number(1e6 * row.robust_k),
            "likeliest k": _interval(
                1e6 * row.tobit_k, 1e6 * row.tobit_k_low, 1e6 * row.tobit_k_high
            ),
            "AICc of quadratic, power, jump": "-"
            if math.isnan(row.k)
            else f"{row.quadratic:+.1f}, {row.power:+.1f}, {row.jump:+.1f}",
            "shape": row.shape if isinstance(row.shape, str) else "-",
        }
        for row in _rows(table)
    ]
    measures = {"steps": "Steps", "step_seconds": "Seconds a step"}
    shapes = [
        f"{words} against weights: {_shapes(runs, name)}."
        for name, words in measures.items()
        if runs[name].notna().any()
    ]
    return Lines(study.spec.name, rows, fits.sentences(tables.comparable(runs)), shapes)


def _shapes(runs: pd.DataFrame, measure: str) -> str:
    """The shape of a measure against size at each rate."""
    found = []
    for row in _rows(tables.sizes(runs, t=measure).dropna(subset="k")):
        by, unit = per_weights(row.k)
        at = "" if math.isnan(row.rate) else f"at {row.rate:g} "
        found.append(f"{at}{row.shape} ({by * row.k:.3g} {unit}, R² {row.r2:.2f})")
    return ", ".join(found) or "too few arrived"


@dataclass(frozen=True)
class Experiment:
    """A contest, or the case study of cycles.

    Args:
        head: its title.
        text: what it says, in sentences.
        picture: its figure.
        rows: its summary.
    """

    head: str
    text: str
    picture: Picture
    rows: list[Row]


def experiment(found: claims.Rows) -> Experiment:
    """The section on a contest of ways to choose a rate, or on the case study of cycles."""
    if found.kind == "cycles":
        drawn, table = figures.cycles(found.table), case_study.summary(found.table)
        head, text = "Cyclical rates and their controls", case_study.conclusion(found.table)
        alt = "Test error over the seconds of training, and at its end, with and without a cycle"
    else:
        table = contests.summary(found.table).drop(columns=["regret_q25", "regret_q75"])
        head = "Ways of choosing a rate"
        text = (
            "Regret is the time to the target at the pick over the time at the grid's best "
            "rate, in the median. It is none where most searches give no pick that arrives."
        )
        drawn = figures.costs(found.table, table)
        alt = "How the picks end, their regret, and the seconds of the search"
    rows = [
        {str(column): _cell(value) for column, value in row.items()}
        for row in table.to_dict("records")
    ]
    return Experiment(head, text, picture(drawn, head, alt), rows)


def verdicts(known: claims.Known) -> list[Row]:
    """The claims, each with its verdict and with what the published study measured."""
    return [
        {
            "id": verdict.id,
            "text": claims.CLAIMS[verdict.id].text,
            "verdict": verdict.verdict,
            "statistic": _interval(verdict.statistic, verdict.low, verdict.high),
            "threshold": _number(verdict.threshold),
            "why": verdict.reason,
            "published": claims.CLAIMS[verdict.id].published,
        }
        for verdict in claims.verdicts(known)
    ]


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    return iter(table.itertuples())


def _cell(value: object) -> str:
    return _number(float(value)) if isinstance(value, (int, float)) else str(value)


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return (
        "none" if math.isinf(value) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    )


def _tie(row: Any) -> str:
    """Which other rates may be as fast, and whether the best one is unstable, in words."""
    unstable = " (unstable)" if row.unstable else ""
    if row.tied < 2:
        return unstable
    return f"{unstable} ({row.tied} tie: {_number(row.tied_low)} to {_number(row.tied_high)})"


def _interval(value: float, low: float, high: float) -> str:
    return _number(value) + (
        "" if math.isnan(low) or math.isnan(value) else f" [{_number(low)}, {_number(high)}]"
    )
