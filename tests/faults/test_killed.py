"""Drivers that are killed, two at once, a clock that jumps, a machine that changes: nothing that
was stored is lost or doubled.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from study import tables
from study.errors import StudyError
from study.execution import study_folder
from study.execution.notes import changes
from study.execution.request import Request
from study.machine.here import this_machine, this_site
from study.storage.store import Store
from support.driving import SMALL, TIMES, Tally, drive, engine, lost, results, run
from support.paths import PYTHONPATH, ROOT, environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[[Path, float], Any]]:
    """Starts `drive` in a process forked from a server that has imported everything, so that many
    can be killed.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PYTHONPATH)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["support.driving"])

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
        gone += lost(run(SMALL, store.folder), whole)
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
            "from pathlib import Path; from support import driving; "
            f"driving.run(driving.SMALL, Path({str(store.folder)!r}))"
        )
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=env, check=True, capture_output=True
        )
        gone += lost(store, whole)
        seconds = [value for row in store.spent() for value in row.seconds.values()]
        assert min(seconds) >= 0
        assert sum(seconds) <= time.monotonic() - begun
    tally("clock that jumps by up to an hour whenever it is read", TIMES, gone)


def test_a_machine_changed_under_a_study(tmp_path: Path, whole: Store, tally: Tally) -> None:
    """Rows keep their own machine and its step times; the new ones count by the same clock, and a
    warning says so; nor do TensorFlows change without a word.
    """
    gone, mine = 0, this_machine()
    for i in range(TIMES):
        store = Store(Path(shutil.copytree(whole.folder, tmp_path / str(i))))
        lines = store.runs_path.read_text().splitlines(keepends=True)[: 20 + i % 10]
        store.runs_path.write_text("".join(lines))
        for path in (store.runs_path, store.spec_path, store.folder / "calibration.json"):
            text = path.read_text().replace(mine.fingerprint, "00000000")
            path.write_text(text.replace(f'"machine": "{mine.name}"', '"machine": "other"'))
        there = store.runs_path.read_text()
        said = changes(
            study_folder.open_study(Request(SMALL, store.folder, factory=engine), [this_site()])
        )
        assert said[0].startswith("seconds count by the step times of other (00000000")
        gone += lost(run(SMALL, store.folder), whole)
        assert store.runs_path.read_text().startswith(there)
        runs = tables.load(store.folder)
        assert set(runs["clock"]) == {"00000000"}
        assert runs["fingerprint"].tolist().count("00000000") == len(lines)
        assert (
            runs["step_seconds"].nunique()
            == runs[runs["machine"] == "other"]["step_seconds"].nunique()
        )
        tables.write(store.folder)
        warned = tables.warnings(tables.StoredStudy(store.folder))
        assert any("2 kinds of machine: " in sentence for sentence in warned)
        assert any("nobody has checked" in sentence for sentence in warned)
        for unknown in ("third", mine.name):
            with pytest.raises(StudyError, match=f"no trial of the machine '{unknown}': "):
                tables.load(store.folder, unknown)
    for path in (store.runs_path, store.spec_path):
        text = path.read_text().replace("00000000", mine.fingerprint)
        path.write_text(re.sub(r'("tensorflow": "|tensorflow )2', r"\g<1>1", text))
    study = study_folder.open_study(Request(SMALL, store.folder, factory=engine), [this_site()])
    assert any("ran on tensorflow 1." in sentence for sentence in changes(study))
    store.runs_path.write_text("".join(store.runs_path.read_text().splitlines(keepends=True)[:20]))
    run(SMALL, store.folder)
    assert any(
        "2 kinds of machine: " in sentence
        for sentence in tables.warnings(tables.StoredStudy(store.folder))
    )
    tally("machine or TensorFlow changed under a study", TIMES, gone)
