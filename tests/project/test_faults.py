"""Faults made to happen, each several times over: nothing that was stored is lost, nothing is
doubled, and the study ends as it would have.

`scripts/faults N` tries each N times and writes the README's table of what was lost.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import study
from study import data, figures, tables
from study.cli import main as cli
from study.cli import option_sets
from study.data.images import Images
from study.engines.learner import Floats
from study.errors import StudyError
from study.execution import driver, study_folder
from study.execution.request import Request
from study.machine.here import this_machine, this_site
from study.spec.trial import Trial
from study.storage.jsonl import append_line
from study.storage.records import Outcome
from study.storage.store import Store
from study.training.group import HUNG
from support.driving import engine, results, run
from support.faults import SPEC, drive, lost, toml
from support.parabola import Parabola, ParabolaEngine
from support.paths import PYTHONPATH, ROOT, V1, environment
from support.records import FINISH, RUN, TRIALS

TIMES = int(os.environ.get("STUDY_FAULTS", "1"))
"""How often each fault is tried where its place or moment is drawn."""

Tally = Callable[[str, int, int], None]


@pytest.fixture
def tally() -> Tally:
    """Asserts that nothing was lost, and keeps the count for `scripts/faults`."""

    def note(fault: str, tried: int, lost: int) -> None:
        if "STUDY_FAULTS_TALLY" in os.environ:
            append_line(
                Path(os.environ["STUDY_FAULTS_TALLY"]),
                {"fault": fault, "tried": tried, "lost": lost},
            )
        assert tried > 0
        assert lost == 0

    return note


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """An uninterrupted study."""
    return run(SPEC, tmp_path_factory.mktemp("whole") / "study")


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[[Path, float], Any]]:
    """Starts `drive` in a process forked from a server that has imported everything, so that many
    can be killed.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PYTHONPATH)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["support.faults"])

        def started(folder: Path, delay: float) -> Any:
            process = context.Process(target=drive, args=(folder, delay), daemon=True)
            process.start()
            return process

        yield started


def test_a_driver_killed_at_random_moments(
    tmp_path: Path, whole: Store, start: Callable[[Path, float], Any], tally: Tally
) -> None:
    """SIGKILL before the first trial, in a trial, in a write; what was stored stays, and one run to
    the end completes it.
    """
    moment, gone = random.Random(0), 0
    for i in range(TIMES):
        store = Store(tmp_path / str(i))
        kept: list[str] = []
        for kill in range(5):
            process = start(store.folder, 0.01)
            while kill % 2 and process.is_alive() and len(results(store)) == len(kept):
                time.sleep(0.01)
            time.sleep(moment.uniform(0, 0.3 if kill % 2 else 1.5))
            process.kill()
            process.join()
            now = list(results(store))
            gone += now[: len(kept)] != kept
            kept = now
        assert kept, "no process lived long enough to store a trial"
        gone += lost(run(SPEC, store.folder), whole)
        assert set(store.checks()) >= set(results(whole))
    tally("SIGKILL of the driver at a random moment", 5 * TIMES, gone)


def test_two_drivers_at_once(
    tmp_path: Path, whole: Store, start: Callable[[Path, float], Any], tally: Tally
) -> None:
    """The second is refused for as long as the first one lives, asleep or not."""
    gone = 0
    for i in range(TIMES):
        store = Store(tmp_path / str(i))
        first = start(store.folder, 0.0005)
        while not store.runs_path.exists():
            time.sleep(0.005)
        os.kill(first.pid, signal.SIGSTOP)
        second = start(store.folder, 0.0)
        second.join()
        assert second.exitcode == 2
        os.kill(first.pid, signal.SIGCONT)
        first.join()
        assert first.exitcode == 0
        gone += lost(store, whole)
    tally("two drivers on one study", TIMES, gone)


