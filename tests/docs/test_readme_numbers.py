"""Every number of the README, from the stored files' lines alone: no table of ours is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.paths import ROOT

EPYC = ROOT / "results" / "amd-epyc-2-cores"
H100 = ROOT / "results" / "nvidia-h100-80gb-hbm3-x1"
H200 = ROOT / "results" / "nvidia-h200-x1"
OPTIMIZERS = ("sgd", "momentum", "adam", "adagrad", "adadelta", "rmsprop")
TITLES = ("SGD", "Momentum", "Adam", "Adagrad", "Adadelta", "RMSProp")
NAMES = dict(zip(OPTIMIZERS, TITLES, strict=True))
DEFAULTS = {"sgd": 0.01, "momentum": 0.01}
"""Keras's default rates; the others have 0.001."""

Rows = list[dict[str, Any]]


def lines(path: Path) -> Rows:
    """The rows of a stored file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def told() -> str:
    """The README, in one line."""
    return " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def article() -> Rows:
    """The trials of the study that it shows."""
    return lines(EPYC / "article" / "runs.jsonl")


def cells(told: str, first: str) -> list[str]:
    """The last row of a table that begins so, without its first cell."""
    row = rf"\| {re.escape(first)}[^|]* \| ([^\n]*?) \|(?= \||\s*\*| [^|]*$)"
    *_, last = re.findall(row, told)
    return [cell.strip() for cell in last.split("|")]


def of(rows: Rows, name: str) -> Rows:
    """An optimizer's."""
    return [row for row in rows if row["optimizer"] == name]


def reached(rows: Rows) -> Rows:
    """Those that arrived."""
    return [row for row in rows if row["outcome"] == "reached"]


def at_default(rows: Rows, name: str) -> dict[str, Any]:
    """The trial at the rate of the grid that is Keras's default."""
    default = DEFAULTS.get(name, 0.001)
    return min(of(rows, name), key=lambda row: abs(row["learning_rate"] - default))


def seconds_at_default(rows: Rows, name: str) -> str:
    """As the README says it."""
    row = at_default(rows, name)
    return f"{row['seconds']:.1f}" if row["outcome"] == "reached" else "over 120"


def on_fresh_seeds(name: str) -> str:
    """The median over the fresh seeds, or how many arrive where half do not."""
    mine = of(lines(EPYC / "article" / "confirm" / "runs.jsonl"), name)
    times = sorted(row["seconds"] for row in reached(mine))
    if 2 * len(times) <= len(mine):
        return f"{len(times)} of {len(mine)} arrive"
    whole = times + [float("inf")] * (len(mine) - len(times))
    return f"{(whole[(len(mine) - 1) // 2] + whole[len(mine) // 2]) / 2:.1f}"


def by_hand(rows: Rows) -> Iterator[tuple[str, list[str]]]:
    """The table of best rates."""
    for name in OPTIMIZERS:
        arrived = reached(of(rows, name))
        best = min(arrived, key=lambda row: row["seconds"])
        yield (
            NAMES[name],
            [
                str(len(arrived)),
                f"{best['learning_rate']:.2g}",
                f"{best['seconds']:.1f}",
                on_fresh_seeds(name),
                f"{DEFAULTS.get(name, 0.001):g}",
                seconds_at_default(rows, name),
            ],
        )


def test_the_articles_own_network_leads(told: str) -> None:
    """The published rates and ours, row by row; what works there works here."""
    published = lines(ROOT / "results" / "published-k80" / "grid" / "runs.jsonl")
    ours = lines(H100 / "tutorial" / "runs.jsonl")
    both = 0
    for name in OPTIMIZERS:
        parts = []
        for rows in (published, ours):
            there = reached(of(rows, name))
            best = min(there, key=lambda row: row["seconds"])
            parts.append((len(there), len(of(rows, name)), f"{best['learning_rate']:.2g}"))
        (count, rates, best_there), (arrived, _, best_here) = parts
        row = f"| {NAMES[name]} | {count} of {rates} | {best_there} | {arrived} | {best_here} |"
        assert row in told
        worked, works = (
            {row["learning_rate"] for row in reached(of(rows, name))} for rows in (published, ours)
        )
        both += len(worked & works)
        assert worked <= works
    more = len(reached(ours)) - both
    assert f"works here, too: {both} of {len(reached(published))}. {more} more work" in told
    assert f"The study `tutorial`: {len(ours)} trials, n = 1 seed, one NVIDIA H100" in told
    assert {(row["network"], row["max_steps"], row["seed"]) for row in ours} == {
        ("tutorial", 2400, 0)
    }


