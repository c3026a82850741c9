"""What must never change a verdict: order, units, less data, a shorter cap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from study.claims.evidence import Evidence, Rows
from study.claims.verdict import FAILS, HOLDS, UNDECIDED
from support.claims.together import together
from support.published import LIKE_PUBLISHED, OF_METHODS, WORLDS, judged, truth, world


def scaled(study: Evidence, factor: float) -> Evidence:
    columns = ["seconds", "step_seconds", "cap_seconds"]
    return replace(
        study, runs=study.runs.assign(**{name: study.runs[name] * factor for name in columns})
    )


UNITS = (1e3, 1 / 3600)
"""Seconds in milliseconds, and in hours."""

TURNS = list(enumerate(WORLDS))
"""The worlds with their numbers, by which what is done to them takes turns."""


def test_claims_together_say_what_each_says_alone() -> None:
    """The way in which the tests of this file judge."""
    assert together(LIKE_PUBLISHED) == judged(LIKE_PUBLISHED)


@pytest.mark.parametrize(("i", "name"), TURNS)
def test_order_and_units_change_no_verdict(i: int, name: str) -> None:
    """Rows shuffled, seconds in milliseconds or hours."""
    true = {id_: verdict.verdict for id_, verdict in truth(name).items()}
    shuffled = [
        replace(study, runs=study.runs.sample(frac=1, random_state=1).reset_index(drop=True))
        for study in world(name)
    ]
    changed = [scaled(study, UNITS[i % 2]) for study in shuffled]
    assert {id_: verdict.verdict for id_, verdict in together(changed).items()} == true


SHARES = (0.002, 0.02, 0.1, 0.3, 0.7, 1.0)
"""Shares of the trials to take away."""


@pytest.mark.parametrize(
    ("name", "share"), [(name, SHARES[(i + j) % len(SHARES)]) for i, name in TURNS for j in (0, 3)]
)
def test_taking_data_away_never_turns_a_verdict_round(name: str, share: float) -> None:
    """It may become undecided, and only that."""
    studies, true, seed = world(name), truth(name), len(name)
    fewer = [
        replace(
            study,
            runs=study.runs.drop(study.runs.sample(frac=share, random_state=seed).index),
            curves=study.curves.drop(
                study.curves.groupby(["optimizer", "seed"])
                .sample(frac=share, random_state=seed)
                .index
            )
            if len(study.curves) and share == 1
            else study.curves,
        )
        for study in studies
    ]
    for id_, verdict in together(fewer).items():
        assert verdict.verdict in (true[id_].verdict, UNDECIDED), (share, verdict, true[id_])


REMOVALS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "all": lambda runs: runs["width"] < 0,
    "all but two widths": lambda runs: runs["width"].isin([1.0, 9.75]),
    "one optimizer": lambda runs: runs["optimizer"] != "adam",
    "one seed": lambda runs: runs["seed"] == 0,
    "arrivals": lambda runs: runs["outcome"] != "reached",
    "failures": lambda runs: runs["outcome"] == "reached",
    "the fast": lambda runs: runs["seconds"] > runs["seconds"].median(),
}


OF_SIZES = ("linear-size", "rate-survives-scaling", "best-rate-transfers", "variance-above-1e-3")
"""Worlds with a study of sizes, by one optimizer with one seed; the others have one width."""

CHANGED = [
    (name, removal)
    for name in WORLDS
    for removal in REMOVALS
    if name == "published"
    or removal
    not in ("all", *(("one optimizer", "one seed") if name in OF_SIZES else ["all but two widths"]))
]
"""Worlds, and removals that leave some trials but not all; from the first world all."""


@pytest.mark.parametrize(("name", "removal"), CHANGED)
def test_taking_much_away_by_kind_never_turns_a_verdict_round(name: str, removal: str) -> None:
    """Nor does it end in an error."""
    studies, true = world(name), truth(name)
    fewer = [replace(study, runs=study.runs[REMOVALS[removal](study.runs)]) for study in studies]
    for id_, verdict in together(fewer).items():
        assert verdict.verdict in (true[id_].verdict, UNDECIDED), (verdict, true[id_])


def cut(study: Evidence, cap: float) -> Evidence:
    """The same trials under a shorter cap."""
    late = (study.runs["outcome"] == "reached") & (study.runs["seconds"] > cap)
    runs = study.runs.assign(outcome=study.runs["outcome"].mask(late, "capped"), cap_seconds=cap)
    return replace(study, runs=runs.assign(seconds=runs["seconds"].clip(upper=cap)))


ABOUT_TIME = (
    "order-of-magnitude",
    "all-but-rmsprop",
    "adam-fastest",
    "rate-survives-scaling",
    "no-universal-rate",
)


@pytest.mark.parametrize("cap", [100.0, 60.0, 30.0, 14.0, 9.0, 5.0])
@pytest.mark.parametrize(
    "name", ["published", "all-but-rmsprop", "order-of-magnitude", "rate-survives-scaling"]
)
def test_a_shorter_cap_never_turns_a_verdict_round(name: str, cap: float) -> None:
    """What ran out of a short cap might have arrived; only what is certain then is still said."""
    studies, true = world(name), truth(name)
    for id_, verdict in together([cut(study, cap) for study in studies], ABOUT_TIME).items():
        assert verdict.verdict in (true[id_].verdict, UNDECIDED), (verdict, true[id_])


@pytest.mark.parametrize("seed", range(20))
def test_a_pick_that_is_missing_never_turns_the_tenth_rule_round(seed: int) -> None:
    """It may become undecided."""
    for true in (HOLDS, FAILS):
        rows = OF_METHODS["tenth-rule"][true]()
        fewer = Rows(rows.kind, rows.table.sample(frac=0.7, random_state=seed))
        assert together([fewer], ["tenth-rule"])["tenth-rule"].verdict in (true, UNDECIDED)