FULL = """
import json, os, random, subprocess, sys
from pathlib import Path
from study.cli import main as cli, option_sets
from study.execution import driver
from study.execution.request import Request
from support.driving import engine
from study.execution.request import Request
from support.faults import SPEC, lost, toml
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
    driver.run(Request(SPEC, store.folder, workers=1, factory=engine), progress=False)
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
    private = ["unshare", "--map-root-user", "--mount"]
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            [*private, "mount", "-t", "tmpfs", "none", tmp_path], capture_output=True
        ).returncode
    ):
        pytest.skip("this system lets nobody mount a tmpfs of their own")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [*private, sys.executable, "-c", FULL, str(disk), str(whole.folder), str(TIMES)]
    answer = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
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
    for cut in range(first, len(whole)):
        for zeros in (b"", b"\0" * 7):
            store.runs_path.write_bytes(whole[:cut] + zeros)
            gone += [one.trial for one in store.runs()] != TRIALS[:1]
        with store.writing():
            store.append(study_run(TRIALS[2]))
        gone += [one.trial for one in store.runs()] != [TRIALS[0], TRIALS[2]]
    tally(
        "`runs.jsonl` cut at every byte of its last line, with and without zeros",
        2 * (len(whole) - first),
        gone,
    )


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
            run(SPEC, store.folder)
        with store.writing():
            assert list(store.set_aside().values()) == [1]
        assert store.runs_path.with_name("runs.jsonl.bad").read_bytes() == bad
        gone += lost(run(SPEC, store.folder), whole)
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
    monkeypatch.setattr(figures, "write", lambda folder, machine: [])
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


JUMPS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(id, now);
    if (id == CLOCK_REALTIME) now->tv_sec += rand() % 7200 - 3600;
    return code;
}
"""


def test_a_clock_that_jumps(tmp_path: Path, whole: Store, tally: Tally) -> None:
    """An hour to and fro at every reading, for every process; seconds have another clock."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler to make the clock jump with")
    (tmp_path / "jumps.c").write_text(JUMPS)
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", tmp_path / "jumps.so", tmp_path / "jumps.c", "-ldl"],
        check=True,
    )
    env = {**environment(), "LD_PRELOAD": str(tmp_path / "jumps.so")}
    gone, begun = 0, time.monotonic()
    for i in range(TIMES):
        store = Store(tmp_path / str(i))
        code = (
            "from pathlib import Path; from support import driving, faults; "
            f"driving.run(faults.SPEC, Path({str(store.folder)!r}))"
        )
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=env, check=True, capture_output=True
        )
        gone += lost(store, whole)
        seconds = [value for row in store.spent() for value in row.seconds.values()]
        assert min(seconds) >= 0
        assert sum(seconds) <= time.monotonic() - begun
    tally("clock that jumps by up to an hour whenever it is read", TIMES, gone)


def failures(store: Store, whole: Store, rate: float) -> int:
    """Trials of other rates that are not as in the other study, and of this one that are not
    recorded as failed.
    """
    found = {one.id: one for one in store.runs()}
    return sum(
        (found[one.id].outcome is not Outcome.FAILED)
        if one.trial.learning_rate == rate
        else (found[one.id].outcome, found[one.id].steps) != (one.outcome, one.steps)
        for one in whole.runs()
    )


def test_trials_that_raise(tmp_path: Path, whole: Store, tally: Tally) -> None:
    """Recorded as failed, with the error; the array is halved until they stand alone; --retry
    trains them again.
    """
    rates, gone = [trial.learning_rate for trial in SPEC.trials()[1 : len(SPEC.rates)]], 0
    for i in range(TIMES):
        rate = rates[i % len(rates)]  # never the first, which is timed
        store = run(SPEC, tmp_path / str(i), partial(engine, breaks=(rate,)))
        gone += failures(store, whole, rate)
        assert {one.error for one in store.runs() if one.outcome is Outcome.FAILED} == {
            f"RuntimeError: no parabola at {rate}"
        }
    driver.run(Request(SPEC, store.folder, factory=engine, workers=1, retry=True), progress=False)
    assert results(store) == results(whole)
    tally("trials that raise", TIMES, gone)


class Greedy(ParabolaEngine):
    """Asks for more memory than any address space has, for more than four lanes or for the rate."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def learner(self, trials: Sequence[Trial]) -> Parabola:
        if len(trials) > 4 or self.rate in (trial.learning_rate for trial in trials):
            np.ones(2**50)
        return super().learner(trials)


