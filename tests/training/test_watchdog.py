"""The end of a process that shows no sign of life, by a clock that a test moves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from study.training import watchdog
from study.training.watchdog import supervised
from support.training.told import Hand


class Ended(BaseException):
    """The process has ended, with this code."""


class Watched:
    """A watchdog whose thread runs at once, in this one.

    Args:
        waits: of each wait the seconds until a sign of life, or how long the process was stopped
            in it, as a negative number.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
        self.clock, self.waits = Hand(100.0), waits
        self.asked: list[float] = []
        self.hung: list[float] = []
        self.over = False
        watched = self

        class Event:
            """The first is the sign of life, the second the end."""

            def wait(self, timeout: float) -> bool:
                watched.asked.append(timeout)
                seconds = watched.waits.pop(0)
                heard = 0 <= seconds < timeout
                watched.clock.now += seconds if heard else timeout + min(0.0, seconds)
                return heard

            def is_set(self) -> bool:
                return watched.over

            def set(self) -> None: ...

            def clear(self) -> None: ...

        class Thread:
            def __init__(self, target: Callable[[], None], daemon: bool) -> None:
                self.target = target

            def start(self) -> None:
                self.target()

            def join(self) -> None: ...

        def leave(code: int) -> None:
            raise Ended(code)

        monkeypatch.setattr(watchdog, "running", self.clock)
        monkeypatch.setattr(watchdog, "threading", type("", (), {"Event": Event, "Thread": Thread}))
        monkeypatch.setattr("os._exit", leave)

    def end(self) -> Any:
        """The code with which the process ends after 10 silent seconds."""
        with (
            pytest.raises(Ended) as ended,
            supervised(10.0, lambda: self.hung.append(self.clock.now)),
        ):
            pass
        return ended.value.args


@pytest.mark.parametrize(
    ("waits", "asked", "end"),
    [
        ([10.0], [10.0], 110.0),
        ([4.0, 9.5, 11.0], [10.0, 10.0, 10.0], 123.5),
        ([-7.0, 20.0], [10.0, 7.0], 110.0),
        ([-7.0, 6.5, -9.5, -0.25, 20.0], [10.0, 7.0, 10.0, 9.5, 0.25], 119.5),
    ],
)
def test_a_process_ends_after_so_much_silence_of_its_own_time(
    waits: list[float], asked: list[float], end: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sign of life begins it anew, and what the process was stopped for does not count."""
    watched = Watched(monkeypatch, waits)
    assert watched.end() == (1,)
    assert watched.asked == asked
    assert watched.hung == [end]


def test_it_never_waits_for_less_than_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the limit passes between two looks at the clock."""
    watched = Watched(monkeypatch, [20.0])
    looks = iter([100.0, 109.0, 111.0, 111.0])
    monkeypatch.setattr(watchdog, "running", lambda: next(looks))
    assert watched.end() == (1,)
    assert watched.asked == [0.0]


def test_nothing_is_watched_without_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign of life is taken, and does nothing."""
    watched = Watched(monkeypatch, [])
    with supervised(None, lambda: watched.hung.append(0.0)) as beat:
        beat()
    assert watched.asked == watched.hung == []


def test_the_watch_ends_with_what_is_watched() -> None:
    """Its thread keeps no process alive meanwhile, and is gone afterwards; signs keep it quiet."""
    before = set(threading.enumerate())
    hung: list[str] = []
    with supervised(1e6, lambda: hung.append("hung")) as beat:
        (listener,) = set(threading.enumerate()) - before
        assert listener.daemon
        beat()
    assert not listener.is_alive()
    assert hung == []
