"""Checks of one kind of machine against another: when they agree, and what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from study.errors import StudyError
from study.storage.across import Across, add_check, checks_of, last_of, pooled_engines
from study.storage.merging import merge
from study.storage.store import Store
from support.parts import part

CHECK = Across("now", "m", "f", "s", "jax", "float32", 60, 60, 50, 1.0, 0.9, 1.1)


@pytest.mark.parametrize(
    ("low", "high", "odd", "agrees"),
    [
        (None, None, 0, False),
        (None, 1.1, 0, False),
        (0.9, None, 0, False),
        (1 / 1.25, 1.1, 0, False),
        (0.8001, 1.1, 0, True),
        (1.0, 1.1, 0, True),
        (1.0001, 1.1, 0, False),
        (0.9, 0.9999, 0, False),
        (0.9, 1.0, 0, True),
        (0.9, 1.2499, 0, True),
        (0.9, 1.25, 0, False),
        (0.9, 1.1, 10, True),
        (0.9, 1.1, 11, False),
    ],
)
def test_two_kinds_agree_within_a_quarter_and_a_sixth(
    low: float | None, high: float | None, odd: int, agrees: bool
) -> None:
    """The interval holds 1 and lies inside 1 / 1.25 to 1.25; at most one trial in six is odd."""
    assert replace(CHECK, low=low, high=high, same_outcomes=60 - odd).agrees is agrees


def test_a_check_says_what_it_found() -> None:
    """As far as it goes."""
    ends = "60 of 60 trials ended alike"
    assert str(CHECK) == f"{ends}, and took 1.00 times the steps (0.90 to 1.10, n = 50)"
    short = replace(CHECK, low=None, high=None)
    assert str(short) == f"{ends}, and took 1.00 times the steps"
    assert str(replace(short, ratio=None)) == ends


def test_checks_are_stored_in_order_and_the_last_of_a_kind_counts(tmp_path: Path) -> None:
    """Of a kind that was never checked there is none; an engine is as its last check says."""
    all_ = [
        CHECK,
        replace(CHECK, at="later", low=None, high=None, ratio=None),
        replace(CHECK, fingerprint="g", software="t", engine="tensorflow", precision="tf32"),
    ]
    for check in all_:
        add_check(tmp_path, check)
    assert checks_of(tmp_path) == all_
    assert last_of(all_, ("f", "s")) == all_[1]
    assert last_of(all_, ("g", "t")) == all_[2]
    assert last_of(all_, ("f", "t")) is None
    assert pooled_engines(all_) == {("jax", "float32"): False, ("tensorflow", "tf32"): True}


def test_a_check_of_less_than_nothing_is_refused(tmp_path: Path) -> None:
    """None at all is fine."""
    add_check(tmp_path, replace(CHECK, trials=0, same_outcomes=0, both=0))
    assert len(checks_of(tmp_path)) == 1
    add_check(tmp_path, replace(CHECK, trials=-1))
    with pytest.raises(StudyError, match="line 2: the field 'trials' is -1"):
        checks_of(tmp_path)


def test_checks_of_several_folders_are_joined_once(tmp_path: Path) -> None:
    """In the order of the folders."""
    at = [replace(CHECK, at=str(day)) for day in range(3)]
    stores = [part(tmp_path / str(i), ()) for i in range(3)]
    for store, checks in zip(stores, (at[:2], at[1:], at[:1]), strict=True):
        for each in checks:
            add_check(store.folder, each)
    out = Store(tmp_path / "out")
    merge(stores, out)
    assert checks_of(out.folder) == at
    merge(stores[1:], stores[0])
    assert checks_of(stores[0].folder) == at
