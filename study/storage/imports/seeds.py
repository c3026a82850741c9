"""Seeds of imported trials: their own where they are told, and numbers where they are not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from study.errors import StudyError
from study.storage.imports.trials import Found
from study.words import counted

UNKNOWN = "unknown"
"""The optimizer of a trial that tells none."""


def cell_of(trial: Found) -> tuple[str, float, float]:
    """What trials with different seeds share."""
    return trial.optimizer or UNKNOWN, trial.rate, trial.width


def seeds_of(found: Sequence[Found]) -> list[int]:
    """A seed from 0 on for each trial.

    Seeds that are the same all over are numbered by their order. Others are numbered in each cell.

    Raises:
        StudyError: two trials share settings and seed, so that nothing tells them apart.
    """
    told: dict[tuple[str, float, float], list[str]] = defaultdict(list)
    for trial in found:
        if trial.seed is not None:
            there = told[cell_of(trial)]
            if trial.seed in there:
                name, rate, _ = cell_of(trial)
                raise StudyError(
                    f"{trial.source}: two trials have {name} at {rate:g} with seed {trial.seed}: "
                    "name the columns that differ between them, as in --columns "
                    "optimizer=OPT+COLUMN, or seed=none to number them"
                )
            there.append(trial.seed)
    every = sorted({seed for seeds in told.values() for seed in seeds}, key=_order)
    crossed = len(every) == max(map(len, told.values()), default=0)
    if len({trial.seed is None for trial in found}) > 1:
        crossed = False
    numbers: Counter[tuple[str, float, float]] = Counter()
    seeds = []
    for trial in found:
        if crossed and trial.seed is not None:
            seeds.append(every.index(trial.seed))
        else:
            seeds.append(numbers[cell_of(trial)])
            numbers[cell_of(trial)] += 1
    return seeds


def _order(seed: str) -> tuple[int, float, str]:
    return (0, float(seed), "") if seed.isdigit() else (1, 0.0, seed)


def of_reading(found: Sequence[Found]) -> Iterator[str]:
    """Sentences on what was decided in reading: of seeds, of rates, of ends."""
    counts = Counter(cell_of(trial) for trial in found if trial.seed is None)
    alike = sum(count for count in counts.values() if count > 1)
    if alike:
        yield (
            f"{counted(alike, 'trial')} share their settings with others and tell no seed: they "
            "are numbered in the order of the source, and count as seeds"
        )
    unnamed = sum(trial.optimizer is None for trial in found)
    if unnamed:
        yield f"{counted(unnamed, 'trial')} tell no optimizer: it is called {UNKNOWN}"
    without = sum("rate" in trial.remarks for trial in found)
    if without:
        yield (
            f"the rate of {counted(without, 'trial')} changes while they train: that of the first "
            "row counts"
        )
    lost = sum("lost" in trial.remarks for trial in found)
    if lost:
        yield (
            f"the loss of {counted(lost, 'trial')} is not told at the end, where others tell "
            "theirs: they count as diverged"
        )
    if any("epoch" in trial.remarks for trial in found):
        yield "epochs are counted from 0 there: epoch 0 is over after one, and counts as 1"
    if any("stamps" in trial.remarks for trial in found):
        yield "seconds are dates there: they count from the first check of each trial"
