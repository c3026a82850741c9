"""Claims: made-up studies whose truth is known, both ways for each; and what must never change a
verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.claims.adam import drop
from study.claims.bands import holes
from study.claims.evidence import Evidence, Known, Rows, verdicts
from study.claims.judge import table
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED, Verdict
from study.spec.networks import network_of
from study.spec.rates import PUBLISHED_RATES, PUBLISHED_WIDTHS
from study.spec.study import StudySpec
from study.spec.trial import OPTIMIZERS, Trial
from study.tables import case_study
from support.made import made
from support.published import PUBLISHED, Bands, noise


def grid(
    bands: Bands,
    seeds: int = 3,
    spoilt: Callable[[Trial], float | str | None] = lambda trial: None,
    drops: Any = None,
) -> Evidence:
    """A study of the published grid: within its band an optimizer is the slower the lower the rate,
    up to 14 times.
    """
    spec = StudySpec(optimizers=tuple(bands), rates="published", seeds=seeds)

    def takes(trial: Trial) -> float | str:
        other = spoilt(trial)
        if other is not None:
            return other
        low, high, best = bands[trial.optimizer]
        if not low <= trial.learning_rate <= high:
            return "capped" if trial.learning_rate < low else "stuck"
        slower = (
            1 + 13 * (math.log(high / trial.learning_rate) / math.log(high / low)) ** 2
            if high > low
            else 1
        )
        return min(best * slower * noise(trial), 119.0)

    return Evidence(
        spec,
        made(spec, takes),
        curves(drops if drops is not None else dict.fromkeys(bands, 0.05) | {"adam": 0.005}, seeds),
    )


def curves(drops: Mapping[str, float], seeds: int) -> pd.DataFrame:
    """Validation curves that climb to 97 %, drop by so much, and climb again."""
    parts = []
    for name, size in drops.items():
        for seed in range(seeds):
            accuracy = [0.1, 0.8, 0.95, 0.97, 0.97 - size * (1 + 0.02 * seed), 0.97]
            part = pd.DataFrame({"accuracy": accuracy, "step": range(50, 350, 50)})
            parts.append(part.assign(optimizer=name, seed=seed, width=1.0, outcome="capped"))
    return (
        pd.concat(parts, ignore_index=True)
        if parts
        else pd.DataFrame(columns=["optimizer", "seed", "accuracy", "step", "width"])
    )


SIZES = StudySpec(
    optimizers=("adam",),
    rates=(0.0005, 0.001, 0.00146, 0.01),
    widths=PUBLISHED_WIDTHS,
    target=0.96,
    cap=240.0,
)


def sized(
    shape: Callable[[float], float] = lambda n: 1 + n,
    best: Callable[[float], float] = lambda width: 0.001,
    trains: Callable[[Trial], bool] = lambda trial: True,
    above: float = 2.0,
) -> Evidence:
    """A size study: time of a shape in n (weights over those at 1x), less at the rate that is best
    there, more and noisier above it.
    """
    base = network_of(SIZES.trials()[0]).weights

    def takes(trial: Trial) -> float | str:
        if not trains(trial):
            return "stuck"
        away = abs(math.log(trial.learning_rate / best(trial.width)))
        wild = 0.02 if trial.learning_rate <= 0.001 else 0.02 * above
        slower = 1 + 0.4 * away if trial.learning_rate < 0.005 else above
        return shape(network_of(trial).weights / base) * slower * noise(trial, wild)

    return Evidence(SIZES, made(SIZES, takes), curves({}, 1))


LIKE_PUBLISHED = [grid(PUBLISHED), sized()]
EVERYWHERE: Bands = {
    name: (PUBLISHED_RATES[1], PUBLISHED_RATES[-2], best)
    for name, (_, _, best) in PUBLISHED.items()
}


def judged(studies: Known) -> dict[str, Verdict]:
    return {verdict.id: verdict for verdict in verdicts(studies)}


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
    assert judged(LIKE_PUBLISHED)[id_].verdict == HOLDS, judged(LIKE_PUBLISHED)[id_]


def hole(trial: Trial) -> str | None:
    return "stuck" if trial.optimizer == "adadelta" and 1 < trial.learning_rate < 5 else None


FALSE: dict[str, Callable[[], list[Evidence]]] = {
    "majority-fails": lambda: [grid({**PUBLISHED, "sgd": (1e-5, 50, 7.0)})],
    "valley": lambda: [grid(PUBLISHED, spoilt=hole)],
    "no-universal-rate": lambda: [grid(EVERYWHERE)],
    "order-of-magnitude": lambda: [
        grid(PUBLISHED, spoilt=lambda trial: None if trial.learning_rate > 100 else flat(trial))
    ],
    "wide-union": lambda: [grid({**PUBLISHED, "adadelta": (10, 47, 8.4)})],
    "all-but-rmsprop": lambda: [grid({**PUBLISHED, "rmsprop": (3.1e-4, 0.0015, 6.0)})],
    "adam-fastest": lambda: [grid({**PUBLISHED, "adam": (4.6e-5, 0.0101, 14.0)})],
    "adam-stable": lambda: [grid(PUBLISHED, drops=dict.fromkeys(OPTIMIZERS, 0.05))],
    "adam-wide": lambda: [grid({**PUBLISHED, "adam": (0.005, 0.0101, 5.0)})],
    "linear-size": lambda: [sized(shape=lambda n: 0.2 + 0.5 * n**2.2)],
    "rate-survives-scaling": lambda: [
        sized(trains=lambda trial: trial.width < 6 or trial.learning_rate < 0.001)
    ],
    "best-rate-transfers": lambda: [
        sized(best=lambda width: 0.00146 if width < 4 else 0.0005, above=4)
    ],
    "variance-above-1e-3": lambda: [sized(above=0.5)],
}


def flat(trial: Trial) -> float | str:
    low, high, _ = PUBLISHED[trial.optimizer]
    return 10 * noise(trial) if low <= trial.learning_rate <= high else "stuck"


@pytest.mark.parametrize("id_", list(CLAIMS)[:13])
def test_a_study_in_which_a_claim_is_false_refutes_it(id_: str) -> None:
    """One made-up truth against each."""
    found = judged(FALSE[id_]())[id_]
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


def scaled(study: Evidence, factor: float) -> Evidence:
    columns = ["seconds", "step_seconds", "cap_seconds"]
    return replace(
        study, runs=study.runs.assign(**{name: study.runs[name] * factor for name in columns})
    )


WORLDS = {"published": lambda: LIKE_PUBLISHED, **FALSE}


@pytest.mark.parametrize("world", WORLDS)
def test_order_and_units_change_no_verdict(world: str) -> None:
    """Rows shuffled, seconds in milliseconds or hours."""
    studies = WORLDS[world]()
    truth = {id_: verdict.verdict for id_, verdict in judged(studies).items()}
    for changed in (
        [
            replace(study, runs=study.runs.sample(frac=1, random_state=1).reset_index(drop=True))
            for study in studies
        ],
        [scaled(study, 1e3) for study in studies],
        [scaled(study, 1 / 3600) for study in studies],
    ):
        assert {id_: verdict.verdict for id_, verdict in judged(changed).items()} == truth


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([0.002, 0.02, 0.1, 0.3, 0.7, 1.0]), st.integers(0, 10_000))
@pytest.mark.parametrize("world", WORLDS)
def test_taking_data_away_never_turns_a_verdict_round(world: str, share: float, seed: int) -> None:
    """It may become undecided, and only that."""
    studies = WORLDS[world]()
    truth = judged(studies)
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
    for id_, verdict in judged(fewer).items():
        assert verdict.verdict in (truth[id_].verdict, UNDECIDED), (share, verdict, truth[id_])


REMOVALS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "all": lambda runs: runs["width"] < 0,
    "all but two widths": lambda runs: runs["width"].isin([1.0, 9.75]),
    "one optimizer": lambda runs: runs["optimizer"] != "adam",
    "one seed": lambda runs: runs["seed"] == 0,
    "arrivals": lambda runs: runs["outcome"] != "reached",
    "failures": lambda runs: runs["outcome"] == "reached",
    "the fast": lambda runs: runs["seconds"] > runs["seconds"].median(),
}


@pytest.mark.parametrize("removal", REMOVALS)
@pytest.mark.parametrize("world", WORLDS)
def test_taking_much_away_by_kind_never_turns_a_verdict_round(world: str, removal: str) -> None:
    """Nor does it end in an error."""
    studies = WORLDS[world]()
    truth = judged(studies)
    fewer = [replace(study, runs=study.runs[REMOVALS[removal](study.runs)]) for study in studies]
    for id_, verdict in judged(fewer).items():
        assert verdict.verdict in (truth[id_].verdict, UNDECIDED), (verdict, truth[id_])


def cut(study: Evidence, cap: float) -> Evidence:
    """The same trials under a shorter cap."""
    late = (study.runs["outcome"] == "reached") & (study.runs["seconds"] > cap)
    runs = study.runs.assign(outcome=study.runs["outcome"].mask(late, "capped"), cap_seconds=cap)
    return replace(study, runs=runs.assign(seconds=runs["seconds"].clip(upper=cap)))


@pytest.mark.parametrize("cap", [100.0, 60.0, 30.0, 14.0, 9.0, 5.0])
@pytest.mark.parametrize(
    "world", ["published", "all-but-rmsprop", "order-of-magnitude", "rate-survives-scaling"]
)
def test_a_shorter_cap_never_turns_a_verdict_round(world: str, cap: float) -> None:
    """What ran out of a short cap might have arrived; only what is certain then is still said."""
    studies = WORLDS[world]()
    truth = judged(studies)
    decided = (
        "order-of-magnitude",
        "all-but-rmsprop",
        "adam-fastest",
        "rate-survives-scaling",
        "no-universal-rate",
    )
    for id_, verdict in judged([cut(study, cap) for study in studies]).items():
        if id_ in decided:
            assert verdict.verdict in (truth[id_].verdict, UNDECIDED), (verdict, truth[id_])


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


def picks(reached: Mapping[str, int], seeds: int = 3) -> Rows:
    """A contest in which the tenth rule's pick trains with so many of the seeds."""
    rows = [
        {
            "method": "finder",
            "rule": "tenth",
            "optimizer": name,
            "seed": seed,
            "outcome": "reached" if seed < reached[name] else "stuck",
        }
        for name in reached
        for seed in range(seeds)
    ]
    other = {"method": "finder", "rule": "slide", "optimizer": "sgd", "seed": 0, "outcome": "none"}
    return Rows("contest", pd.DataFrame([*rows, other]))


