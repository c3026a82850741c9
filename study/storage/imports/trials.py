"""Trials out of the rows of a source: which rows are of one trial, and what each tells."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from study.errors import StudyError
from study.spec.trial import HIGHEST_RATE, LOWEST_RATE, WIDEST
from study.storage.imports.columns import (
    COUNTER,
    USUAL,
    metric_name,
    plain,
    reads_like_metric,
    roles,
)
from study.storage.imports.measures import (
    diverged,
    last_of,
    merged,
    outcome_of,
    seconds_of,
    step_in,
    unit_of,
)
from study.storage.imports.sheets import Cells, Sheet, number_in, text_in
from study.storage.records import Outcome
from study.validation import number

SETTINGS = ("trial", "optimizer", "rate", "seed", "width")
"""What tells trials apart."""


@dataclass(frozen=True)
class Found:
    """A trial as its source tells of it.

    Args:
        source: the file, and the trial in it.
        optimizer: its name, None if not told.
        rate, width: what was trained.
        seed: as the source calls it, None if not told.
        trial: its own name, None if not told.
        unit: what a step is called; empty if steps are not told.
        steps, seconds: of each check; empty if not told.
        metrics: values by the metric, one a check.
        outcome: how it ended, whatever the target.
        remarks: what was decided about it, in words.
    """

    source: str
    optimizer: str | None
    rate: float
    width: float
    seed: str | None
    trial: str | None
    unit: str
    steps: tuple[int, ...]
    seconds: tuple[float, ...]
    metrics: Mapping[str, tuple[float | None, ...]]
    outcome: Outcome
    remarks: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Roles:
    """What the columns of a sheet are.

    Args:
        of: the column by its role.
        metrics: columns that hold metrics.
        left: columns that are not used.
    """

    of: Mapping[str, str]
    metrics: tuple[str, ...]
    left: tuple[str, ...]


def roles_of(sheet: Sheet, given: Mapping[str, str], metric: str | None) -> Roles:
    """What the columns of a sheet are, see `columns.roles`; numbers that change are metrics.

    Args:
        sheet: the rows.
        given: columns by their roles, as the user named them.
        metric: a metric that is asked for.
    """
    names = sheet.columns
    found = {
        role: column
        for role, column in roles(names, given, sheet.place).items()
        if role not in sheet.settings
    }
    used = {part for column in found.values() for part in column.split("+")}
    metrics = []
    for name in names:
        # The rate of a history is a setting of its trial, whatever else says so.
        if name in used or plain(name) in ("lr", "learning_rate", *sheet.settings):
            continue
        values = [number_in(row.get(name)) for row in sheet.rows]
        some = any(value is not None for value in values)
        asked = name in sheet.goals or (metric is not None and metric in (name, metric_name(name)))
        changes = sheet.one and len(set(values)) > 1 and not COUNTER.search(plain(name))
        texts = sum(map(is_text, (row.get(name) for row in sheet.rows)))
        mostly = some and reads_like_metric(name) and texts <= len(values) / 2
        if asked or mostly or (some and changes and not texts):
            metrics.append(name)
    left = [name for name in names if name not in used and name not in metrics]
    return Roles(found, tuple(metrics), tuple(left))


def is_text(value: Any) -> bool:
    return text_in(value) is not None and number_in(value) is None


def trials_in(sheet: Sheet, known: Roles) -> list[Found]:
    """The trials of a sheet, in the order of their first rows.

    Raises:
        StudyError: no rate, a value that cannot be, or rows of several trials that cannot be told
            apart.
    """
    if "rate" not in known.of and "rate" not in sheet.settings:
        listed = ", ".join([*sheet.columns, *sheet.settings]) or "none"
        raise StudyError(
            f"{sheet.place} has no column of the learning rate: it has {listed}; name one, as in "
            "--columns rate=COLUMN, or let --names read it from the files' names"
        )
    _refuse_mixed(sheet, known)
    groups = [list(sheet.rows)] if sheet.one else list(_groups(sheet, known))
    first, dense = _first_epoch(sheet, known), _dense_losses(groups, known)
    return [_trial(sheet, known, rows, first, dense) for rows in groups if rows]


def _refuse_mixed(sheet: Sheet, known: Roles) -> None:
    """Raise `StudyError` if some rows count steps and others epochs, in columns of their own."""
    step = known.of.get("step")
    others = [name for name in known.left if plain(name) in USUAL["step"]]
    for row in sheet.rows if step is not None else ():
        for other in others:
            if number_in(row.get(str(step))) is None and number_in(row.get(other)) is not None:
                raise StudyError(
                    f"{sheet.place}: some rows count in {step} and others in {other}: name the "
                    f"column that counts, as in --columns step={other}, or import them apart"
                )


def _dense_losses(groups: Sequence[Sequence[Cells]], known: Roles) -> tuple[str, ...]:
    """The losses of which some trial tells every one, and any other all but its last ones.

    A table without a way to write a loss that is no finite number leaves those cells empty.
    """
    found = []
    for name in known.metrics:
        if "loss" not in name.lower():
            continue
        told = [[number_in(row.get(name)) is not None for row in rows] for rows in groups]
        if any(map(all, told)) and all(one == sorted(one, reverse=True) for one in told):
            found.append(name)
    return tuple(found)


def _groups(sheet: Sheet, known: Roles) -> Iterator[list[Cells]]:
    """The rows of each trial."""
    step = known.of.get("step")
    keys = [role for role in SETTINGS if role in known.of]
    for apart in ([role for role in keys if role != "rate"] if "trial" in keys else keys, keys):
        groups: dict[tuple[Any, ...], list[Cells]] = {}
        for row in sheet.rows:
            key = tuple(_label(row, known.of[role]) for role in apart)
            groups.setdefault(key, []).append(row)
        # A rate that changes while steps go on is a schedule; else it names another trial.
        if step is None or not any(_backwards(rows, step) for rows in groups.values()):
            break
    for rows in groups.values():
        if step is None:
            yield from ([row] for row in rows)
        elif "trial" in keys:
            yield rows
        else:
            yield from _pieces(rows, step, known.metrics, sheet.place)


def _backwards(rows: Sequence[Cells], step: str) -> bool:
    steps = [value for row in rows if (value := number_in(row.get(step))) is not None]
    return any(after < before for before, after in pairwise(steps))


def _pieces(
    rows: Sequence[Cells], step: str, metrics: Sequence[str], place: str
) -> Iterator[list[Cells]]:
    """Rows of the same settings, cut where the steps begin again: there another trial begins."""
    pieces: list[list[Cells]] = []
    last: float | None = None
    for row in rows:
        now = number_in(row.get(step))
        again = now is not None and last is not None and now <= last
        if again and now == last:  # several rows may tell of one step, each something else
            there = pieces[-1][-1]
            again = any(
                number_in(row.get(name)) is not None and number_in(there.get(name)) is not None
                for name in metrics
            )
        if again or not pieces:
            pieces.append([])
        pieces[-1].append(row)
        last = now if now is not None else last
    starts = {number_in(piece[0].get(step)) for piece in pieces}
    if len(starts) > 1 and any(len(piece) > 1 for piece in pieces):
        raise StudyError(
            f"{place}: rows of several trials are mixed that share their settings: name the column "
            "that tells them apart, as in --columns trial=COLUMN"
        )
    yield from pieces


def _label(row: Cells, column: str) -> str | None:
    """What several columns hold as one label, such as `adam(beta1=0.8)`."""
    name, *others = column.split("+")
    head = text_in(row.get(name))
    inside = ",".join(
        f"{plain(other)}={text}" for other in others if (text := text_in(row.get(other)))
    )
    return f"{head}({inside})" if inside and head else head


def _first_epoch(sheet: Sheet, known: Roles) -> int:
    """What is added to each epoch: a log whose first column is epoch counts them from 0 when one
    is over, as Keras's CSVLogger does.
    """
    step = known.of.get("step")
    if step is None or not plain(step).startswith("epoch") or sheet.columns[0] != step:
        return 0
    told = [value for row in sheet.rows if (value := number_in(row.get(step))) is not None]
    return int(bool(told) and min(told) == 0)


def _trial(
    sheet: Sheet, known: Roles, rows: Sequence[Cells], first_epoch: int, dense: Sequence[str]
) -> Found:
    def cell(role: str) -> Any:
        if role in sheet.settings:
            return sheet.settings[role]
        return _label(rows[0], known.of[role]) if role in known.of else None

    remarks = []
    name = text_in(cell("trial"))
    source = f"{sheet.place}, trial {name}" if name else sheet.place
    rate = number(f"{source}: learning rate", cell("rate"), low=LOWEST_RATE, high=HIGHEST_RATE)
    if "rate" in known.of and len({_label(row, known.of["rate"]) for row in rows}) > 1:
        remarks.append("rate")
    width = cell("width")
    step, rows = known.of.get("step"), list(rows)
    if step is not None:
        rows = merged(rows, step, source)
        step = step if number_in(rows[0].get(step)) is not None else None  # it never began
    steps = [] if step is None else [step_in(row.get(step), source) + first_epoch for row in rows]
    values = {
        metric_name(name): [number_in(row.get(name)) for row in rows] for name in known.metrics
    }
    outcome = outcome_of(text_in(last_of(rows, known.of.get("state"))))
    if outcome is Outcome.CAPPED and any(told[-1] is not None for told in values.values()):
        for name in (metric_name(name) for name in dense):
            if values[name][-1] is None:
                remarks.append("lost")
                values[name] = [math.nan if value is None else value for value in values[name]]
    cut = diverged(values)
    if cut is not None:
        outcome = Outcome.DIVERGED
        rows, steps = rows[: cut + 1], steps[: cut + 1]
    metrics = {
        name: tuple(
            value if value is not None and math.isfinite(value) else None
            for value in found[: len(rows)]
        )
        for name, found in values.items()
    }
    if first_epoch:
        remarks.append("epoch")
    seconds, stamps = seconds_of(rows, known.of.get("seconds"), source)
    if stamps:
        remarks.append("stamps")
    return Found(
        source,
        text_in(cell("optimizer")),
        rate,
        1.0 if width is None else number(f"{source}: width", width, low=0, high=WIDEST),
        text_in(cell("seed")),
        name or (sheet.place if sheet.one else None),
        unit_of(sheet, step),
        tuple(steps),
        seconds,
        {name: found for name, found in metrics.items() if any(v is not None for v in found)},
        outcome,
        tuple(remarks),
    )
