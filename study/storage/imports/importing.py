"""A study made of results from elsewhere: any metric and target may be asked of it later."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.errors import StudyError
from study.spec.goals import goal_of, no_target
from study.spec.own import is_foreign, unseen
from study.spec.presets import named_after
from study.spec.program import IMPORT
from study.spec.study import StudySpec
from study.spec.trial import MOST_SEEDS, Trial
from study.storage.checks import Checks
from study.storage.imports.columns import metric_name
from study.storage.imports.files import of_frame
from study.storage.imports.seeds import UNKNOWN, of_reading, seeds_of
from study.storage.imports.sheets import Sheet
from study.storage.imports.sources import read as read_sources
from study.storage.imports.trials import Found, roles_of, trials_in
from study.storage.imports.units import as_shares, one_unit
from study.storage.imports.words import in_words, protocol_of, unread
from study.storage.jsonl import replace
from study.storage.published.protocol import ELSEWHERE, Protocol, machine_json
from study.storage.readings.aim import Aim
from study.storage.readings.stored import FILE
from study.storage.readings.told import Told, check_metric, read
from study.storage.records import Run, little_told
from study.storage.store import Store

if TYPE_CHECKING:
    import pandas as pd

PREFERRED = (
    *("val_accuracy", "val_acc", "validation_accuracy", "valid_accuracy", "test_accuracy"),
    *("test_acc", "accuracy", "acc", "val_loss", "valid_loss", "test_loss", "loss"),
)
"""The metric that counts where none is named: the first of these that is told, else the first."""


@dataclass(frozen=True)
class Imported:
    """A study that was made of results from elsewhere.

    Args:
        spec: the study.
        runs: its trials.
        checks: what their checks saw.
        told: all that their sources tell.
        protocol: what is known of how they were measured.
        columns: what each role was read from, and the metrics, in words.
        notes: what was decided in reading, in sentences.
        others: files that hold nothing of the kind, and why.
    """

    spec: StudySpec
    runs: tuple[Run, ...]
    checks: tuple[Checks, ...]
    told: tuple[Told, ...]
    protocol: Protocol
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    others: tuple[str, ...] = ()


def import_results(
    paths: Sequence[str | Path],
    out: str | Path,
    columns: Mapping[str, str] | None = None,
    names: str | None = None,
    aim: Aim | None = None,
    percent: bool = False,
) -> Imported:
    """Write the results of files, folders or stores as a study.

    Args:
        paths: what holds them.
        out: the new study's folder.
        columns: which column is what, where the usual names do not tell.
        names: a pattern of files' names that carry settings.
        aim: metric, target and goal; each may come later.
        percent: whether accuracies are told in percent.

    Returns:
        The study.

    Raises:
        StudyError: a source that cannot be read, what it tells is not clear, or a folder that holds
            a study already. Nothing is written then.
    """
    store = _empty(out)
    found = read_sources(paths, names)
    made = of_sheets(found.sheets, columns, aim, percent, _called(paths), found.others)
    write(store, made)
    return made


def import_frame(
    table: pd.DataFrame,
    out: str | Path,
    columns: Mapping[str, str] | None = None,
    aim: Aim | None = None,
    percent: bool = False,
) -> Imported:
    """Write the results in a DataFrame as a study; see `import_results`."""
    store = _empty(out)
    made = of_sheets([of_frame("the table", table)], columns, aim, percent, "a table")
    write(store, made)
    return made


def _empty(out: str | Path) -> Store:
    """The store in a folder that holds no study."""
    store = Store(Path(out))
    # An import that was killed has no rows yet, and is made anew.
    killed = store.spec_path.exists() and is_foreign(store.spec().network)
    if store.runs() or (store.spec_path.exists() and not killed):
        raise StudyError(f"{store.folder} holds a study already: give another --out")
    return store


def _called(paths: Sequence[str | Path]) -> str:
    first = Path(paths[0]).name or str(paths[0])
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"


def of_sheets(
    sheets: Sequence[Sheet],
    columns: Mapping[str, str] | None = None,
    aim: Aim | None = None,
    percent: bool = False,
    called: str = "a table",
    others: tuple[str, ...] = (),
) -> Imported:
    """The study of some rows; see `import_results`."""
    aim, given = aim or Aim(), dict(columns or {})
    aim = replace_fields(aim, metric=metric_name(aim.metric)) if aim.metric else aim
    known = [roles_of(sheet, given, aim.metric) for sheet in sheets]
    raw = [
        trial for sheet, role in zip(sheets, known, strict=True) for trial in trials_in(sheet, role)
    ]
    unit, found = one_unit(raw), as_shares(raw, percent)
    seeds = seeds_of(found)
    goals = {name: goal for sheet in sheets for name, goal in sheet.goals.items() if goal}
    spec = _spec(found, seeds, aim, called, goals)
    made = [_run(spec, trial, seed) for trial, seed in zip(found, seeds, strict=True)]
    told = tuple(_told(run, trial) for run, trial in zip(made, found, strict=True))
    check_metric(spec.metric, told)
    ended = [read(run, one, spec) for run, one in zip(made, told, strict=True)]
    return Imported(
        spec,
        tuple(run for run, _ in ended),
        tuple(checks for _, checks in ended if checks is not None),
        told,
        protocol_of(found, unit),
        in_words(known, found, sheets),
        (*unread(known, sheets), *of_reading(found)),
        others,
    )


def _spec(
    found: Sequence[Found],
    seeds: Sequence[int],
    aim: Aim,
    called: str,
    goals: Mapping[str, str],
) -> StudySpec:
    told = dict.fromkeys(name for trial in found for name in trial.metrics)
    if not told and aim.metric:
        raise StudyError(f"no row has a finite number of {aim.metric}: name another --metric")
    if not told:
        raise StudyError(
            "no column with finite numbers reads like a metric, such as val_accuracy or loss: name "
            "one with --metric"
        )
    metric = aim.metric or next((name for name in PREFERRED if name in told), next(iter(told)))
    goal = aim.goal or goals.get(metric) or goal_of(metric)
    if max(seeds) >= MOST_SEEDS:
        raise StudyError(f"{max(seeds) + 1} trials share their settings: at most {MOST_SEEDS}")
    optimizers = tuple(dict.fromkeys(_label(trial) for trial in found))
    digest = hashlib.sha256(repr(found).encode()).hexdigest()
    widths = tuple(sorted({trial.width for trial in found}))
    structure = [called, *dict.fromkeys(trial.source for trial in found)]
    own = unseen(IMPORT, UNKNOWN, structure, digest, widths, optimizers)
    name = f"{IMPORT}:{digest[:8]}"
    base = StudySpec(
        name=named_after(Path(called).stem),
        optimizers=optimizers,
        rates=tuple(sorted({trial.rate for trial in found})),
        widths=widths,
        seeds=max(seeds) + 1,
        network=name,
        dataset=name,
        hyper="own",
        target=no_target(goal),
        metric=metric,
        goal=goal,
        cap=None,
        # The longest; a trial is censored at its own end all the same.
        max_steps=max([1, *(step for trial in found for step in trial.steps[-1:])]),
        batch=1,
        check_every=1,
        mode="alone",
        own=own,
    )
    return Aim(target=aim.target).of(base)


def _label(trial: Found) -> str:
    """The optimizer, in letters that a label may have."""
    return re.sub(r"[^\w.+:/()=,-]+", "-", trial.optimizer or UNKNOWN)


def _run(spec: StudySpec, found: Found, seed: int) -> Run:
    """The run of a trial, its end still to be read."""
    own = spec.own
    assert own is not None
    trial = Trial(
        optimizer=_label(found),
        learning_rate=found.rate,
        width=found.width,
        seed=seed,
        network=spec.network,
        scale_dense=spec.scale_dense,
        dataset=spec.dataset,
        hyper=spec.hyper,
        target=spec.target,
        metric=spec.metric,
        cap=spec.cap,
        max_steps=spec.max_steps,
        batch=spec.batch,
        check_every=spec.check_every,
        mode=spec.mode,
        start=own.scale(found.width).start,
        goal=spec.goal or "at-least",
        size=(0, 0, 0),
    )
    return little_told(
        trial,
        spec.name,
        seconds_source=UNKNOWN,
        machine=ELSEWHERE.name,
        fingerprint=ELSEWHERE.fingerprint,
        versions={},
        started_at=UNKNOWN,
        engine=UNKNOWN,
        precision=UNKNOWN,
        processor=UNKNOWN,
    )


def _told(run: Run, found: Found) -> Told:
    return Told(run.id, found.source, found.outcome, found.steps, found.seconds, found.metrics)


def write(store: Store, made: Imported) -> None:
    """Write an import into a folder: its rows last, so that a folder with rows is whole."""

    def lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
        return "".join(json.dumps(row) + "\n" for row in rows).encode()

    told = lines(one.to_json() for one in made.told)
    with store.writing():
        replace(store.folder / FILE, told)
        replace(store.checks_path, lines(checks.to_json() for checks in made.checks))
        store.write(store.machine_path, machine_json(made.protocol))
        digest = hashlib.md5(told, usedforsecurity=False).hexdigest()
        store.write_spec(made.spec, f"not told; rows {digest}")
        replace(store.runs_path, lines(run.to_json() for run in made.runs))
