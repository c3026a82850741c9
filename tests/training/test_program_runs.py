"""One program, from its start to its row: small scripts of the shell."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from study.engines.command.choice import Programs
from study.errors import StudyError
from study.machine.facts import Site
from study.machine.here import this_machine
from study.spec.program import program_in
from study.storage.records import Outcome, Run
from study.training import programs
from study.training.group import Context, train
from study.training.stopwatch import Stopwatch
from support.programs import line, script, settled, spec_of

SITE = Site(this_machine(), {}, "program", "unknown")


def run(folder: Path, text: str, silence: float | None = None, **values: Any) -> Run:
    """The row of a program of the shell."""
    spec = settled(spec_of(script(folder, text), **values))
    runs: list[Run] = []
    context = Context("study", SITE, 2, silence=silence, folder=folder / "study")
    train(
        spec.trials()[:1],
        None,
        Programs(program_in(spec)),
        context,
        lambda run, finish: runs.append(run),
        Stopwatch(),
    )
    (found,) = runs
    return found


def log(folder: Path, found: Run) -> str:
    """The trial's log."""
    return (folder / "study" / "trials" / found.id / "log.txt").read_text()


ZERO = f"echo '{line(0)}'"
FAR = f"echo '{line(10, accuracy=0.5, loss=1.5)}'"
THERE = f"echo '{line(20, accuracy=0.95, loss=0.5)}'"


def test_a_program_that_arrives_is_ended(tmp_path: Path) -> None:
    """Its row has steps, seconds since the first report, and the start-up beside them."""
    found = run(tmp_path, f"echo hello; sleep 0.2; {ZERO}; {FAR}; {THERE}; sleep 300; echo no")
    assert found.outcome is Outcome.REACHED
    assert (found.steps, found.first_step) == (20, 0)
    assert (found.accuracy, found.best_accuracy) == (0.95, 0.95)
    assert found.startup is not None
    assert found.startup >= 0.2
    assert found.seconds is not None
    assert found.seconds < 100
    assert found.step_seconds == pytest.approx(found.seconds / 20)
    assert (found.seconds_source, found.error, found.jobs) == ("measured", None, 2)
    assert log(tmp_path, found) == "hello\n"


def test_a_program_that_ends_by_itself_is_censored_there(tmp_path: Path) -> None:
    """It ended well, and had not arrived; what it printed but for reports is nothing."""
    found = run(tmp_path, f"{ZERO}; {FAR}")
    assert (found.outcome, found.steps, found.accuracy) == (Outcome.CAPPED, 10, 0.5)
    assert not (tmp_path / "study" / "trials").exists()


def test_the_cap_ends_a_program_that_says_nothing_more(tmp_path: Path) -> None:
    """At its last step, whatever it does."""
    found = run(tmp_path, f"{ZERO}; {FAR}; sleep 300", cap=0.3)
    assert (found.outcome, found.steps) == (Outcome.CAPPED, 10)
    assert 0.3 <= (found.seconds or 0) < 100


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("echo why >&2; exit 3", "the program ended with exit code 3; the end of its log: why"),
        (
            "echo first; echo last; exit 1",
            "the program ended with exit code 1: last; the end of its log: first\nlast",
        ),
        (f"{FAR}; kill -SEGV $$", "the program was ended by SIGSEGV"),
        (
            "echo bye",
            "the program ended without a report: no line is JSON or CSV with a step; "
            "the end of its log: bye",
        ),
        (f"{THERE.replace('20', '30').replace('0.95', '0.1')}; {FAR}", "its reports go backwards"),
        (f"{FAR}; echo '{{\"epoch\": 20}}'", "the units of its reports are mixed"),
    ],
)
def test_a_program_that_fails_is_a_row(tmp_path: Path, text: str, error: str) -> None:
    """With what it said last."""
    found = run(tmp_path, text)
    assert found.outcome is Outcome.FAILED
    assert found.error is not None
    assert found.error.startswith(error)
    assert found.accuracy == (0.5 if text.startswith('echo \'{"step": 10') else found.accuracy)


