"""A stop reaches the program, even where Python swallows it at first."""

from __future__ import annotations

import gc
import shlex
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from study.cli.stop import terminable
from study.errors import StudyError, Terminated
from support.command import call
from support.paths import V1, environment

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


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_trains_nothing_says_how_to_start_again(
    number: signal.Signals, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typer makes a code of Ctrl-C's exception, and the command is told of it once more."""
    monkeypatch.setattr("study.tables.write", lambda *_, **__: signal.raise_signal(number))
    answer = call("tables", V1)
    assert (answer.returncode, answer.stdout) == (code, "")
    start = shlex.join(["python", "-m", "study", "tables", str(V1)])
    assert answer.stderr == f"\nstudy: stopped. To start again: {start}\n"


def test_python_looks_for_cycles_again_after_a_command_that_did_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even if it ended with an error; what has trained before may be large."""
    looked: list[bool] = []

    def write(*_: object) -> None:
        looked.append(gc.isenabled())
        raise StudyError("nothing written")

    monkeypatch.setattr("study.tables.write", write)
    assert call("tables", V1).returncode == 2
    assert looked == [False]
    assert gc.isenabled()


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
