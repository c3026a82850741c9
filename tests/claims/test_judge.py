"""Claims on made-up studies whose truth is known, both ways for each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study.claims.evidence import Rows
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED
from support.published import (
    FALSE,
    LIKE_PUBLISHED,
    OF_METHODS,
    PUBLISHED,
    grid,
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


def test_what_was_asked_for_decides_which_study_judges() -> None:
    """Not the order of the folders, nor what is missing; the reason names the study."""
    a = replace(grid(PUBLISHED), spec=grid(PUBLISHED).spec.with_(name="a"))
    b = grid({**PUBLISHED, "adam": (4.6e-5, 0.0101, 14.0)})
    b = replace(b, spec=b.spec.with_(name="b"))
    found = judged([a, b], ["adam-fastest"])["adam-fastest"]
    assert found == judged([b, a], ["adam-fastest"])["adam-fastest"]
    assert (found.verdict, "(study b)" in found.reason) == (FAILS, True)
    begun = replace(b, runs=b.runs.iloc[:0])
    assert judged([a, begun], ["adam-fastest"])["adam-fastest"].verdict == UNDECIDED


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