def test_a_program_without_reports_hangs(tmp_path: Path) -> None:
    """Also one that says other things all the time; no worker has to end for it."""
    found = run(tmp_path, "while :; do echo busy; sleep 0.05; done", silence=0.5)
    assert found.outcome is Outcome.FAILED
    assert str(found.error).startswith("hung: no report in 0.5 seconds; the end of its log: ")


def test_a_loss_that_is_no_number_diverges(tmp_path: Path) -> None:
    """Before the program knows."""
    found = run(tmp_path, f"{FAR}; echo '{line(20, accuracy=0.5, loss=math.nan)}'; sleep 300")
    assert (found.outcome, found.steps) == (Outcome.DIVERGED, 20)


def test_a_metric_that_is_never_told_ends_the_study(tmp_path: Path) -> None:
    """It would fail every trial; where the cap came first it may only have been late."""
    with pytest.raises(StudyError, match="no report of the program has f1: they have accuracy, lo"):
        run(tmp_path, FAR, metric="f1")
    found = run(tmp_path, f"{FAR}; sleep 300", metric="f1", cap=0.2)
    assert found.outcome is Outcome.FAILED
    assert "give one as --metric" in str(found.error)


def test_half_a_line_is_no_report(tmp_path: Path) -> None:
    """It may lack the digit that counts."""
    found = run(tmp_path, f"{ZERO}; {FAR}; printf '%s' '{line(20, accuracy=0.95)}'")
    assert (found.outcome, found.steps) == (Outcome.CAPPED, 10)
    assert log(tmp_path, found).strip() == line(20, accuracy=0.95)


def test_a_file_is_followed_and_one_of_before_is_kept(tmp_path: Path) -> None:
    """What is printed goes to the log, also what looks like a report."""
    report = tmp_path / "{trial}.csv"
    text = f"{THERE}; F={tmp_path}/$(basename $4).csv; echo step,accuracy > $F; echo 1,0.5 >> $F"
    for number in ("", ".1", ".2"):
        found = run(tmp_path, text, report=str(report))
        assert (found.outcome, found.steps) == (Outcome.CAPPED, 1)
        assert (tmp_path / f"{found.id}.csv{number}").read_text() == "step,accuracy\n1,0.5\n"
    assert "0.95" in log(tmp_path, found)


def test_a_file_that_never_comes_is_named(tmp_path: Path) -> None:
    """The program went well."""
    found = run(tmp_path, THERE, report="{out}/log.csv")
    assert str(found.error).startswith("the program ended without a report: no line in /")


def test_a_trial_has_a_folder_that_is_empty_when_it_begins(tmp_path: Path) -> None:
    """Nothing of an earlier try goes into its result; what it writes stays."""
    text = f"ls $4; touch $4/weights; echo $STUDY_OUT $STUDY_RATE $STUDY_SEED; {FAR}"
    for _ in range(2):
        found = run(tmp_path, text)
        place = tmp_path / "study" / "trials" / found.id
        assert log(tmp_path, found) == f"{place} 0.1 0\n"
        assert (place / "weights").exists()


def test_what_a_program_prints_fills_neither_memory_nor_disk(tmp_path: Path) -> None:
    """Eight megabytes in lines, and eight without an end."""
    much = "head -c 8000000 /dev/zero | tr '\\0' x"
    found = run(tmp_path, f"{ZERO}; yes no report | head -c 8000000; {much}; echo; {THERE}")
    assert found.outcome is Outcome.REACHED
    assert len(log(tmp_path, found)) < 3 * 2**16


def test_progress_is_told_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a program that is silent, so that who waits can give it up."""
    monkeypatch.setattr(programs, "BEAT", 0.0)
    spec = settled(spec_of(script(tmp_path, f"{FAR}; sleep 0.3")))
    steps: list[int] = []
    (finish,) = programs.train_program(
        Programs(program_in(spec)),
        spec.trials()[0],
        tmp_path,
        watch=lambda progress: steps.append(progress.step),
    )
    assert finish.outcome is Outcome.CAPPED
    assert steps[-1] == 10
    assert len(steps) > 1