def cyclical(cycle: float, window: float, seeds: int = 5, scatter: float = 0.01) -> Rows:
    """A case study whose cycle and whose Hann window gain so many points of test error, over the
    others, which have 2 %.
    """
    random = np.random.default_rng(1)
    lower = {case_study.PUBLISHED: cycle, case_study.SCRATCH: cycle, "three cycles, hann": window}
    rows = [
        {
            "arm": arm.name,
            "seed": seed,
            "epoch": 10,
            "test_error": (2 - lower.get(arm.name, 0.0) + random.normal(0, scatter)) / 100,
        }
        for arm in case_study.ARMS
        for seed in range(seeds)
    ]
    return Rows("cycles", pd.DataFrame(rows))


ALL = dict.fromkeys(OPTIMIZERS, 3)

OF_METHODS: dict[str, dict[str, Callable[[], Rows]]] = {
    "tenth-rule": {
        HOLDS: lambda: picks({**ALL, "sgd": 2}),
        FAILS: lambda: picks({**ALL, "rmsprop": 1}),
        UNDECIDED: lambda: picks(dict.fromkeys(OPTIMIZERS[1:], 3)),
    },
    "clr-gain": {
        HOLDS: lambda: cyclical(0.2, 0),
        FAILS: lambda: cyclical(-0.2, 0),
        UNDECIDED: lambda: cyclical(0.02, 0, scatter=0.2),
    },
    "windows-equal": {
        HOLDS: lambda: cyclical(0, 0.01),
        FAILS: lambda: cyclical(0, 0.4),
        UNDECIDED: lambda: cyclical(0, 0.08, scatter=0.1),
    },
}
"""Worlds for each claim about a way of choosing a rate."""


