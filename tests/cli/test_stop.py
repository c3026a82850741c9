"""A stop reaches the program, even where Python swallows it at first."""

from __future__ import annotations

import gc
import signal
import sys
import time

import pytest

from study.cli.stop import terminable
from study.errors import Terminated


class Last:
    """An object in whose finalizer the signal arrives."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)
        time.sleep(0)


def collected(phase: str, info: dict[str, int]) -> None:
    """A callback of the garbage collector in which the signal arrives."""
    gc.callbacks.remove(collected)
    signal.raise_signal(signal.SIGTERM)
    time.sleep(0)


@pytest.mark.parametrize("place", ["a finalizer", "the garbage collector"])
def test_a_stop_that_is_swallowed_comes_again(place: str) -> None:
    """And the hook for such errors is put back at the end."""
    hook, kinds = sys.unraisablehook, (signal.SIGTERM, signal.SIGINT)
    before = {kind: signal.getsignal(kind) for kind in kinds}

    def work() -> None:
        if place == "a finalizer":
            Last()
        else:
            gc.callbacks.append(collected)
            gc.collect()
        for _ in range(500):
            time.sleep(0.01)

    with pytest.raises(Terminated), terminable():
        work()
    for kind, handler in before.items():  # they stay ignored while the program ends
        signal.signal(kind, handler)
    assert sys.unraisablehook is hook


def test_other_errors_in_finalizers_are_told_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the hook that was there."""

    class Careless:
        def __del__(self) -> None:
            raise RuntimeError("careless")

    seen: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: seen.append(str(told.exc_value)))
    with terminable():
        Careless()
    assert seen == ["careless"]
