"""What the runs of a table are too few, too narrow or too noisy to say."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from study.spec.goals import aim, has_target, seen, sign
from study.spec.own import names_itself
from study.spec.study import StudySpec
from study.storage.across import Across, last_of
from study.storage.published.protocol import Protocol
from study.storage.records import Outcome
from study.tables import intervals
from study.tables.best_rates import best
from study.tables.caveats.curves import of_the_curves
from study.tables.caveats.imports import of_an_import
from study.tables.caveats.programs import of_programs
from study.tables.caveats.provenance import of_fresh_seeds, of_the_aim, of_the_readings
from study.tables.foreign import timed
from study.tables.rows import imported
from study.tables.stored import Source, stored
from study.words import counted

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""What makes a terminal print in colour."""


def warnings(
    runs: pd.DataFrame | Source,
    spec: StudySpec | None = None,
    trained: pd.DataFrame | None = None,
    elsewhere: int = 0,
    checks: Sequence[Across] = (),
    protocol: Protocol | None = None,
) -> list[str]:
    """What these runs are too few, too narrow or too noisy to say.

    Args:
        runs: a study's runs; or its folder or a `StoredStudy`, which give the other arguments too.
        spec: what the study was asked for, to find what is missing.
        trained: the validation curves, to find best rates that did not last.
        elsewhere: the number of its trials that count by other machines' clocks.
        checks: of one kind of machine against another.
        protocol: what is known of how an imported study was measured.

    Returns:
        Sentences for the reader of a table; none if all is well.

    Raises:
        StudyError: there are no runs, or they must not share a table.
    """
    told: list[str] = []
    if isinstance(runs, pd.DataFrame):
        table = best(runs)
    else:
        study = stored(runs)
        table = study.best
        runs, spec, trained, elsewhere = study.some_runs, study.spec, study.curves, study.elsewhere
        checks, protocol = study.across, study.published
        told = [*of_fresh_seeds(study), *of_the_readings(study), *of_the_aim(study)]
    if imported(runs):
        return [
            *of_an_import(runs, spec, protocol),
            *unreached(runs),
            *_of_the_best_rates(runs, table, trained, whole=True),
        ]
    missing = 0
    if spec is not None:
        there = int(runs["id"].isin([trial.id for trial in spec.trials()]).sum())
        missing = max(0, len(spec) - there - elsewhere)
    sentences = unreached(runs)
    if elsewhere:
        sentences.append(
            f"{elsewhere} more trials count by another machine's step times, so that their caps "
            "in steps are others: they are in no table with these"
        )
    if missing and spec is not None:
        sentences.append(
            f"{missing} of {len(spec)} trials are missing: best rates are of what has ended so "
            "far, and the same command goes on"
        )
    sentences += [
        *_of_the_clock(runs, checks),
        *_of_the_machine(runs),
        *of_programs(runs),
        *_of_the_seeds(runs, table, whole=not missing),
    ]
    failed = int((runs["outcome"] == Outcome.FAILED).sum())
    if failed:
        sentences.append(
            f"{failed} trials failed with an error and count as not arrived; --retry trains "
            "them again"
        )
    return [*sentences, *_of_the_best_rates(runs, table, trained, whole=not missing), *told]


def _of_the_clock(runs: pd.DataFrame, checks: Sequence[Across]) -> Iterator[str]:
    """Sentences on whose step times the seconds are, and on the machines that took the steps."""
    clock, name = str(runs["clock"].iloc[0]), str(runs["clock_machine"].iloc[0])
    columns = runs[["fingerprint", "software", "machine"]].itertuples(index=False, name=None)
    kinds = Counter(columns)
    if len(kinds) == 1 and clock == next(iter(kinds))[0]:
        return
    names = Counter(machine for _, _, machine in kinds)
    named = {
        (fingerprint, software): machine if names[machine] == 1 else f"{machine} with {software}"
        for fingerprint, software, machine in kinds
    }
    counts = zip(named.values(), kinds.values(), strict=True)
    listed = ", ".join(f"{machine} ({count})" for machine, count in counts)
    yield (
        f"seconds are by the step times of {name}; the steps come from "
        f"{counted(len(kinds), 'kind')} of machine: {listed}"
    )
    if len(kinds) < 2:
        return
    for kind, machine in named.items():
        check = last_of(checks, kind)
        if check is not None:
            verdict = "agrees" if check.agrees else "may not agree"
            yield f"{machine} {verdict} with the stored trials: {check}"
    if not checks:
        yield (
            "nobody has checked that these kinds take the same steps: run verify --across on one "
            "of them"
        )


def _of_the_machine(runs: pd.DataFrame) -> Iterator[str]:
    """Sentences on where the runs were measured, and how."""
    if noise := busy(runs):
        yield noise
    if kind_unknown(runs):
        machine = ", ".join(sorted(set(runs["machine"])))
        yield (
            f"the kind of processor of {machine} was not told apart when these trials were "
            "stored: the name may stand for several"
        )
    software = sorted(set(runs["clock_software"]))
    if len(software) > 1:
        yield (
            f"the trials ran on different software ({', '.join(software)}): their step times "
            "are not of one kind"
        )


