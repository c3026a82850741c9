"""Holes and ends of the bands of rates that work."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from study.claims.bands import ends_as_claimed, holes
from study.claims.frame import grid_of
from support.claims.boards import board


def widest(state: tuple[int, ...]) -> int:
    """The widest hole where all is known: failures between the first and the last that work."""
    text = "".join("x" if value < 0 else "1" for value in state).strip("x")
    return max((len(part) for part in text.split("1")), default=0)


def test_a_hole_is_bounded_by_whatever_the_missing_trials_do() -> None:
    """Each of the 729 bands of six rates, with each way in which the unknown may end."""
    for state in product((-1, 0, 1), repeat=6):
        unknown = [i for i, value in enumerate(state) if value == 0]
        found = []
        for ends in product((-1, 1), repeat=len(unknown)):
            filled = list(state)
            for i, end in zip(unknown, ends, strict=True):
                filled[i] = end
            found.append(widest(tuple(filled)))
        assert holes(np.array(state)) == (min(found), max(found)), state


@pytest.mark.parametrize(
    ("line", "claimed"),
    [
        (".....44xxxx", True),
        ("....x44xxxx", True),
        ("xx..44xxxxx", False),
        ("xxx.44xxxxx", False),
        (".....44xx..", False),
        (".....44xxd.", True),
        (".....44x...", False),
        ("44444444444", True),
        ("44444444xx.", True),
        ("..444444444", True),
        ("xx444444444", False),
    ],
)
def test_below_a_band_time_runs_out_and_above_it_training_breaks(line: str, claimed: bool) -> None:
    """Of most trials: exactly a half is not most. Where there is no rate, nothing is claimed."""
    grid = grid_of([board({"sgd": "." * 11, "adam": line})])
    assert grid is not None
    assert ends_as_claimed(grid, "adam") == claimed
