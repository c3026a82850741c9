"""Schedules in tables, figures and on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from study import figures, tables
from study.errors import StudyError
from study.spec.schedules.parse import SCHEDULES
from study.spec.study import StudySpec
from support.command import call
from support.made import made
from support.schedules import EACH, factors, named


def test_two_schedules_share_no_table_and_figures_name_theirs() -> None:
    """Under the title, unless the rate is constant."""
    spec = StudySpec(optimizers=("sgd", "adam"), rates=(0.01, 0.1), cap=10.0)
    shaped, plain = (
        made(spec.with_(schedule=text), lambda trial: 4.0)
        for text in ("triangular:half=100", "constant")
    )
    assert "schedule of the rate: triangular:half=100" in [
        text.get_text() for text in figures.valley(shaped).texts
    ]
    assert not any("schedule" in text.get_text() for text in figures.valley(plain).texts)
    both = pd.concat([shaped, plain], ignore_index=True)
    with pytest.raises(StudyError, match=r"differ in schedule \(triangular:half=100, constant\)"):
        tables.comparable(both)


def test_figures_show_the_rates() -> None:
    """What is drawn is what is trained at; each panel is headed by the text that gives it."""
    panels = [axes for axes in figures.schedules(EACH, 100, "Each").axes if axes.get_visible()]
    assert len(panels) == len(EACH)
    for axes, text in zip(panels, EACH, strict=True):
        assert np.asarray(axes.get_lines()[0].get_ydata()) == pytest.approx(factors(text, 101))
        assert axes.get_title(loc="left") == named(text).name
    drawn = figures.every_schedule()
    smooth, staircase = (
        np.asarray(line.get_ydata()) for line in drawn["decay-exponential"].axes[0].get_lines()
    )
    assert smooth == pytest.approx(0.1 * 0.96 ** (np.arange(1001) / 100))
    assert staircase == pytest.approx(0.1 * 0.96 ** (np.arange(1001) // 100))
    pieces_ = np.asarray(drawn["decay-piecewise"].axes[0].get_lines()[0].get_ydata())
    assert [pieces_[step] for step in (0, 10_000, 10_001, 12_000, 12_001, 20_000)] == pytest.approx(
        [1, 1, 0.5, 0.5, 0.1, 0.1]
    )
    assert {named(text).name for text in (*figures.DECAYS, *figures.RISES, "constant")} == set(
        SCHEDULES
    )


@pytest.mark.slow
def test_the_command_line(tmp_path: Path) -> None:
    """Figures are written and named, a plan says its schedule, a bad one is one sentence and exit
    code 2.
    """
    answer = call("schedules", "--out", tmp_path / "figures")
    assert answer.returncode == 0, answer.stderr
    assert "triangular: half, base=0.167, window=triangular, warmup=0" in answer.stdout
    assert all(f"\n{name}:" in f"\n{answer.stdout}" for name in SCHEDULES)
    paths = [Path(line) for line in answer.stdout.splitlines()[-4:]]
    assert [path.stem for path in paths] == [
        "schedules-decay",
        "schedules-rise",
        "decay-exponential",
        "decay-piecewise",
    ]
    assert all(path.exists() and path.with_suffix(".svg").exists() for path in paths)
    plan = call(
        "plan", "quick", "--schedule", "cosine:alpha=0,steps=2000", "--out", "study", cwd=tmp_path
    )
    assert "\n  schedule cosine:steps=2000\n" in plan.stdout
    bad = call("run", "quick", "--schedule", "cosin", cwd=tmp_path)
    assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (2, "", 1)
    assert "did you mean cosine" in bad.stderr