def test_the_study_that_is_shown_is_described(told: str, article: Rows) -> None:
    """Its trials, seeds, rates, target, cap, batch and network."""
    assert f"The study `article`: {len(article)} trials, n = 1 seed, two cores" in told
    assert {(row["seed"], row["target"], row["cap_seconds"], row["jobs"]) for row in article} == {
        (0, 0.97, 120.0, 2)
    }
    assert {(row["network"], row["dataset"], row["batch"]) for row in article} == {
        ("compact", "mnist", 100)
    }
    assert {len({row["learning_rate"] for row in of(article, name)}) for name in OPTIMIZERS} == {48}
    assert "the compact network on MNIST, batch 100" in told


def test_the_table_of_best_rates(told: str, article: Rows) -> None:
    """All columns of all six rows, and the two sentences above it."""
    table = dict(by_hand(article))
    for name, row in table.items():
        assert cells(told, name) == row
    best = [float(row[2]) for row in table.values()]
    assert (
        f"every optimizer reached 97 % within {min(best):.1f} to {max(best):.1f} s. At the rate"
    ) in told
    assert [row[5] for row in table.values()].count("over 120") == 2
    fresh = {name: float(row[3]) for name, row in table.items() if "arrive" not in row[3]}
    assert min(fresh, key=lambda name: fresh[name]) == "Adam"
    assert "on ten fresh seeds Adam's median is the least, and SGD's rate mostly dies" in told
    assert table["SGD"][3] == "3 of 10 arrive"
    assert "two of six did not reach it in 120 s" in told


@pytest.mark.slow
def test_the_default_rates_are_keras_own() -> None:
    """Momentum is Keras's SGD."""
    import keras

    made = keras.optimizers
    kinds = (made.SGD, made.SGD, made.Adam, made.Adagrad, made.Adadelta, made.RMSprop)
    own = dict(zip(OPTIMIZERS, (float(kind().learning_rate) for kind in kinds), strict=True))
    assert own == pytest.approx({name: DEFAULTS.get(name, 0.001) for name in OPTIMIZERS})


def took(folder: Path) -> float:
    """Seconds of the processes that ran a study."""
    return sum(sum(row["seconds"].values()) for row in lines(folder / "spent.jsonl"))


def one_by_one(rows: Rows, ended_early: bool) -> float:
    """Seconds of each trial to its arrival, of the others to their budget, or to their end."""
    total = 0.0
    for row in rows:
        steps = row["max_steps"] * row["step_seconds"] if row["max_steps"] else float("inf")
        whole = min(row["cap_seconds"] or float("inf"), steps)
        early = row["outcome"] == "reached" or (ended_early and row["outcome"] != "capped")
        total += row["seconds"] if early else whole
    return total


def test_what_the_study_took_and_what_one_by_one_would_take(told: str, article: Rows) -> None:
    """Failing trials end early there, too."""
    seconds = took(EPYC / "article")
    ratio = one_by_one(article, ended_early=True) / seconds
    assert f"study took {seconds / 60:.0f} minutes. One by one" in told
    assert f"it would cost {ratio:.1f} times as much" in told


def test_how_fast_arrays_in_registers_are(told: str) -> None:
    """By the benchmark of the processor that is named."""
    path = ROOT / "results" / "amd-epyc-25-17-avx512-2-cores" / "benchmark" / "benchmark.json"
    made = json.loads(path.read_text())["compact"]
    best = min(made["native_milliseconds"].values())
    assert f"takes {best:.2f} ms so, {made['native_vs_array']:.1f} times less than" in told
    assert f"Keras `fit` takes {made['native_vs_keras_fit']:.0f} times as long" in told


