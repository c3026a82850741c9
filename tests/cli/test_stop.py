"""A stop reaches the program, even where Python swallows it at first."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from study.cli.stop import terminable
from study.errors import Terminated
from support.paths import environment

HANDLERS = {kind: signal.getsignal(kind) for kind in (signal.SIGTERM, signal.SIGINT)}


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
    hook = sys.unraisablehook

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
    for kind, handler in HANDLERS.items():  # ours stays while the program ends
        signal.signal(kind, handler)
    assert sys.unraisablehook is hook


DEAF = """
import os, signal, time
from study.cli.stop import terminable

def work():
    while True:
        print("on", flush=True)
        try:
            time.sleep(1)
        except BaseException:
            pass

with terminable():
    work()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_third_signal_ends_a_deaf_process_at_once(number: signal.Signals) -> None:
    """The first was swallowed, and the second changes nothing."""
    command = [sys.executable, "-c", DEAF]
    pipes: dict[str, Any] = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen(command, env=environment(), **pipes) as process:
        for _ in range(3):
            assert process.stdout is not None
            assert process.poll() is None
            process.stdout.readline()
            time.sleep(0.05)  # it sleeps for a second
            process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said == "\nstudy: ended at once\n"


def test_a_lost_stop_ends_the_command_however_it_ends() -> None:
    """With a result, or with the error that a library made of it."""

    def work(error: type[Exception] | None) -> None:
        with terminable():
            try:
                signal.raise_signal(signal.SIGTERM)
                time.sleep(0)
            except Terminated:
                if error:
                    raise error from None

    for error in (None, RuntimeError):
        with pytest.raises(Terminated):
            work(error)
        for kind, handler in HANDLERS.items():
            signal.signal(kind, handler)


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