def test_trials_that_are_out_of_memory(tmp_path: Path, whole: Store, tally: Tally) -> None:
    """Halved until they fit; that which does not fit alone has failed, with the reason."""
    gone = 0
    for i in range(TIMES):
        rate = SPEC.trials()[1 + i % (len(SPEC.rates) - 1)].learning_rate
        store = run(SPEC, tmp_path / str(i), lambda images, rate=rate: Greedy(rate))  # type: ignore[misc]
        gone += failures(store, whole, rate)
        assert all(
            "Unable to allocate" in (one.error or "")
            for one in store.runs()
            if one.outcome is Outcome.FAILED
        )
    tally("trials that are out of memory", TIMES, gone)


def hanging(images: Images, rate: float, driver_process: int) -> ParabolaEngine:
    """An engine whose workers hang in the C library in every array with that rate."""

    class Hanging(Parabola):
        def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
            if rate in rates:
                ctypes.CDLL(None).pause()
            return super().advance(rates, momenta)

    class Engine(ParabolaEngine):
        def learner(self, trials: Sequence[Trial]) -> Parabola:
            plain = super().learner(trials)
            return plain if os.getpid() == driver_process else Hanging(list(plain.c))

    return Engine()


def test_trials_that_hang(tmp_path: Path, tally: Tally) -> None:
    """Their worker is ended, the array's other trials train on, and they are recorded as failed."""
    spec = SPEC.with_(optimizers=("sgd",), widths=(1.0,), seeds=1)
    whole, gone = run(spec, tmp_path / "whole"), 0
    for i in range(TIMES):
        rate = spec.trials()[1 + i % (len(spec.rates) - 1)].learning_rate
        factory = partial(hanging, rate=rate, driver_process=os.getpid())
        driver.run(Request(spec, tmp_path / str(i), factory=factory, silence=2.0), progress=False)
        store = Store(tmp_path / str(i))
        gone += failures(store, whole, rate)
        (failed,) = [one for one in store.runs() if one.outcome is Outcome.FAILED]
        assert failed.error == f"{HUNG}: no check in 2 seconds"
        assert failed.lanes == 1
    tally("trials that hang in C, with `--hang-limit`", TIMES, gone)
    with pytest.raises(StudyError, match="two workers at least"):
        driver.run(Request(spec, tmp_path / "one", factory=engine, workers=1, silence=2.0))


def test_a_machine_changed_under_a_study(tmp_path: Path, whole: Store, tally: Tally) -> None:
    """Rows keep their own; a warning says so; no table mixes two machines, nor TensorFlows without
    a word.
    """
    gone = 0
    for i in range(TIMES):
        store = Store(Path(shutil.copytree(whole.folder, tmp_path / str(i))))
        lines = store.runs_path.read_text().splitlines(keepends=True)[: 20 + i % 10]
        mine = this_machine()
        there = [
            line.replace(mine.fingerprint, "00000000").replace(
                f'"machine": "{mine.name}"', '"machine": "other"'
            )
            for line in lines
        ]
        store.runs_path.write_text("".join(there))
        assert study_folder.changes(store.runs(), this_site())[0].startswith(
            "trials of other are stored here"
        )
        gone += lost(run(SPEC, store.folder), whole)
        assert store.runs_path.read_text().startswith("".join(there))
        runs = tables.load(store.folder)
        with pytest.raises(StudyError, match="differ in fingerprint"):
            tables.best(runs)
        assert len(tables.load(store.folder, "other")) == len(there)
        assert set(tables.load(store.folder, mine.name)["fingerprint"]) == {mine.fingerprint}
        tables.write(store.folder, machine="other")
        if i == 0:
            said = tables.warnings(
                tables.load(store.folder, "other"),
                SPEC,
                elsewhere=tables.elsewhere(store.folder, tables.load(store.folder, "other")),
            )
            assert said[0].startswith(
                f"{len(SPEC) - len(there)} more trials are stored of another machine"
            )
            assert not any("missing" in sentence for sentence in said)
        with pytest.raises(StudyError, match="no trial of the machine 'third': "):
            tables.load(store.folder, "third")
    store.runs_path.write_text(
        "".join(there)
        .replace("00000000", mine.fingerprint)
        .replace('"tensorflow": "2', '"tensorflow": "1')
    )
    assert "ran on tensorflow 1." in study_folder.changes(store.runs(), this_site())[0]
    run(SPEC, store.folder)
    assert any(
        "different software" in sentence for sentence in tables.warnings(tables.load(store.folder))
    )
    tally("machine or TensorFlow changed under a study", TIMES, gone)


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