@pytest.mark.parametrize("truth", [HOLDS, FAILS, UNDECIDED])
@pytest.mark.parametrize("id_", OF_METHODS)
def test_claims_about_methods_are_judged_both_ways(id_: str, truth: str) -> None:
    """And shuffled rows change nothing; one seed, or none, decides nothing."""
    world = OF_METHODS[id_][truth]()
    assert judged([world])[id_].verdict == truth, judged([world])[id_]
    shuffled = Rows(world.kind, world.table.sample(frac=1, random_state=2))
    assert judged([shuffled])[id_].verdict == truth
    assert (
        judged([Rows(world.kind, world.table[world.table["seed"] == 0])])[id_].verdict == UNDECIDED
    )
    assert judged([Rows(world.kind, world.table.iloc[:0])])[id_].verdict == UNDECIDED


@pytest.mark.parametrize("seed", range(20))
def test_a_pick_that_is_missing_never_turns_the_tenth_rule_round(seed: int) -> None:
    """It may become undecided."""
    for truth in (HOLDS, FAILS):
        world = OF_METHODS["tenth-rule"][truth]()
        fewer = Rows(world.kind, world.table.sample(frac=0.7, random_state=seed))
        assert judged([fewer])["tenth-rule"].verdict in (truth, UNDECIDED)


def test_the_rows_with_most_seeds_judge() -> None:
    """Of two case studies the larger one, whatever the order."""
    small, large = cyclical(0.3, 0, seeds=3), cyclical(-0.3, 0, seeds=6)
    assert (
        judged([small, large])["clr-gain"].verdict
        == judged([large, small])["clr-gain"].verdict
        == FAILS
    )
