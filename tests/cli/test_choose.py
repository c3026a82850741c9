"""The commands of the ways of choosing a rate, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from study.cli import option_sets
from study.cli.main import app
from study.spec.schedules.parse import parse
from study.spec.study import StudySpec
from support.command import call
from support.made import stored
from support.parabola import ParabolaEngine

pytestmark = pytest.mark.slow

SMALL = ["--optimizer", "sgd", "--batch", "20"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["find-rate"], "--optimizer"),
        (["find-rate", "--optimizer", "adamm"], "did you mean adam"),
        (["find-rate", *SMALL, "--low", "1", "--high", "0.1"], "low 1 must be below high 0.1"),
        (["find-rate", *SMALL, "--low", "nan"], "low nan"),
        (["find-rate", *SMALL, "--steps", "many"], "'many'"),
        (["find-rate", *SMALL, "--scale", "cubic"], "one of log, linear"),
        (["find-rate", *SMALL, "--stop", "1"], "stop 1"),
        (["find-rate", *SMALL, "--seed", "-1"], "'-1' is not a whole number"),
        (["find-rate", *SMALL, "--dataset", "none.npz"], "no file none.npz"),
        (["find-rate", *SMALL, "--out", ""], "empty text"),
        (["staircase", *SMALL, "--search", "0.1"], "START:STEP:REPEATS"),
        (["staircase", *SMALL, "--unit", "days"], "one of epochs, steps"),
        (["staircase", *SMALL, "--network", "huge"], "one of compact, tutorial"),
        (["halve", *SMALL, "--start", "0"], "'0' is not a number above 0"),
        (["halve", "--optimizer", "sgd", "--width", "0"], "width 0"),
        (["evolve", "--members", "1"], "'1' is not a whole number from 2 to 96"),
        (["evolve", "--low", "1", "--high", "0.1"], "low 1 is above high 0.1"),
        (["evolve", "--share", "0.7"], "share 0.7"),
        (["evolve", "--momenta", "0:0.9"], "adam has no such coefficient"),
        (["evolve", "--optimizer", "momentum", "--momenta", "0.9"], "LOW:HIGH"),
        (["cycles"], "--out"),
        (["cycles", "--out", "here", "--seeds", "0"], "'0' is not a whole number from 1"),
        (["contest", "nowhere"], "holds no study"),
        (["contest", "nowhere", "--methods", "finder,guess"], "unknown method 'guess'"),
        (["contest", "nowhere", "--budget", "5"], "'5' is not a whole number from 600"),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], words: str, tmp_path: Path) -> None:
    """And exit code 2, before anything is trained."""
    answer = call(*arguments, cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert words in answer.stderr


@pytest.mark.kernels
def test_find_rate_prints_every_rule_and_writes_the_curve(tmp_path: Path) -> None:
    """The rules' reasons, how the sweep ended, the numbers and the figure."""
    answer = call(
        "find-rate",
        *SMALL,
        "--steps",
        "60",
        "--high",
        "3",
        "--stop",
        "none",
        "--out",
        tmp_path / "found",
    )
    assert answer.returncode == 0, answer.stderr
    for rule in ("tenth", "steepest", "valley", "slide", "rise", "fall"):
        assert f"\n{rule} " in f"\n{answer.stdout}"
    assert "60 of 60 steps" in answer.stdout
    table = np.genfromtxt(tmp_path / "found" / "sweep.csv", delimiter=",", names=True)
    assert table["rate"] == pytest.approx(1e-6 * 3e6 ** (np.arange(60) / 60), rel=1e-6)
    assert np.isfinite(table["loss"]).all()
    assert {path.name for path in (tmp_path / "found").iterdir()} == {
        "sweep.csv",
        "sweep.png",
        "sweep.svg",
    }


@pytest.mark.kernels
def test_staircase_prints_what_each_rate_led_to(tmp_path: Path) -> None:
    """As JSON, the bar and the files' names being on standard error."""
    search = ["--search", "0.01:0.01:2:0.03", "--unit", "steps"]
    answer = call("staircase", *SMALL, *search, "--out", tmp_path / "found", "--json")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert [row["rate"] for row in found["rates"]] == [0.01, 0.02, 0.03]
    assert found["steps"] == 6
    assert "6/6" in answer.stderr
    assert len((tmp_path / "found" / "staircase.csv").read_text().splitlines()) == 7


@pytest.mark.kernels
def test_halve_prints_its_tries() -> None:
    """From a rate that no network survives."""
    answer = call(
        "halve", "--optimizer", "adam", "--batch", "20", "--steps", "20", "--start", "20", "--json"
    )
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert [one["rate"] for one in found["tries"]] == [
        20 / 2**i for i in range(len(found["tries"]))
    ]
    assert [one["diverged"] for one in found["tries"]] == [True] * (len(found["tries"]) - 1) + [
        False
    ]
    assert found["rate"] == found["tries"][-1]["rate"]
    assert found["steps"] == 20 * len(found["tries"])


@pytest.mark.kernels
def test_evolve_prints_the_schedule_and_writes_the_lineage(tmp_path: Path) -> None:
    """The best member's line, its cost, and a schedule that a study takes."""
    small = [
        "--optimizer",
        "momentum",
        "--members",
        "3",
        "--ready",
        "20",
        "--rounds",
        "3",
        "--share",
        "0.4",
        "--batch",
        "20",
    ]
    bounds = ["--low", "0.01", "--high", "0.2", "--momenta", "0:0.95"]
    answer = call("evolve", *small, *bounds, "--out", tmp_path / "found")
    assert answer.returncode == 0, answer.stderr
    assert "180 steps of all members" in answer.stdout
    schedule = answer.stdout.split("--schedule ")[1].split()[0]
    assert parse(schedule)
    table = np.genfromtxt(tmp_path / "found" / "population.csv", delimiter=",", names=True)
    assert len(table) == 9
    assert ((table["momentum"] >= 0) & (table["momentum"] <= 0.95)).all()
    told = json.loads((tmp_path / "found" / "population.json").read_text())
    assert told["steps"] == 180
    assert 0 < told["test_accuracy"] < 1
    assert (tmp_path / "found" / "lineage.png").stat().st_size > 10_000


def test_contest_and_cycles_print_and_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On parabolas, in this process; the tables and figures are where they are said to be."""
    monkeypatch.setattr(
        option_sets, "setup_of", lambda engine, device, precision: lambda images: ParabolaEngine()
    )
    truth: dict[float, float | str] = {0.001: "capped", 0.01: 8.0, 0.05: 4.0, 1.0: "stuck"}
    spec = StudySpec(optimizers=("sgd", "adam"), rates=tuple(truth), cap=20.0, metric="validation")
    grid = stored(tmp_path / "grid", spec, lambda trial: truth[trial.learning_rate])
    app(
        ["contest", str(grid), "--methods", "default,halving", "--seeds", "1"],
        standalone_mode=False,
    )
    app(["cycles", "--out", str(tmp_path / "cycles"), "--seeds", "2"], standalone_mode=False)
    said = capsys.readouterr().out
    assert "halving" in said
    assert "points" in said
    for path in (
        "grid/contest/contest.csv",
        "grid/contest/contest-costs.png",
        "grid/contest/contest-picks.png",
        "cycles/cycles.png",
    ):
        assert str(tmp_path / path) in said
        assert (tmp_path / path).stat().st_size > 300
