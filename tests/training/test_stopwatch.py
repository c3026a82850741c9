"""Parts of the time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.machine.clock import PERIOD, STOP, RunningClock
from study.training.stopwatch import Stopwatch


class Hand:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_inner_part_is_not_counted_twice() -> None:
    """Nested parts: the inner counts for itself alone."""
    clock = Hand()
    watch = Stopwatch(clock)
    clock.now = 1
    with watch.part("outer"):
        clock.now = 3
        with watch.part("inner"):
            clock.now = 7
        clock.now = 8
    clock.now = 10
    assert watch.parts() == {"other": 3, "outer": 3, "inner": 4}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 10), st.booleans()), max_size=20))
def test_parts_add_up_to_the_whole(moves: list[tuple[str, float, bool]]) -> None:
    """Whatever is nested, and also when a part raises."""
    clock = Hand()
    watch = Stopwatch(clock)

    def walk(rest: list[tuple[str, float, bool]]) -> None:
        if rest:
            (name, seconds, nested), *more = rest
            with watch.part(name):
                clock.now += seconds
                if nested:
                    walk(more)
            if not nested:
                walk(more)

    walk(moves)

    def breaks() -> None:
        with watch.part("broken"):
            clock.now += 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        breaks()
    clock.now += 1
    assert sum(watch.parts().values()) == pytest.approx(clock.now)


class StoppedBy(RunningClock):
    """A clock whose wall and processor times a test moves, without a thread of its own."""

    def __init__(self) -> None:
        self.hand, self.taken = Hand(), Hand()
        super().__init__(self.hand, self.taken)
        self()

    def __call__(self) -> float:
        return self._look()

    def after(self, wall: float, processor: float) -> float:
        """The clock's time when the process has gone on for so many seconds."""
        self.hand.now += wall
        self.taken.now += processor
        return self()


def test_the_clock_stands_still_while_the_process_is_stopped() -> None:
    """A gap between two looks in which nothing was computed was a stop; one in which Python could
    not run was none.
    """
    clock = StoppedBy()
    assert clock.after(0.5, 0.4) == 0.5
    assert clock.after(30.0, 0.1) == 0.5
    assert clock.after(0.5, 0.5) == 1.0
    assert clock.after(5.0, 5.0) == 6.0, "a compiler kept Python from running"
    assert clock.after(STOP, 0.0) == 6.0 + STOP, "no longer than a look may be late"
    assert clock.stopped == 30.0


@pytest.mark.slow
def test_a_process_that_is_really_stopped() -> None:
    """By SIGSTOP, for three seconds: the wall's clock counts them, the process's own does not."""
    code = (
        "import sys, time; from study.machine.clock import running; begun, wall = running(), "
        "time.perf_counter(); print('go', flush=True); "
        "sys.stdin.readline(); time.sleep(0.5); print(running() - begun, time.perf_counter() - "
        "wall)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    process.stdout.readline()
    time.sleep(3 * PERIOD)
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(3)
    os.kill(process.pid, signal.SIGCONT)
    said, _ = process.communicate("\n", timeout=60)
    own, wall = map(float, said.split())
    assert wall - own > 2.5
