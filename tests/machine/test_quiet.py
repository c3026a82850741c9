"""How free the machine was."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from study.machine import quiet
from study.machine.processor import usable_cores
from study.machine.quiet import Load, Meter, wait_until_quiet


class Machine:
    """A machine whose clocks a test moves: wall, all processors together, this study's processes,
    and somebody waiting for one.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall = self.busy = self.own = 0.0
        self.waited: float | None = 0.0
        monkeypatch.setattr("study.machine.quiet.time.monotonic", lambda: self.wall)
        monkeypatch.setattr("study.machine.quiet._busy", lambda: self.busy)
        monkeypatch.setattr("study.machine.quiet._taken_by", lambda family: self.own)
        monkeypatch.setattr("study.machine.quiet._waited", lambda: self.waited)
        monkeypatch.setattr("study.machine.quiet.usable_cores", lambda: 4)

    def passes(self, wall: float, own: float, others: float, waited: float | None = 0.0) -> None:
        """So many seconds, with so many processor seconds of the study and of other programs."""
        self.wall += wall
        self.own += own
        self.busy += own + others
        self.waited = None if waited is None or self.waited is None else self.waited + waited


def test_the_load_is_what_others_took_since_the_last_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In cores, on average; the study's own processes are not others."""
    machine = Machine(monkeypatch)
    meter = Meter()
    machine.passes(10, own=18, others=5, waited=2.5)
    assert meter.read() == Load(cores=4, processor=1.8, others=0.5, pressure=0.25)
    machine.passes(10, own=40, others=0)
    assert meter.read() == Load(cores=4, processor=4.0, others=0.0, pressure=0.0)
    machine.passes(1, own=1, others=1, waited=None)
    assert meter.read().pressure is None


@pytest.mark.parametrize(
    ("cores", "others", "quiet"),
    [
        (1, 0.1, True),
        (1, 0.11, False),
        (2, 0.2, True),
        (2, 0.21, False),
        (64, 0.5, True),
        (64, 0.51, False),
    ],
)
def test_a_quiet_machine_is_nearly_free(cores: int, others: float, quiet: bool) -> None:
    """A tenth of its cores may be taken, and half a core: an operation waits for the slowest of its
    threads.
    """
    assert Load(cores, 1.0, others, None).quiet is quiet


def test_a_busy_machine_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is quiet, or the patience is spent."""
    machine = Machine(monkeypatch)
    said: list[str] = []
    others = iter([9.0, 3.0, 0.1, 9.0])

    def sleep(seconds: float) -> None:
        machine.passes(seconds, own=0, others=next(others))

    last = wait_until_quiet(100, said.append, Meter(), sleep)
    assert last is not None
    assert last.quiet
    assert [line.split(": ")[1] for line in said] == [
        "other programs took 4.5 of its 4 cores",
        "other programs took 1.5 of its 4 cores",
    ]
    others = iter([9.0] * 9)
    last = wait_until_quiet(5, said.append, Meter(), sleep)
    assert last is not None
    assert not last.quiet
    assert len(list(others)) == 6, "three looks of two seconds"
    assert wait_until_quiet(0, said.append, Meter(), sleep) is None


def test_the_family_is_a_process_and_those_that_it_started() -> None:
    """Their processor time is the study's own; that of a process which is gone is nobody's."""
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; begun = time.time()\nwhile True: pass"]
    )
    try:
        before = quiet._taken_by(os.getpid())
        while psutil.Process(child.pid).cpu_times().user < 0.3:
            pass
        assert quiet._taken_by(os.getpid()) - before > 0.3
    finally:
        child.kill()
        child.wait()
    assert quiet._taken_by(child.pid) == 0.0


def test_this_machine_tells_its_load() -> None:
    """Real values of the machine that the test runs on."""
    meter = Meter()
    read = meter.read()
    assert read.cores == usable_cores() >= 1
    assert read.processor >= 0
    assert read.others >= 0
    assert (quiet._waited() or 0.0) >= 0


def test_a_child_that_has_ended_still_counts() -> None:
    """Its processor time, once it was waited for: a program that trained is no other program."""
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    before = quiet._taken_by(os.getpid())
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert quiet._taken_by(os.getpid()) - before >= 0.29
