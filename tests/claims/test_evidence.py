"""What claims are judged on, and how a statistic becomes a verdict."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
import pkgutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study import claims, tables
from study.claims.evidence import (
    Evidence,
    Rows,
    evidence,
    evidence_of,
    largest,
    rows_in,
    rows_of,
    studies_in,
    verdicts,
)
from study.claims.frame_sizes import Sizes, no_sizes, sizes_of
from study.claims.judge import judge, table
from study.claims.verdict import CLAIMS, FAILS, HOLDS, UNDECIDED, decide, no_evidence
from study.errors import StudyError
from study.spec.study import StudySpec
from study.storage.jsonl import append_line
from study.tables import case_study, contests
from support.made import made, stored

SPEC = StudySpec(optimizers=("sgd", "adam"), rates=(0.01, 0.1), seeds=2, cap=60.0)
NOTHING = pd.DataFrame(columns=["optimizer", "seed", "accuracy", "step", "outcome", "fingerprint"])


@pytest.mark.parametrize(
    ("low", "high", "above", "below"),
    [
        (0.51, 0.9, HOLDS, FAILS),
        (0.5, 0.9, UNDECIDED, UNDECIDED),
        (0.1, 0.49, FAILS, HOLDS),
        (0.1, 0.5, UNDECIDED, UNDECIDED),
        (0.5, 0.5, UNDECIDED, UNDECIDED),
        (math.nan, math.nan, UNDECIDED, UNDECIDED),
        (0.6, math.inf, HOLDS, FAILS),
    ],
)
def test_an_interval_beyond_the_threshold_decides(
    low: float, high: float, above: str, below: str
) -> None:
    """One that touches it does not."""
    found = decide("x", np.float64(0.7), low, high, 0.5, "why")
    assert (found.id, found.verdict, found.statistic) == ("x", above, 0.7)
    assert (found.threshold, found.reason) == (0.5, "why")
    assert found.low == pytest.approx(low, nan_ok=True)
    assert type(found.statistic) is float
    assert found.high == pytest.approx(high, nan_ok=True)
    assert decide("x", 0.7, low, high, 0.5, "why", above=False).verdict == below


def test_without_evidence_nothing_is_known() -> None:
    """But the threshold and the reason; in JSON there is no NaN or infinity."""
    found = no_evidence("x", 0.5, "nothing there")
    assert (found.id, found.verdict, found.threshold) == ("x", UNDECIDED, 0.5)
    assert found.reason == "nothing there"
    assert np.isnan([found.statistic, found.low, found.high]).all()
    assert replace(found, statistic=1.5, low=-math.inf).to_json() == {
        "id": "x", "verdict": UNDECIDED, "statistic": 1.5, "low": None, "high": None,
        "threshold": 0.5, "reason": "nothing there",
    }  # fmt: skip


def test_every_column_of_the_verdicts_is_theirs() -> None:
    """With the claim's words and the published numbers beside them."""
    found = verdicts([])
    for row, verdict, claim in zip(
        table(found).to_dict("records"), found, CLAIMS.values(), strict=True
    ):
        assert row == pytest.approx(
            {"claim": claim.id, "says": claim.text, "published": claim.published,
             "verdict": verdict.verdict, "statistic": verdict.statistic, "low": verdict.low,
             "high": verdict.high, "threshold": verdict.threshold, "reason": verdict.reason},
            nan_ok=True,
        )  # fmt: skip


def test_the_largest_study_has_most_optimizers_then_rates_then_seeds() -> None:
    """Of equals the last by name."""

    def study(**changes: Any) -> Evidence:
        return Evidence(SPEC.with_(name="m", **changes), pd.DataFrame(), pd.DataFrame())

    order = [
        Evidence(SPEC.with_(name="a"), pd.DataFrame(), pd.DataFrame()),
        study(),
        study(seeds=9),
        study(rates=(0.1, 0.2, 0.3)),
        study(optimizers=("sgd", "adam", "rmsprop"), rates=(0.1,), seeds=1),
    ]
    for i in range(len(order)):
        assert largest(order[: i + 1]) is largest(order[i::-1]) is order[i]


