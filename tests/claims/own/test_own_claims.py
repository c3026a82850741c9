"""The published claims on models of the user's own: the optimizers that are there, no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from study import claims, tables
from study.claims.evidence import Evidence, Rows, evidence_of
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED, Verdict
from study.spec.study import StudySpec
from support.own.studies import ACCURACY, LION, LOSS, SIZES, curves, frame, picks, stored
from support.published import GRID, LIKE_PUBLISHED

STUDIES = pytest.mark.parametrize("spec", [LOSS, ACCURACY, SIZES], ids=lambda spec: spec.name)


def evidence(spec: StudySpec, runs: pd.DataFrame | None = None) -> Evidence:
    """A study as the claims see it."""
    return evidence_of(spec, frame(spec) if runs is None else runs, curves(spec))


def judged(*known: Evidence | Rows) -> dict[str, Verdict]:
    """The verdicts by the claim."""
    return {verdict.id: verdict for verdict in claims.verdicts(known)}


@STUDIES
@pytest.mark.parametrize("share", [1.0, 0.4, 0.0], ids=["finished", "half-finished", "begun"])
def test_every_claim_is_judged_on_the_optimizers_that_are_there(
    spec: StudySpec, share: float, tmp_path: Path
) -> None:
    """Nothing is said of six optimizers or of trials that nobody asked for."""
    found = claims.judge([stored(tmp_path / "own", spec, share)])
    assert [verdict.id for verdict in found] == list(CLAIMS)
    for verdict in found:
        assert verdict.verdict in (HOLDS, FAILS, UNDECIDED)
        assert verdict.reason
        assert "six" not in verdict.reason, verdict
        assert "run article" not in verdict.reason, verdict
        assert "run sizes" not in verdict.reason, verdict
        assert f"of {len(GRID)}" not in verdict.reason, verdict
    if not share:
        assert {verdict.verdict for verdict in found} == {UNDECIDED}


def test_all_optimizers_are_those_of_the_study() -> None:
    """A claim on all of them can hold, or fail, with three."""
    found = judged(evidence(ACCURACY))
    assert found["no-universal-rate"].threshold == 2.5
    assert found["no-universal-rate"].verdict == FAILS
    assert "at 1e-05 3 of 3 optimizers work" in found["no-universal-rate"].reason
    assert found["majority-fails"].verdict == FAILS
    runs = frame(ACCURACY)
    dead = runs["outcome"].where(runs["learning_rate"].between(1e-4, 1e-3), "diverged")
    narrow = judged(evidence(ACCURACY, runs.assign(outcome=dead)))
    assert narrow["majority-fails"].verdict == HOLDS
    assert found["order-of-magnitude"].verdict == HOLDS


def test_a_claim_that_names_an_optimizer_needs_it() -> None:
    """With its default settings; the reason names it."""
    found = judged(evidence(LOSS))
    for id_, name in (
        ("adam-fastest", "adam"),
        ("adam-wide", "adam"),
        ("all-but-rmsprop", "rmsprop"),
    ):
        assert found[id_].verdict == UNDECIDED
        assert found[id_].reason == f"the claim is about {name}, which is none of the study's"
    there = judged(evidence(ACCURACY))
    assert there["adam-fastest"].statistic == pytest.approx(2.0 / 1.8, rel=0.1)
    assert LION in there["adam-fastest"].reason
    assert "validation accuracy Adam's curve is first" in there["adam-fastest"].reason
    assert there["adam-wide"].statistic == pytest.approx(0.5)


def test_drops_are_of_accuracies_alone() -> None:
    """Adam's loss may be what it will."""
    assert "1 of 2 others surely drop" in judged(evidence(ACCURACY))["adam-stable"].reason
    spec = ACCURACY.with_(metric="val_loss", goal="at-most")
    found = judged(replace(evidence(ACCURACY), spec=spec))["adam-stable"]
    assert found.verdict == UNDECIDED
    assert found.reason == "the claim is about accuracy, and the curves show validation loss"


def test_sizes_of_ones_own_are_judged() -> None:
    """By weights, whatever is known of multiply-adds; also where width changes none."""
    found = judged(evidence(SIZES))
    assert found["linear-size"].verdict == HOLDS
    assert LION in found["linear-size"].reason
    assert found["best-rate-transfers"].verdict == HOLDS
    assert "--rates 1e-5:1:11" in found["valley"].reason
    assert "--widths 1,1.5,2,3,4" in judged(evidence(LOSS))["linear-size"].reason
    same = judged(evidence(SIZES, frame(SIZES).assign(weights=0)))
    assert same["linear-size"].verdict == UNDECIDED
    assert same["variance-above-1e-3"].verdict == UNDECIDED


def test_a_contest_of_ones_own_is_judged_on_its_optimizers() -> None:
    """All of them, in the order of the tables; those of the built-in networks are six."""
    table = pd.concat([picks().assign(seed=seed) for seed in range(3)], ignore_index=True)
    found = judged(Rows("contest", table, frame(LOSS)))["tenth-rule"]
    assert (found.verdict, found.threshold, found.statistic) == (HOLDS, 3.5, 4.0)
    assert found.reason.endswith(f"sgd 3 of 3, adamw 3 of 3, {LION} 3 of 3, "
                                 "sgd(momentum=0.9,nesterov=true) 3 of 3")  # fmt: skip
    other = Rows("contest", table, tables.frame([]))
    assert judged(other)["tenth-rule"].threshold == 5.5


def test_a_model_of_ones_own_never_stands_for_the_article() -> None:
    """It is said what the verdicts are of; beside a study of another network it does not count."""
    own = evidence(LOSS)
    (said,) = claims.about([own])
    assert "the article's network and its six optimizers" in said
    assert "on the model my_model.py:build, with the optimizers of its study" in said
    assert claims.about(LIKE_PUBLISHED) == []
    assert judged(own, *LIKE_PUBLISHED) == judged(*LIKE_PUBLISHED)
    (said,) = claims.about([own, *LIKE_PUBLISHED])
    assert said == "the claims are judged on the other studies, without the model my_model.py:build"