class Stopping(Parabola):
    """Is interrupted when `left` steps of any of its kind are done."""

    left: list[int]

    def advance(self, rates: Floats, momenta: Floats | None = None) -> tuple[Floats, Floats]:
        self.left[0] -= 1
        if not self.left[0]:
            raise KeyboardInterrupt
        return super().advance(rates, momenta)


@pytest.fixture(scope="module")
def quickly(whole: Store) -> Iterator[Path]:
    """The images are read once for all runs; gives the step times, so that seconds repeat too."""
    with pytest.MonkeyPatch.context() as patch:
        images = data.load("mnist")
        patch.setattr(data, "load", lambda name: images)
        yield whole.folder / "calibration.json"


@settings(max_examples=5 * TIMES)
@given(stops=st.lists(st.integers(1, 300), max_size=4))
def test_tables_of_an_interrupted_study_are_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, whole: Store, quickly: Path, stops: list[int]
) -> None:
    """Whatever interrupts it: what is stored gives the rows, and the tables, that the whole study
    gives of those trials.
    """
    folder = tmp_path_factory.mktemp("interrupted")
    shutil.copy(quickly, folder)

    def rows(of: pd.DataFrame) -> pd.DataFrame:
        return of.drop(columns=["lanes", "started_at"]).reset_index(drop=True)

    everything = tables.load(whole.folder)
    for stop in [*stops, 0]:

        class Engine(ParabolaEngine):
            def learner(self, trials: Sequence[Trial], left: list[int] = [stop]) -> Parabola:  # noqa: B006
                learner = Stopping(list(super().learner(trials).c))
                learner.left = left
                return learner

        try:
            run(SPEC, folder, lambda images, engine=Engine: engine())  # type: ignore[misc]
        except KeyboardInterrupt:
            assert stop
        stored = tables.load(folder)
        same = everything[everything["id"].isin(stored["id"] if len(stored) else [])]
        if len(stored):
            pd.testing.assert_frame_equal(rows(stored), rows(same))
            for make in tables.TABLES.values():
                pd.testing.assert_frame_equal(make(stored), make(same))
    assert len(stored) == len(SPEC)


def test_what_real_training_had_stored_is_the_uninterrupted_studys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TensorFlow lanes: stopped after each number of rows, those are bit for bit the whole
    study's, and resuming leaves them alone.

    What was in flight trains again in a smaller array, which sums in another order: it ends the
    same way.
    """
    spec = study.preset("smoke").with_(optimizers=("sgd",), rates=(0.1, 0.3, 1e3), max_steps=200)
    shared = tmp_path / "calibration.json"

    def rows(folder: Path) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in run.to_json().items() if key != "started_at"}
            for run in Store(folder).runs()
        ]

    def train(folder: Path) -> list[dict[str, Any]]:
        folder.mkdir(exist_ok=True)
        if shared.exists():
            shutil.copy(shared, folder)
        driver.run(Request(spec, folder, workers=1), progress=False)
        return rows(folder)

    whole = train(tmp_path / "whole")
    shutil.copy(tmp_path / "whole" / "calibration.json", shared)
    assert len({row["steps"] for row in whole}) > 1
    append = Store.append
    for kept in range(1, len(whole)):
        folder = tmp_path / str(kept)

        def interrupted(store: Store, *row: Any, kept: int = kept, folder: Path = folder) -> None:
            if len(rows(folder)) == kept:
                raise KeyboardInterrupt
            append(store, *row)

        with monkeypatch.context() as patch:
            patch.setattr(Store, "append", interrupted)
            with pytest.raises(KeyboardInterrupt):
                train(folder)
        assert rows(folder) == whole[:kept]
        again = train(folder)
        assert again[:kept] == whole[:kept]
        ends = [{row["id"]: row["outcome"] for row in stored} for stored in (again, whole)]
        assert ends[0] == ends[1]