def test_rows_are_of_their_kind_and_of_most_seeds() -> None:
    """Then of most rows; studies are apart."""
    few = pd.DataFrame({"seed": [0, 0, 0]})
    two = pd.DataFrame({"seed": [0, 1]})
    more = pd.DataFrame({"seed": [0, 1, 1]})
    study = Evidence(SPEC, pd.DataFrame(), pd.DataFrame())
    for order in ([few, two, more], [more, two, few]):
        known: list[Evidence | Rows] = [study, *(Rows("cycles", each) for each in order)]
        found = rows_of(known, "cycles")
        assert found is not None
        assert found.table is more
        assert rows_of(known, "contest") is None
        assert studies_in(known) == [study]


def test_a_folder_is_a_study_a_contest_or_a_case_study(tmp_path: Path) -> None:
    """A study even if it has a contest's table in it, too."""
    folder = stored(tmp_path / "study", SPEC, lambda trial: 4.0)
    picks = pd.DataFrame({"seed": [0], "method": ["finder"]})
    picks.to_csv(folder / contests.TABLE, index=False)
    found = evidence(folder)
    assert isinstance(found, Evidence)
    assert rows_in(folder) is None
    assert (found.spec, len(found.runs)) == (SPEC, len(SPEC))
    assert isinstance(evidence(tables.StoredStudy(folder)), Evidence)
    (tmp_path / "contest").mkdir()
    assert rows_in(tmp_path / "contest") is None
    picks.to_csv(tmp_path / "contest" / contests.TABLE, index=False)
    held = evidence(tmp_path / "contest")
    assert isinstance(held, Rows)
    assert (held.kind, held.table["seed"].tolist()) == ("contest", [0])
    rows = [{"arm": case_study.FIRST, "seed": 0, "epoch": 1, "steps": 5, "test_error": 0.1}]
    (tmp_path / "cycles").mkdir()
    append_line(tmp_path / "cycles" / case_study.FILE, {"seed": 0, "rows": rows})
    (tmp_path / "cycles" / "calibration.json").write_text("[]")
    cycles = rows_in(tmp_path / "cycles")
    assert cycles is not None
    assert (cycles.kind, len(cycles.table)) == ("cycles", 1)
    with pytest.raises(StudyError, match="holds no study"):
        evidence(tmp_path / "nothing")


def test_runs_outside_the_grid_and_curves_of_others_are_left_out() -> None:
    """What a study was asked for is judged; runs that share no table are refused."""
    runs = made(SPEC, lambda trial: 4.0)
    curves = pd.DataFrame({"fingerprint": ["0123abcd", "x", ""], "accuracy": [0.1, 0.2, 0.3]})
    found = evidence_of(SPEC.with_(rates=(0.1,)), runs, curves)
    assert sorted(set(found.runs["learning_rate"])) == [0.1]
    assert len(found.runs) == 4
    assert found.curves["accuracy"].tolist() == [0.1, 0.3]
    none = evidence_of(SPEC.with_(rates=(7.0,)), runs, curves)
    assert (len(none.runs), none.curves["accuracy"].tolist()) == (0, [0.3])
    assert len(evidence_of(SPEC, runs.iloc[:0], NOTHING).runs) == 0
    mixed = runs.assign(clock=["a", "b"] * 4)
    with pytest.raises(StudyError, match="the runs differ in clock"):
        evidence_of(SPEC, mixed, curves)


def test_folders_are_judged_together(tmp_path: Path) -> None:
    """One may stand alone; none is refused."""
    folder = stored(tmp_path / "study", SPEC, lambda trial: 4.0)
    ids = [verdict.id for verdict in judge(folder)]
    assert ids == list(CLAIMS)
    ways: list[Any] = [str(folder), [folder, str(folder)], tables.StoredStudy(folder)]
    for one in ways:
        assert [found.to_json() for found in judge(one)] == [v.to_json() for v in judge([folder])]
    with pytest.raises(StudyError, match="name at least one study's folder"):
        judge([])
    with pytest.raises(StudyError, match="no trial of the machine 'nobody'"):
        judge(folder, "nobody")