def _of_the_seeds(runs: pd.DataFrame, table: pd.DataFrame, whole: bool) -> Iterator[str]:
    """Sentences on how many seeds there are."""
    seeds = int(table["seeds"].max())
    if seeds < intervals.FEWEST_SEEDS:
        arrays = (runs["mode"] == "array").all()  # which confirm needs
        yield (
            f"{counted(seeds, 'seed')} a cell: no interval can be given, and a best rate may be "
            f"luck; take at least --seeds {intervals.FEWEST_SEEDS}"
            f"{', or let confirm train the best rates on fresh seeds' if arrays else ''}"
        )
    elif seeds < intervals.ENOUGH_SEEDS:
        yield (
            f"{seeds} seeds a cell: an interval from the least to the largest covers in three "
            "cases of four; five seeds make it 95 %"
        )
    counts = runs.groupby(["width", "optimizer", "learning_rate"], observed=True)["seed"].nunique()
    uneven = int((counts < seeds).sum())
    if uneven and whole:
        yield f"{uneven} of {len(counts)} cells have fewer seeds than the others"


def _of_the_best_rates(
    runs: pd.DataFrame, table: pd.DataFrame, trained: pd.DataFrame | None, whole: bool
) -> Iterator[str]:
    """Sentences on best rates: at the edge, collapsed, or uncertain."""
    edges = table[table["at_edge"]]
    if len(edges) and whole:
        listed = ", ".join(dict.fromkeys(str(name) for name in edges["optimizer"]))
        yield f"the best rate of {listed} is at the grid's edge: a better one may lie beyond"
    if trained is not None and len(trained):
        yield from of_the_curves(runs, trained)
    wide = table[(table["best_high"] / table["best_low"]) > 10]
    if len(wide):
        listed = ", ".join(dict.fromkeys(str(name) for name in wide["optimizer"]))
        yield (
            f"the best rate of {listed} is uncertain by more than a factor of ten: more seeds "
            "would settle it"
        )


def busy(runs: pd.DataFrame) -> str:
    """A sentence on runs that were measured on a busy machine; empty if there are none."""
    count = int(runs["quiet"].map(lambda quiet: quiet is False).sum())
    what = "the step times were measured" if (runs["mode"] == "array").all() else "they trained"
    which = f"all {count}" if count == len(runs) else f"{count} of {len(runs)}"
    return (
        (
            f"other programs ran while {what}: the seconds of {which} trials may be too long, the "
            "steps are right"
        )
        if count
        else ""
    )


def kind_unknown(runs: pd.DataFrame) -> bool:
    """Whether the processor's model is unknown for some runs, as in rows of older versions."""
    return bool(runs["processor"].isna().any())


def unreached(runs: pd.DataFrame) -> list[str]:
    """Why no rate reached the target, and what would help; nothing if one did."""
    runs = timed(runs)
    if len(runs) and not has_target(float(runs["target"].iloc[0])):
        metric = str(runs["metric"].iloc[0])
        return [
            "no target is named, so no trial arrives: --target, and --metric for another than "
            f"{metric}, tell when each does"
        ]
    reached = runs["outcome"] == Outcome.REACHED
    cells = ["width", "optimizer", "learning_rate"]
    times = runs.assign(seconds=runs["seconds"].where(reached, math.inf))
    if runs.empty or (times.groupby(cells, observed=True)["seconds"].median() < math.inf).any():
        return []
    counts = ", ".join(
        f"{count} {name}" for name, count in sorted(runs["outcome"].value_counts().items())
    )
    first = runs.iloc[0]
    own = names_itself(first.network)
    target = aim(first.metric, float(first.target), first.goal, short=True, own=own)
    what = "rate" if reached.any() else "trial"
    middle = " in the median of its seeds" if reached.any() else ""
    said = f"no {what} reached {target}{middle} ({counts})"
    known = runs.dropna(subset="best_accuracy")
    if len(known):
        values = known["best_accuracy"].to_numpy(float)
        top = known.iloc[int((sign(first.goal) * values).argmax())]
        said += (
            f"; the best was {top['optimizer']} at {top['learning_rate']:.3g} with "
            f"{seen(top.metric, float(top.best_accuracy), own)}"
        )
    if imported(runs) or "cut" in runs:  # nothing more can be run
        return [said]
    capped = runs[runs["outcome"] == Outcome.CAPPED]
    if len(capped):
        steps = capped["steps"].astype(float).median()
        time_ = capped["step_seconds"].astype(float).median()
        said += f". The budget allowed {steps:,.0f} steps" if steps == steps else ""
        said += f" of {1e3 * time_:.3g} ms" if time_ == time_ else ""
        more = (
            f"--max-steps {2 * steps:.0f}"
            if runs["max_steps"].notna().any()
            else f"--cap {2 * runs['cap_seconds'].max():g}"
        )
        nearer = "lower" if sign(first.goal) > 0 else "higher"
        said += (
            f": a larger one ({more}), or a {nearer} --target, in another --out, would show more"
        )
    elif (runs["outcome"] == Outcome.FAILED).all():
        said += f": {runs['optimizer'].iloc[0]} at {runs['learning_rate'].iloc[0]:.3g} failed: "
        said += COLOUR.sub("", str(runs["error"].iloc[0])).partition("\n")[0]
    else:
        said += ": other --rates would show more"
    return [said]
