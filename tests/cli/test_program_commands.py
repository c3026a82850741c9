"""Studies of programs from the command line, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from study.storage.store import Store
from support.command import call
from support.programs import line, script

FINE = f"""
echo '{line(0)}'
sleep 0.02
echo '{line(10, accuracy=0.5)}'
sleep 0.02
[ "$1" != 0.001 ] && echo '{line(20, accuracy=0.95)}'
exit 0
"""


def options(folder: Path, text: str = FINE, **more: Any) -> list[str]:
    """The command line of a study of it."""
    given = {"rates": "1e-3:1e-1:3", "optimizers": "sgd,adam", "target": 0.9, "cap": 60, **more}
    command = ["run", "--command", script(folder, text), "--out", str(folder / "out")]
    return [
        *command,
        *(part for name, value in given.items() for part in (f"--{name}", str(value))),
    ]


def test_a_study_of_programs_from_its_command_line(tmp_path: Path) -> None:
    """It is planned, run, and read by every command that reads; others say why they cannot."""
    command = options(tmp_path)
    planned = call(*command, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    for words in (
        "Study train in ",
        f"  command: sh {tmp_path}/train.sh '{{rate}}' '{{optimizer}}' '{{seed}}' '{{out}}'",
        "  program train.sh, width 1",
        "  each to 90 % accuracy, given up after 60 s, mode alone",
        "Stored: 0, to run: 6",
        "Predicted time: 3.0 min; about 6.0 min if every trial spends its whole budget",
    ):
        assert words in planned.stdout
    assert not (tmp_path / "out").exists()
    done = call(*command)
    assert done.returncode == 0, done.stderr
    assert "2 capped, 4 reached of 6 trials" in done.stdout
    assert "2 programs ended without the target before the budget was spent" in done.stdout
    out = tmp_path / "out"
    for reads in (("status",), ("tables",), ("figures",), ("claims",)):
        answer = call(*reads, out)
        assert answer.returncode == 0, answer.stderr
        assert "program:" not in answer.stdout
    page = tmp_path / "page.html"
    assert call("report", out, "--out", page).returncode == 0
    assert "The program train.sh (width 1) ran with SGD, Adam at 3 learning" in page.read_text()
    for refused, why in (
        (("hindsight", out), "these trials reported when they liked"),
        (("verify", out), "there is nothing to verify in a study of programs"),
        (("verify", out, "--across"), "programs are not trained again on another machine"),
        (("predict", out), "the step times of programs cannot be measured"),
        (("confirm", out), "confirm needs a study in mode array"),
        (("contest", out, "--methods", "population"), "the method population changes a rate"),
    ):
        answer = call(*refused)
        assert answer.returncode == 2
        assert why in answer.stderr
        assert len(answer.stderr.splitlines()) == 1


def test_a_study_of_programs_in_a_file(tmp_path: Path) -> None:
    """With the same keys; a file that is tracked lies beside it, or where it is said."""
    values = {
        "command": script(tmp_path, FINE.replace("accuracy", "auc")),
        "track": ["train.sh"],
        "rates": [0.1],
        "optimizers": ["adam"],
        "metric": "auc",
        "target": 0.9,
    }
    path = tmp_path / "mine.toml"
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
    answer = call("run", path, "--out", tmp_path / "out", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["outcomes"] == {"reached": 1}
    spec = Store(tmp_path / "out").spec()
    assert (spec.name, spec.track) == ("mine", (str(tmp_path / "train.sh"),))


@pytest.mark.parametrize(
    ("more", "text", "said"),
    [
        ({"target": 90}, FINE, "target 90: accuracy is a share from 0 to 1 here, so give 0.9"),
        ({"read": "acc (.*)"}, FINE, "has no group step"),
        ({"report": "log.csv"}, FINE, "two trials would write one file, report log.csv"),
        ({"track": "gone.py"}, FINE, "track gone.py cannot be read"),
        ({"engine": "jax"}, FINE, "engine jax trains networks, and a program itself"),
        ({"batch": 32}, FINE, "batch 32 is the program's own affair"),
        ({}, FINE.replace("0.5", "50"), "give --percent where it tells percents"),
        ({"metric": "f1"}, FINE, "no report of the program has f1: they have accuracy"),
    ],
)
def test_mistakes_end_in_a_sentence(
    tmp_path: Path, more: dict[str, Any], text: str, said: str
) -> None:
    """And exit code 2; nothing is stored, and nothing is harmed."""
    answer = call("--quiet", *options(tmp_path, text, **more))
    assert answer.returncode == 2
    assert said in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert not Store(tmp_path / "out").runs()


@pytest.mark.parametrize("text", ["exit 3", "echo epoch 3: 0.9"])
def test_a_run_whose_trials_all_failed_says_so_to_scripts(tmp_path: Path, text: str) -> None:
    """By exit code 1, and why in a sentence; each trial is a row all the same."""
    given = options(tmp_path, text, rates="0.1,0.2", read=r"(?P<step>\d+) of (?P<accuracy>.+)")
    answer = call(*given)
    assert answer.returncode == 1, answer.stderr
    assert "4 failed of 4 trials" in answer.stdout
    why = "exit code 3" if "exit" in text else r"no line matches --read '(?P<step>\\d+) of"
    assert why in answer.stdout
    one = call(*given, "--json", "--shard", "1/2", "--retry")
    assert one.returncode == 1, one.stderr
    assert len(Store(tmp_path / "out").runs()) == 4


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program {rate}", "command 'no-such-program' is not found"),
        ("./train.py {rate}", "did you mean 'python ./train.py'"),
        ("sh x {lr}", "command has the unknown place {lr}"),
        ("sh 'x", "cannot be split"),
    ],
)
def test_a_line_that_cannot_run_is_told(tmp_path: Path, command: str, said: str) -> None:
    """Before a folder is made."""
    answer = call("run", "--command", command, "--out", tmp_path / "out")
    assert answer.returncode == 2
    assert said in answer.stderr
    assert not (tmp_path / "out" / "spec.json").exists()


def test_percents_are_shares_in_rows(tmp_path: Path) -> None:
    """Once it is said that they are percents."""
    text = FINE.replace("0.95", "95").replace("0.5", "50")
    answer = call(*options(tmp_path, text), "--percent")
    assert answer.returncode == 0, answer.stderr
    assert {run.best_accuracy for run in Store(tmp_path / "out").runs()} == {0.5, 0.95}
