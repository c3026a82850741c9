"""Full disks, files that were cut or spoilt, and files of old."""

from __future__ import annotations

import json
import random
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import study
from study import figures, tables
from study.cli import main as cli
from study.cli import option_sets
from study.errors import StudyError
from study.spec.trial import Trial
from study.storage.store import Store
from support.driving import SMALL, TIMES, Tally, engine, lost, run, toml
from support.files import beside_mounts
from support.paths import V1
from support.records import FINISH, RUN, TRIALS

pytestmark = pytest.mark.slow

FULL = """
import json, os, random, subprocess, sys
from pathlib import Path
from study.cli import main as cli, option_sets
from study.execution import driver
from study.execution.request import Request
from support.driving import engine
from support.driving import SMALL, lost, toml
from study.storage.store import Store
disk, whole, times = Path(sys.argv[1]), Store(Path(sys.argv[2])), int(sys.argv[3])
option_sets.setup_of = lambda engine_name, device, precision: engine
tmpfs = ["mount", "-t", "tmpfs"]
mount = lambda *options: subprocess.run([*tmpfs, *options, "none", disk], check=True)
said, gone, size = [], 0, random.Random(0)

def attempt(folder):
    sys.argv = ["study", "run", str(toml(disk.parent)), "--out", str(folder), "--workers", "1"]
    try:
        cli.main()
    except SystemExit as end:
        said.append(end.code)

for _ in range(times):
    mount("-o", f"size={4 * size.randint(1, 20)}k")
    store = Store(disk / "study")
    attempt(store.folder)
    kept = {run.id: run for run in store.runs()}
    mount("-o", "remount,size=100m")
    mount("-o", "remount,ro")
    attempt(store.folder)
    mount("-o", "remount,rw")
    driver.run(Request(SMALL, store.folder, workers=1, factory=engine), progress=False)
    now = {run.id: run for run in store.runs()}
    gone += lost(store, whole) + sum(now[id] != run for id, run in kept.items())
    subprocess.run(["umount", disk], check=True)
print(json.dumps([gone, said]))
"""


