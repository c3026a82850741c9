"""Claims on made-up studies whose truth is known, both ways for each."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from study.claims.adam import drop
from study.claims.bands import holes
from study.claims.evidence import Rows, verdicts
from study.claims.judge import table
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED
from support.published import (
    FALSE,
    LIKE_PUBLISHED,
    OF_METHODS,
    PUBLISHED,
    cyclical,
    grid,
    hole,
    judged,
    world,
)


def test_every_claim_of_the_published_study_is_judged() -> None:
    """Thirteen of its own and three of the ways of choosing a rate, each with its words and the
    published numbers.
    """
    assert list(CLAIMS) == [
        "majority-fails",
        "valley",
        "no-universal-rate",
        "order-of-magnitude",
        "wide-union",
        "all-but-rmsprop",
        "adam-fastest",
        "adam-stable",
        "adam-wide",
        "linear-size",
        "rate-survives-scaling",
        "best-rate-transfers",
        "variance-above-1e-3",
        "tenth-rule",
        "clr-gain",
        "windows-equal",
    ]
    assert set(FALSE) | set(OF_METHODS) == set(CLAIMS)
    assert all(claim.text and claim.published for claim in CLAIMS.values())


@pytest.mark.parametrize("id_", list(CLAIMS)[:13])
def test_a_study_like_the_published_one_bears_each_claim_out(id_: str) -> None:
    """The made-up truth is that of the claims."""
    found = judged(LIKE_PUBLISHED, [id_])[id_]
    assert found.verdict == HOLDS, found


@pytest.mark.parametrize("id_", list(CLAIMS)[:13])
def test_a_study_in_which_a_claim_is_false_refutes_it(id_: str) -> None:
    """One made-up truth against each."""
    found = judged(world(id_), [id_])[id_]
    assert found.verdict == FAILS, found


def test_where_the_data_cannot_say_nothing_is_said() -> None:
    """No grid, no sizes, one seed, a cap too short: undecided, with the reason."""
    nothing = judged([])
    assert {verdict.verdict for verdict in nothing.values()} == {UNDECIDED}
    one_seed = judged([grid(PUBLISHED, seeds=1)])
    assert one_seed["adam-stable"].verdict == UNDECIDED
    assert (
        judged([grid({**PUBLISHED, "adam": (4.6e-5, 0.0101, 6.0)}, seeds=1)])[
            "adam-fastest"
        ].verdict
        == UNDECIDED
    )
    assert judged([grid(PUBLISHED, seeds=1, spoilt=hole)])["valley"].verdict == UNDECIDED
    without_rmsprop = judged(
        [grid({name: band for name, band in PUBLISHED.items() if name != "rmsprop"})]
    )
    assert (
        without_rmsprop["all-but-rmsprop"].verdict
        == without_rmsprop["majority-fails"].verdict
        == UNDECIDED
    )
    assert without_rmsprop["no-universal-rate"].verdict == HOLDS
    study = LIKE_PUBLISHED[0]
    short = study.runs.assign(cap_seconds=30.0)
    short = short.assign(
        outcome=short["outcome"].mask(
            (short["outcome"] == "reached") & (short["seconds"] > 30), "capped"
        )
    )
    assert (
        judged([replace(study, runs=short.assign(seconds=short["seconds"].clip(upper=30)))])[
            "order-of-magnitude"
        ].verdict
        == UNDECIDED
    )


def test_what_was_asked_for_decides_which_study_judges() -> None:
    """Not the order of the folders, nor what is missing; the reason names the study."""
    a = replace(grid(PUBLISHED), spec=grid(PUBLISHED).spec.with_(name="a"))
    b = grid({**PUBLISHED, "adam": (4.6e-5, 0.0101, 14.0)})
    b = replace(b, spec=b.spec.with_(name="b"))
    assert judged([a, b])["adam-fastest"] == judged([b, a])["adam-fastest"]
    assert judged([a, b])["adam-fastest"].verdict == FAILS
    assert "(study b)" in judged([a, b])["adam-fastest"].reason
    assert judged([a, replace(b, runs=b.runs.iloc[:0])])["adam-fastest"].verdict == UNDECIDED


def test_holes_are_bounded_by_what_is_missing() -> None:
    """Known failures between known arrivals, and what the unknown could make of it."""
    assert holes(np.array([-1, 1, 1, -1])) == (0, 0)
    assert holes(np.array([-1, 1, -1, -1, 1, -1])) == (2, 2)
    assert holes(np.array([-1, 1, 0, -1, 1, -1])) == (1, 2)
    assert holes(np.array([0, -1, -1, 1])) == (0, 2)
    assert holes(np.array([-1, -1])) == (0, 0)


def test_a_drop_counts_near_the_target() -> None:
    """From the best so far, once within five points; all of it where the training diverged; nothing
    known of one that never came near.
    """
    assert drop(np.array([0.5, 0.3, 0.93, 0.96, 0.94, 0.97]), 0.97) == pytest.approx(0.02)
    assert math.isnan(drop(np.array([0.5, 0.3, 0.9]), 0.97))
    assert drop(np.array([0.5, 0.95]), 0.97, diverged=True) == 0.95


def test_verdicts_become_a_table_and_plain_json() -> None:
    """One row a claim, beside the published numbers; no NaN in JSON."""
    found = verdicts([])
    rows = table(found)
    assert list(rows["claim"]) == list(CLAIMS)
    assert rows["published"].str.len().min() > 5
    assert found[0].to_json() == {
        "id": "majority-fails",
        "verdict": "undecided",
        "statistic": None,
        "low": None,
        "high": None,
        "threshold": 0.5,
        "reason": found[0].reason,
    }


@pytest.mark.parametrize("true", [HOLDS, FAILS, UNDECIDED])
@pytest.mark.parametrize("id_", OF_METHODS)
def test_claims_about_methods_are_judged_both_ways(id_: str, true: str) -> None:
    """And shuffled rows change nothing; one seed, or none, decides nothing."""
    rows = OF_METHODS[id_][true]()
    for part, expected in (
        (rows.table, true),
        (rows.table.sample(frac=1, random_state=2), true),
        (rows.table[rows.table["seed"] == 0], UNDECIDED),
        (rows.table.iloc[:0], UNDECIDED),
    ):
        found = judged([Rows(rows.kind, part)], [id_])[id_]
        assert found.verdict == expected, found


def test_the_rows_with_most_seeds_judge() -> None:
    """Of two case studies the larger one, whatever the order."""
    small, large = cyclical(0.3, 0, seeds=3), cyclical(-0.3, 0, seeds=6)
    assert (
        judged([small, large])["clr-gain"].verdict
        == judged([large, small])["clr-gain"].verdict
        == FAILS
    )
