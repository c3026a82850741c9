"""The command line, as a person types it: what it prints, its exit codes, and one sentence for
every mistake.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import study
from study import figures
from study.storage.store import Store
from support.command import call as called
from support.command import call_process as call
from support.paths import ROOT, environment

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "quik"], "did you mean quick"),
        (["run", "none.toml"], "no file none.toml"),
        (["run", "quick", "--optimizers", "adamm"], "did you mean adam"),
        (["run", "quick", "--rates", "0"], "learning rate 0"),
        (["run", "quick", "--rates", "5:1:3"], "LOW < HIGH"),
        (["run", "quick", "--widths", "0"], "width 0"),
        (["run", "quick", "--cap", "-1"], "cap -1"),
        (["run", "quick", "--cap", "soon"], "soon"),
        (["run", "quick", "--seeds", "0"], "seeds 0"),
        (["run", "quick", "--target", "97"], "target 97"),
        (["run", "quick", "--mode", "fast"], "array, alone"),
        (["run", "quick", "--metric", "loss"], "window, cumulative, single, validation"),
        (["run", "quick", "--dataset", "none.npz"], "no file none.npz"),
        (["plan", "quick", "--dataset", "none.npz"], "no file none.npz"),
        (["run", "quick", "--dry-run", "--dataset", "none.npz"], "no file none.npz"),
        (["run", "quick", "--seeds", "two"], "'two'"),
        (["run", "quick", "--workers", "0"], "workers '0'"),
        (["run", "quick", "--mode", "alone", "--workers", "2"], "machine to itself"),
        *(
            (["run", "quick", "--shard", shard], f"shard {said} must be I/N")
            for shard, said in (("0/8", "0/8"), ("9/8", "9/8"), ("3/0", "3/0"), ("x", "'x'"))
        ),
        (["run", "quick", "--no-such-option"], "--no-such-option"),
        (["run", "quick", "--out", ""], "empty text"),
        (["run", "quick", "--out", __file__], "is a file, where a folder is needed: give --out"),
        (["run", "quick", "--out", f"{__file__}/x"], "is a file, where a folder is needed"),
        (["run"], "what is to be trained? Name a preset"),
        (["fly"], "fly"),
        (["status", "nowhere"], "holds no study"),
        (["tables", "nowhere"], "holds no study"),
        (["figures", "nowhere"], "holds no study"),
        (["plan", "article", "--rates", "a:b:c"], "LOW:HIGH:N"),
        (["plan", "sizes", "--rates", "auto"], "--rates auto needs a finished grid study"),
        (["plan", "sizes", "--rates", "auto:nowhere"], "holds no study"),
        (["plan", "article", "--rates", "auto"], "name one"),
        (["claims", "nowhere"], "holds no study"),
        (["compare", "nowhere"], "1 folder to compare"),
        (["predict", "nowhere"], "holds no study"),
        (["predict", "nowhere", "--check", "-1"], "'-1' is not a whole number from 0"),
        (["report", "nowhere"], "holds no study"),
        (["merge", "nowhere", "--out", "x"], "nowhere holds no study"),
        (["merge", "--out", "x"], "DIR"),
        (["merge", "nowhere"], "--out"),
        (["import-published", "none.csv", "--out", "x"], "no file none.csv"),
        (["import-published", "none.csv"], "--out"),
        (["import-published", "none.csv", "--out", "x", "--target", "97"], "'97' is not a number"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    """No traceback, and nothing is written."""
    answer = called(*arguments, cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.count("\n") == 1
    assert words in answer.stderr
    assert not list(tmp_path.rglob("runs.jsonl"))


def test_a_plan_refuses_data_that_cannot_be_read(tmp_path: Path) -> None:
    """As `run` does, since it would end so."""
    (tmp_path / "broken.npz").write_text("no archive")
    options = ("quick", "--dataset", tmp_path / "broken.npz")
    plan, run = called("plan", *options), called("run", *options)
    assert (plan.returncode, plan.stdout) == (2, "")
    assert "it is no archive" in plan.stderr
    assert plan.stderr == run.stderr


def test_help_names_the_commands() -> None:
    """With no argument too."""
    for arguments in ([], ["--help"]):
        answer = call(*arguments)
        assert answer.returncode == 0
        for command in (
            "run",
            "plan",
            "calibrate",
            "status",
            "verify",
            "hindsight",
            "tables",
            "figures",
        ):
            assert re.search(rf"^\W+{command}\s", answer.stdout, re.MULTILINE)


def test_plan_prints_and_runs_nothing(tmp_path: Path) -> None:
    """Trials, groups, time; no folder is made."""
    answer = called("plan", "article", "--out", "study", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "Trials: 288 = 6 optimizers x 48 rates x 1 width x 1 seed\n" in answer.stdout
    assert "\n18 groups of 16 lanes, on " in answer.stdout
    assert re.search(
        r"^Predicted time: .* min; about .* budget \(a guess: step times have not been "
        r"measured here",
        answer.stdout,
        re.MULTILINE,
    )
    assert list(tmp_path.iterdir()) == []
    plan = json.loads(called("plan", "article", "--out", "study", "--json", cwd=tmp_path).stdout)
    assert plan["trials"] == 288
    assert sum(plan["groups"]) == 288


@pytest.mark.kernels
def test_the_smoke_study_end_to_end_on_real_mnist(folder: Path) -> None:
    """Run, resume, status, Python API: the whole way, with TensorFlow."""
    answer = call("run", "smoke", "--out", folder)
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"^adam\s+2 of 3\s", answer.stdout, re.MULTILINE)
    for name in ("valley", "envelope", "curves"):
        assert f"{folder / 'figures' / name}.png" in answer.stdout
        assert (folder / "figures" / f"{name}.svg").exists()
    assert "6/6 trials 100%" in answer.stderr
    assert "Traceback" not in answer.stderr

    runs = study.load(folder)
    assert len(runs) == 6
    outcome = {
        (name, rate): end
        for name, rate, end in zip(
            runs["optimizer"], runs["learning_rate"], runs["outcome"], strict=True
        )
    }
    assert outcome["adam", 0.003] == outcome["sgd", 0.03] == "reached"
    assert outcome["sgd", 0.003] == "capped"
    assert outcome["adam", 300.0] != "reached"
    reached = runs[runs["outcome"] == "reached"]
    assert (reached["accuracy"] >= 0.6).all()
    assert reached["seconds"].tolist() == pytest.approx(
        (reached["steps"] * reached["step_seconds"]).tolist()
    )
    curves = study.tables.curves(folder)
    assert set(curves["optimizer"]) == {"sgd", "adam"}
    assert curves["accuracy"].max() > 0.6

    before = (folder / "runs.jsonl").read_bytes()
    again = called("run", "smoke", "--out", folder)
    assert again.returncode == 0
    assert (folder / "runs.jsonl").read_bytes() == before
    pd.testing.assert_frame_equal(
        study.run(study.preset("smoke"), out=folder, progress=False), runs
    )


def test_an_interrupted_run_says_how_to_go_on(folder: Path) -> None:
    """Ctrl-C in the middle, of a hasty hand: exit 130, what has ended is stored, the sentence holds
    the command.
    """
    env = environment()
    command = [
        sys.executable,
        "-m",
        "study",
        "run",
        "smoke",
        "--optimizers",
        "sgd",
        "--rates",
        "0.1,1e-5",
        "--max-steps",
        "1000000",
        *("--network", "mlp", "--widths", "0.1"),
    ]
    with subprocess.Popen(
        [*command, "--out", str(folder)], cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True
    ) as process:
        store = Store(folder)
        while process.poll() is None and not (
            store.runs_path.exists() and store.runs_path.read_bytes().endswith(b"\n")
        ):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert (
        "stopped; every trial that had ended is stored. To go on: python -m study run smoke "
        "--optimizers sgd"
    ) in said
    assert "Traceback" not in said
    assert len(store.runs()) == 1


def test_a_busy_machine_and_a_target_out_of_reach_are_told_wherever_they_matter(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `run`, in the rows, by `tables`, `status`, the figure and the report's notes; another
    reading can be taken later.
    """
    monkeypatch.setattr("study.machine.quiet.Load.quiet", False)
    monkeypatch.setattr("study.machine.quiet.LOOK", 0.1)
    options = [
        "smoke",
        "--optimizers",
        "sgd",
        "--network",
        "mlp",
        "--widths",
        "0.1",
        "--rates",
        "0.003,0.001",
        "--max-steps",
        "50",
        "--target",
        "0.99",
        "--out",
        str(folder),
    ]
    answer = called("run", *options, "--wait-quiet", "0.1")
    assert answer.returncode == 0, answer.stderr
    assert "note: the machine is busy: other programs took 0.0 of its" in answer.stdout
    why = (
        r"note: no trial reached 99 % \(2 capped\); the best was sgd at 0\.00\d with [\d.]+ "
        r"%\. The budget allowed 50 steps of [\d.]+ ms: "
    )
    assert re.search(
        why
        + (
            r"a larger one \(--max-steps 100\), or a lower --target, in another --out, would show "
            r"more"
        ),
        answer.stdout,
    )
    assert {run.quiet for run in Store(folder).runs()} == {False}
    noise = (
        "other programs ran while the step times were measured: the seconds of all 2 trials "
        "may be too long, the steps are right"
    )
    for command in ("tables", "status"):
        told = called(command, folder).stdout
        assert f"note: {noise}" in told
        assert "no trial reached 99 %" in told
    runs = study.load(folder)
    drawn = figures.valley(runs)
    assert noise in [text.get_text() for text in drawn.texts]
    assert any("no trial reached 99" in text.get_text() for text in drawn.axes[1].texts)
    assert json.loads(called("status", folder, "--json").stdout)["busy"] == 2
    quiet = called("-q", "run", *options, "--json")
    assert json.loads(quiet.stdout)["outcomes"] == {"capped": 2}
    assert quiet.stderr == ""
    aside = called("run", *options, "--json")
    assert aside.stdout == quiet.stdout
    assert f"note: {noise}" in aside.stderr
    monkeypatch.setattr("study.machine.quiet.Load.quiet", True)
    again = called("calibrate", *options[:7], "--out", folder, "--again").stdout
    assert re.search(r"busy +\S+ \S+\n", again)
    assert re.search(r"quiet +\S+ \S+ +used\n", again)
    assert {run.quiet for run in Store(folder).runs()} == {False}, (
        "stored rows keep what they were given"
    )