def test_a_full_disk_and_one_that_cannot_be_written(
    tmp_path: Path, whole: Store, tally: Tally
) -> None:
    """A small tmpfs, in a mount namespace of its own: a sentence and exit code 1, or 2 where
    nothing can be written at all; after room is made the study goes on.
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    answer = beside_mounts(FULL, disk, whole.folder, TIMES, folder=tmp_path)
    gone, codes = json.loads(answer.stdout.splitlines()[-1])
    assert codes == [1, 2] * TIMES
    sentences = [line for line in answer.stderr.splitlines() if line.startswith("study: ")]
    assert all("No space left on device" in line and "unharmed" in line for line in sentences[::2])
    assert all(
        "cannot write to" in line and "Read-only file system" in line for line in sentences[1::2]
    )
    assert "Traceback" not in answer.stderr
    tally("disk full (ENOSPC) in the middle", TIMES, gone)
    tally("folder that cannot be written", TIMES, gone)


def test_a_file_cut_at_every_byte_of_its_last_line(folder: Path, tally: Tally) -> None:
    """Readers leave the line out, the next writer cuts it off, and what comes after is whole; also
    with the zeros of a power cut.
    """
    store = Store(folder)
    with store.writing():
        for trial in TRIALS[:2]:
            store.append(study_run(trial), FINISH)
    whole = store.runs_path.read_bytes()
    first = whole.index(b"\n") + 1
    gone = 0
    for cut in range(first, len(whole) - 1):  # without its newline alone it is whole
        for zeros in (b"", b"\0" * 7):
            store.runs_path.write_bytes(whole[:cut] + zeros)
            gone += [one.trial for one in store.runs()] != TRIALS[:1]
        with store.writing():
            store.append(study_run(TRIALS[2]))
        gone += [one.trial for one in store.runs()] != [TRIALS[0], TRIALS[2]]
    tally(
        "`runs.jsonl` cut at every byte of its last line, with and without zeros",
        2 * (len(whole) - 1 - first),
        gone,
    )


def test_a_last_line_that_lacks_its_newline_alone_is_kept(folder: Path, tally: Tally) -> None:
    """With the zeros of a power cut behind it, too; the next row stands on a line of its own."""
    gone = 0
    for zeros in range(20):
        store = Store(folder / str(zeros))
        with store.writing():
            for trial in TRIALS[:2]:
                store.append(study_run(trial), FINISH)
        whole = store.runs_path.read_bytes()
        store.runs_path.write_bytes(whole[:-1] + b"\0" * zeros)
        gone += [one.trial for one in store.runs()] != TRIALS[:2]
        with store.writing():
            store.append(study_run(TRIALS[2]))
        gone += [one.trial for one in store.runs()] != TRIALS[:3]
    tally("the last newline lost, with and without zeros", 40, gone)


def study_run(trial: Trial) -> Any:
    """A made-up run of the trial."""
    return replace(RUN, trial=trial)


def test_garbage_in_the_middle_is_named_and_moved_aside(
    tmp_path: Path, whole: Store, tally: Tally
) -> None:
    """The sentence has the line's number; what is moved aside is kept as it was, and a trial whose
    line was spoilt is trained again.
    """
    draw, gone = random.Random(0), 0
    for i in range(TIMES):
        store = Store(Path(shutil.copytree(whole.folder, tmp_path / str(i))))
        lines = store.runs_path.read_bytes().splitlines(keepends=True)
        spoilt = draw.randrange(len(lines) - 1)
        altered = lines[spoilt].replace(b'"seed": ', b'"seed": 9')
        bad = draw.choice(
            [b"\0" * 300 + b"\n", draw.randbytes(200).replace(b"\n", b"") + b"\n", altered]
        )
        lines[spoilt] = bad
        store.runs_path.write_bytes(b"".join(lines))
        with pytest.raises(StudyError, match=f"line {spoilt + 1}:.*--repair"):
            run(SMALL, store.folder)
        with store.writing():
            assert list(store.set_aside().values()) == [1]
        assert store.runs_path.with_name("runs.jsonl.bad").read_bytes() == bad
        gone += lost(run(SMALL, store.folder), whole)
    tally("garbage or zeros in the middle of `runs.jsonl`, then `--repair`", TIMES, gone)


def test_repair_from_the_command_line(
    tmp_path: Path,
    whole: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says what was moved where, and trains what is missing; else the line is named."""
    store = Store(Path(shutil.copytree(whole.folder, tmp_path / "study")))
    store.runs_path.write_bytes(b"garbage\n" + store.runs_path.read_bytes().partition(b"\n")[2])
    monkeypatch.setattr(option_sets, "setup_of", lambda name, device, precision: engine)
    monkeypatch.setattr(figures, "write", lambda study: [])
    said = []
    for options, code in ((["--hang-limit", "2"], 2), ([], 2), (["--repair"], 0)):
        monkeypatch.setattr(
            sys,
            "argv",
            [
                "study",
                "run",
                str(toml(tmp_path)),
                "--out",
                str(store.folder),
                "--workers",
                "1",
                *options,
            ],
        )
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert end.value.code == code
        said.append(capsys.readouterr())
    assert "'2' is not a number above 30" in said[0].err
    assert "line 1: not a JSON object" in said[1].err
    assert f"lines that could not be read, moved to {store.runs_path}.bad: 1" in said[2].out
    assert lost(store, whole) == 0


def test_the_first_schema_loads_for_ever(tally: Tally) -> None:
    """A folder as the first version wrote it, kept as it was."""
    folder = V1
    runs = study.load(folder)
    assert (
        runs.groupby(["optimizer", "outcome"], observed=True)["steps"].apply(list).to_dict() == OLD
    )
    assert len(tables.checks(folder)) == 403
    assert set(tables.curves(folder)["optimizer"]) == {"sgd", "adam"}
    assert len(Store(folder).spec()) == 96
    assert tables.best(runs)["seconds"].round(3).tolist() == [3.204, 4.463]
    tally("folder of schema 1", 1, 12 - len(runs))


OLD = {
    ("sgd", "capped"): [2950, 2950],
    ("sgd", "reached"): [1450, 1200],
    ("sgd", "stuck"): [500, 500],
    ("adam", "capped"): [2850, 2850],
    ("adam", "reached"): [2300, 1600],
    ("adam", "stuck"): [500, 500],
}
