"""Programs that are killed, hang, print too much or too little, have children, do not listen, or
fill the disk: each is a row, and no other trial is harmed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest

from study.spec.study import StudySpec
from study.storage.records import Outcome
from study.storage.store import Store
from study.training import programs
from support.driving import TIMES, Tally, lost, results
from support.files import beside_mounts
from support.programs import begun, line, outliving, programs_of, ran, script, spec_of

pytestmark = pytest.mark.slow

WELL = f"""
echo '{line(0)}'
echo '{line(10, accuracy=0.5, loss=1.0)}'
[ "$1" = 0.1 ] && echo '{line(20, accuracy=0.95, loss=0.5)}' && sleep 60
[ "$1" = 0.2 ] && FAULT
exit 0
"""
"""One rate arrives, one has a fault, and one ends by itself."""


RATES = (0.1, 0.2, 0.3)


def study(folder: Path, fault: str) -> StudySpec:
    """Of the program with a fault at one of its rates."""
    return spec_of(script(folder, WELL.replace("FAULT", fault)), rates=RATES, optimizers=("a", "b"))


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> dict[float, tuple[str, int | None]]:
    """How the trials of each rate end without a fault."""
    folder = tmp_path_factory.mktemp("healthy")
    return by_rate(ran(study(folder, "true"), folder / "out"))


def by_rate(store: Store) -> dict[float, tuple[str, int | None]]:
    """Outcome and steps of each rate, whose trials are alike."""
    ends = {(run.trial.learning_rate, run.outcome.value, run.steps) for run in store.runs()}
    assert len(ends) == len(RATES)
    assert len(store.runs()) == 2 * len(RATES)
    return {rate: (outcome, steps) for rate, outcome, steps in ends}


def harmed(
    store: Store,
    healthy: dict[float, tuple[str, int | None]],
    outcome: Outcome,
    steps: int,
    error: str = "",
) -> int:
    """Trials that are not there once, or ended otherwise than without a fault, or with it."""
    assert len(store.runs_path.read_text().splitlines()) == 6
    found = by_rate(store)
    said = [run.error or "" for run in store.runs() if run.trial.learning_rate == 0.2]
    wrong = sum(error not in one for one in said)
    return wrong + 2 * sum(
        found[rate] != ((outcome.value, steps) if rate == 0.2 else healthy[rate]) for rate in RATES
    )


@pytest.mark.parametrize(
    ("fault", "what", "outcome", "error"),
    [
        ("kill -9 $$", "a program killed by the system", Outcome.FAILED, "SIGKILL"),
        ('printf \'{"step": 20, "accuracy": 0.9\'', "printing half a line", Outcome.CAPPED, ""),
        (
            "yes no report in this line, nor in any | head -c 100000000",
            "printing 100 MB",
            Outcome.CAPPED,
            "",
        ),
        (
            "head -c 100000000 /dev/zero | tr '\\0' x",
            "printing 100 MB in one line",
            Outcome.CAPPED,
            "",
        ),
    ],
)
def test_a_program_that_fails(
    tmp_path: Path,
    healthy: dict[float, tuple[str, int | None]],
    tally: Tally,
    fault: str,
    what: str,
    outcome: Outcome,
    error: str,
) -> None:
    """Its row says how; its log is bounded; --retry runs it again where it failed."""
    gone, memory = 0, psutil.Process().memory_info().rss
    for i in range(TIMES):
        place = tmp_path / str(i)
        place.mkdir()
        store = ran(study(place, fault), place / "out")
        gone += harmed(store, healthy, outcome, 10, error)
        size = sum(path.stat().st_size for path in store.folder.rglob("*") if path.is_file())
        assert size < 2**20
        assert psutil.Process().memory_info().rss - memory < 2**27
        if outcome is Outcome.FAILED:
            script(place, WELL.replace("FAULT", "true"))
            again = ran(study(place, "true"), store.folder, retry=True)
            gone += 2 * (by_rate(again) != healthy)
    tally(f"{what}" if what.startswith("a program") else f"a program {what}", TIMES, gone)


def test_a_program_that_hangs(
    tmp_path: Path, healthy: dict[float, tuple[str, int | None]], tally: Tally
) -> None:
    """It is ended, with its limit as the reason; no worker is."""
    gone = 0
    for i in range(TIMES):
        place = tmp_path / str(i)
        place.mkdir()
        store = ran(study(place, "sleep 300"), place / "out", silence=3.0)
        gone += harmed(store, healthy, Outcome.FAILED, 10, "hung: no report in 3 seconds")
        assert programs_of(str(place / "train.sh")) == []
    tally("a program that hangs, with `--hang-limit`", TIMES, gone)


def test_a_program_that_does_not_listen_and_one_with_children(
    tmp_path: Path,
    healthy: dict[float, tuple[str, int | None]],
    tally: Tally,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing of it is left, nor of its children in sessions of their own."""
    monkeypatch.setattr(programs, "GRACE", 0.3)
    there = f"echo '{line(20, accuracy=0.95)}'"
    for what, fault in (
        ("ignoring SIGTERM", f"{{ trap '' TERM; {there}; while :; do sleep 0.1; done; }}"),
        (
            "forking children that ignore SIGTERM",
            f"{{ for i in 1 2 3; do setsid sh -c \"trap '' TERM; while :; do sleep 0.1; done; "
            f': PLACE" & done; {there}; sleep 300; }}',
        ),
    ):
        gone = 0
        for i in range(TIMES):
            place = tmp_path / what.split()[0] / str(i)
            place.mkdir(parents=True)
            store = ran(study(place, fault.replace("PLACE", str(place))), place / "out")
            gone += harmed(store, healthy, Outcome.REACHED, 20)
            left = [
                process.pid
                for process in psutil.process_iter(["cmdline", "status"])
                if process.info["status"] != psutil.STATUS_ZOMBIE
                and str(place) in " ".join(process.info["cmdline"] or ())
            ]
            assert left == []
        tally(f"a program {what}", TIMES, gone)


