"""Shares of a study, for processes that know nothing of each other.

The shares follow from the spec and their number alone. So machines agree on them without a word,
and a share stays the same when it is resumed.
"""

from __future__ import annotations

import math

from study.execution.planning.array_sizes import _together, array_seconds, usual_lanes
from study.execution.planning.estimates import expected_steps
from study.execution.planning.resources import Resources
from study.machine.facts import Machine
from study.spec.study import StudySpec
from study.spec.trial import Trial
from study.storage.calibration import Calibration
from study.words import counted

# Predictions of no machine: what this one has measured must not move a trial to another share.
_GUESSES = Calibration([], Machine("", 1, 0, (), ""), "")
_ALONE = Resources(1, math.inf)


def blocks(spec: StudySpec) -> list[tuple[Trial, ...]]:
    """The trials of a study, cut where a plan of arrays of the usual size cuts them.

    Returns:
        The blocks, in the order of the trials; single trials in mode alone.
    """
    if spec.mode == "alone":
        return [(trial,) for trial in spec.trials()]
    return [
        tuple(trials[i : i + usual_lanes(trials[0])])
        for trials in _together(spec.trials())
        for i in range(0, len(trials), usual_lanes(trials[0]))
    ]


def block_seconds(block: tuple[Trial, ...]) -> float:
    """Guessed seconds of training of a block, the same on every machine."""
    steps = [expected_steps(trial, _GUESSES) for trial in block]
    return array_seconds(block[0], steps, _GUESSES, _ALONE)


def shares(spec: StudySpec, count: int) -> list[tuple[Trial, ...]]:
    """All trials of a study in so many shares of about the same guessed time.

    The longest block comes first, and goes to the share that has least so far. A share with more
    than the mean has at most its last block too much.

    Args:
        spec: the study.
        count: the number of shares.

    Returns:
        The shares, each of whole blocks in the order of the trials. Where there are more shares
        than blocks, the rest are empty.
    """
    parts = blocks(spec)
    seconds = [block_seconds(block) for block in parts]
    owner = [0] * len(parts)
    load = [0.0] * count
    for i in sorted(range(len(parts)), key=lambda i: -seconds[i]):
        owner[i] = load.index(min(load))
        load[owner[i]] += seconds[i]
    return [
        tuple(trial for i, block in enumerate(parts) if owner[i] == share for trial in block)
        for share in range(count)
    ]


def share(spec: StudySpec, shard: tuple[int, int] | None) -> tuple[Trial, ...]:
    """The trials of one share, in the order of the study; all trials if no share is named."""
    if shard is None:
        return tuple(spec.trials())
    return shares(spec, shard[1])[shard[0] - 1]


def described(spec: StudySpec, shard: tuple[int, int]) -> str:
    """A share in words, such as `Shard 3/8: 12 of 96 trials`."""
    whole, mine = counted(len(spec), "trial"), share(spec, shard)
    size = f"{len(mine)} of {whole}"
    if not mine:
        size = f"empty, since the study's {whole} make {counted(len(blocks(spec)), 'block')}"
    return f"Shard {shard[0]}/{shard[1]}: {size}"