WIDTHS = (1.0, 2.0, 3.0, 3.5, 4.0)


def sized(name: str = "sizes", **changes: Any) -> Evidence:
    """A study of sizes in which nothing has run."""
    spec = SPEC.with_(**{"name": name, "widths": WIDTHS, **changes})
    return Evidence(spec, made(spec, lambda trial: 4.0).iloc[:0], NOTHING)


@pytest.mark.parametrize(
    ("widths", "wide"),
    [(WIDTHS, True), ((1.0, 2.0, 3.0, 3.5, 3.99), False), ((1.0, 2.0, 3.0, 4.0), False),
     ((4.0, 1.0, 2.0, 9.0, 3.0), True)],
)  # fmt: skip
def test_sizes_are_five_widths_over_a_factor_of_four(widths: tuple[float, ...], wide: bool) -> None:
    """Exactly so many and so far are enough."""
    found = sizes_of([sized(widths=widths)])
    assert (found is not None) == wide
    assert sizes_of([]) is None
    assert no_sizes([]) == (
        "no study has 5 widths, the largest 4 times the smallest: such as `run sizes`"
    )
    if found:
        assert found.widths.tolist() == sorted(widths)
        assert found.rates.tolist() == [0.01, 0.1]


def test_the_study_of_most_widths_is_judged_on_sizes() -> None:
    """Then of most seeds, of most rates, and the last by name."""
    order = [
        sized("a"),
        sized("b"),
        sized("a", rates=(0.01, 0.1, 1.0)),
        sized("a", seeds=3),
        sized("a", widths=(*WIDTHS, 5.0), seeds=1),
    ]
    for i in range(len(order)):
        for studies in (order[: i + 1], order[i::-1]):
            found = sizes_of(studies)
            assert found is not None
            spec = order[i].spec
            assert found.name == spec.name
            assert found.seconds.shape == (len(spec.widths), len(spec.rates), spec.seeds)
    assert isinstance(found, Sizes)
    assert np.isnan(found.seconds).all()
    assert not found.capped.any()
    assert found.missing == found.seconds.size


@pytest.mark.parametrize(
    ("optimizers", "judged"), [(("sgd", "adam"), "adam"), (("sgd", "rmsprop"), "sgd")]
)
def test_adams_sizes_are_judged_or_the_first_optimizers(
    optimizers: tuple[str, ...], judged: str
) -> None:
    """Seconds of what arrived, infinite for what did not, unknown for what is missing or failed."""
    spec = SPEC.with_(optimizers=optimizers, widths=WIDTHS)
    ends = {1.0: "capped", 2.0: "stuck", 3.0: "failed", 3.5: 5.0, 4.0: 6.0}
    runs = made(spec, lambda t: ends[t.width] if t.optimizer == judged else 1.0)  # type: ignore[arg-type, return-value]
    runs = runs[(runs["width"] < 4) | (runs["seed"] == 0)]
    found = sizes_of([Evidence(spec, runs, NOTHING)])
    assert found is not None
    assert (found.optimizer, set(found.runs["optimizer"])) == (judged, {judged})
    wanted = [[math.inf] * 2, [math.inf] * 2, [math.nan] * 2, [5.0] * 2, [6.0, math.nan]]
    for rate in (0, 1):
        assert found.seconds[:, rate] == pytest.approx(np.array(wanted), nan_ok=True)
        assert found.capped[:, rate].tolist() == [[True] * 2, *[[False] * 2] * 4]
    assert found.missing == 6


def test_no_record_of_a_claim_can_be_changed() -> None:
    """All are frozen."""
    found = set()
    for module in pkgutil.walk_packages(claims.__path__, "study.claims."):
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if dataclasses.is_dataclass(kind) and kind.__module__.startswith("study.claims"):
                found.add(kind.__name__)
                assert kind.__dataclass_params__.frozen, kind  # type: ignore[attr-defined]
    assert found == {"Verdict", "Claim", "Evidence", "Rows", "Grid", "Leasts", "Sizes", "Compared"}