def test_what_the_grid_took_in_registers(told: str) -> None:
    """By what its processes spent."""
    folder = ROOT / "results" / "amd-epyc-25-17-avx512-2-cores" / "article-one-seed"
    rows, seconds = lines(folder / "runs.jsonl"), took(folder)
    ratio = one_by_one(rows, ended_early=True) / seconds
    assert len(rows) == 288
    assert {row["arrays"] for row in rows} == {"native"}
    assert (
        f"grid took {seconds / 60:.0f} minutes so, and one by one it would cost {ratio:.1f}" in told
    )


def test_what_the_h100_took(told: str) -> None:
    """The studies' times, and the steps of the benchmark and of the calibration."""
    numbers = {name: lines(H100 / name / "runs.jsonl") for name in ("article", "tutorial")}
    minutes = {name: took(H100 / name) / 60 for name in numbers}
    alone = {name: one_by_one(rows, ended_early=False) / 60 for name, rows in numbers.items()}
    made = json.loads((H100 / "benchmark" / "benchmark.json").read_text())["compact"]
    calibrated = json.loads((H100 / "tutorial" / "calibration.json").read_text())
    (step,) = [row["seconds"] * 1000 for row in calibrated if row["lanes"] == 96]
    assert cells(told, "compact network, 12 s a trial") == [
        f"{minutes['article']:.1f} min",
        f"{alone['article']:.0f} min",
        f"{made['milliseconds_per_lane_step']:.4f} ms",
        f"{made['milliseconds']['PyTorch eager']:.1f} ms",
    ]
    assert cells(told, "the article's own network, 2,400 steps a trial") == [
        f"{minutes['tutorial']:.1f} min",
        f"{alone['tutorial']:.1f} min",
        f"{step:.2f} ms",
        "not measured",
    ]
    assert f"On one NVIDIA H100 the same grid took {minutes['article']:.1f} minutes" in told
    other = json.loads((H200 / "benchmark" / "benchmark.json").read_text())["tutorial"]
    loop = other["milliseconds"]["PyTorch eager"]
    lane = other["milliseconds_per_lane_step"]
    assert f"took {lane:.3f} ms, and that of PyTorch's loop {loop:.2f} ms" in told
    assert max(minutes.values()) < 4
    assert "both grids in less than four minutes each" in told
    assert {row["cap_seconds"] for row in numbers["article"]} == {12.0}
    assert {row["max_steps"] for row in numbers["tutorial"]} == {2400}
    assert {len(rows) for rows in numbers.values()} == {288}
    assert "H100, 288 trials" in told


def test_its_steps_are_those_of_the_epyc(told: str, article: Rows) -> None:
    """The median ratio of the cells that arrived on both, within a hundredth."""
    assert "the steps are those of the EPYC" in told
    here, there = (
        {(row["optimizer"], row["learning_rate"]): row["steps"] for row in reached(rows)}
        for rows in (article, lines(H100 / "article" / "runs.jsonl"))
    )
    ratios = sorted(there[cell] / here[cell] for cell in here.keys() & there.keys())
    assert len(ratios) == 83
    assert ratios[41] == pytest.approx(1, abs=0.01)


def test_the_table_of_fresh_seeds_is_that_of_the_stored_trials(article: Rows) -> None:
    """Row by row of the page that tells what one draw is worth."""
    page = ROOT / "docs" / "explanation" / "how-we-know.md"
    found = dict(by_hand(article))
    for name, row in found.items():
        mine = of(lines(EPYC / "article" / "confirm" / "runs.jsonl"), key_of(name))
        arrived = f"{len(reached(mine))} of {len(mine)}"
        median = row[3] if "arrive" not in row[3] else "over 120"
        told = f"| {name} | {row[1]} | {row[2]} | {median} | {arrived} |"
        assert told in page.read_text(encoding="utf-8")


def key_of(title: str) -> str:
    """An optimizer by its title."""
    return next(name for name, called in NAMES.items() if called == title)