FULL = """
import json, subprocess, sys
from pathlib import Path
from support.programs import ran, script, spec_of
from study.storage.store import Store
place, times, well = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
disk, ends = place / "disk", []
fault = "{ head -c 900000 /dev/zero > $4/weights; cp $4/weights $4/more || exit 28; }"
for _ in range(times):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
    command = script(place, well.replace("FAULT", fault))
    spec = spec_of(command, rates=(0.1, 0.2, 0.3), optimizers=("a", "b"))
    try:
        full = ""
        ran(spec, disk / "out")
    except OSError as error:
        full = error.strerror
    kept = Store(disk / "out").runs()
    subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
    script(place, well.replace("FAULT", "true"))
    store = ran(spec, disk / "out", retry=True)
    now = {run.id: run for run in store.runs()}
    lost = sum(now[run.id] != run for run in kept if run.outcome.value != "failed")
    found = [(run.trial.learning_rate, run.outcome.value, run.steps) for run in store.runs()]
    ends.append([full, lost, sorted(found)])
    subprocess.run(["umount", disk], check=True)
print(json.dumps(ends))
"""


def test_a_disk_that_a_program_fills(
    tmp_path: Path, healthy: dict[float, tuple[str, int | None]], tally: Tally
) -> None:
    """A small tmpfs, in a mount namespace of its own: the program fails, and is a row where there
    is room for one; with more room the same command goes on.
    """
    (tmp_path / "disk").mkdir()
    answer = beside_mounts(FULL, tmp_path, TIMES, WELL, folder=tmp_path)
    gone = 0
    for full, lost_ones, ends in json.loads(answer.stdout.splitlines()[-1]):
        assert full in ("", "No space left on device")
        wanted = sorted([rate, *healthy[rate]] for rate in RATES for _ in range(2))
        gone += lost_ones + sum(one != other for one, other in zip(ends, wanted, strict=True))
    tally("a program that fills the disk", TIMES, gone)


def test_a_driver_of_programs_killed_at_random_moments(tmp_path: Path, tally: Tally) -> None:
    """SIGKILL while one starts, trains or ends: no program outlives it, and the same command goes
    on.
    """
    moment, gone = random.Random(0), 0
    text = f"echo '{line(0)}'; sleep 0.2; echo '{line(10, accuracy=0.5)}'"
    spec = spec_of(script(tmp_path, text), rates=RATES, optimizers=("a", "b"))
    whole = ran(spec, tmp_path / "whole")
    for i in range(TIMES):
        store = Store(tmp_path / str(i))
        kept: list[str] = []
        process = begun(spec, store.folder, 1 + i % 2)
        while process.poll() is None and not programs_of(str(tmp_path / "train.sh")):
            time.sleep(0.02)
        time.sleep(moment.uniform(0, 1.0))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert outliving(str(tmp_path / "train.sh"), 60.0) == []
        kept = list(results(store)) if store.runs_path.exists() else []
        gone += lost(ran(spec, store.folder), whole)
        gone += list(results(store))[: len(kept)] != kept
        shutil.rmtree(store.folder)
    tally("SIGKILL of the driver while programs train", TIMES, gone)
