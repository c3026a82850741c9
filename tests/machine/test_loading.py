"""What goes with loading large libraries."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from study.machine.loading import silenced, unswept
from support.paths import ROOT, environment


def test_python_looks_for_cycles_again_behind_an_import() -> None:
    """Also where the import fails; who had switched it off finds it off."""

    @unswept()
    def fail() -> None:
        assert not gc.isenabled()
        raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert gc.isenabled()
    with unswept(), unswept():
        pass
    assert gc.isenabled()
    gc.disable()
    try:
        with unswept():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("calls", "looks"),
    [
        ("", True),
        ("end_unswept(); end_unswept()", False),
        ("end_unswept(); end_swept()", True),
        ("end_unswept(); loaded('model', print)", True),
    ],
)
def test_a_process_may_end_without_a_last_look(calls: str, looks: bool) -> None:
    """A cycle that is garbage is found at the end, and costs a look at all else."""
    code = f"""
import atexit
from study.engines.own.code import loaded
from study.machine.loading import end_swept, end_unswept
class Found:
    def __del__(self):
        print("looked")
found = Found()
found.itself = found
del found
atexit.register(print, "ended")
{calls}
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    assert answer.stdout.split() == (["ended", "looked"] if looks else ["ended"])


def test_a_greeting_is_hidden_and_an_error_is_not(capfd: pytest.CaptureFixture[str]) -> None:
    """What a library wrote before it failed is shown."""
    with silenced():
        os.write(2, b"greetings")
    assert capfd.readouterr().err == ""

    @silenced()
    def fail() -> None:
        os.write(2, b"no libgreeting.so")
        raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert capfd.readouterr().err == "no libgreeting.so"
