"""The device that a process trains on: real processes, real locks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import Timeout

from study.machine import device
from study.storage.store import Store
from support.driving import SPEC, program
from support.paths import ROOT, environment

ENVIRONMENT = environment()


@pytest.fixture
def two_gpus(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine with two GPUs, as its driver's program tells of them."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf '%s, H200, 570.1, 9.0\\n' GPU-aa GPU-bb\n")
    program.chmod(0o755)
    (tmp_path / "temporary").mkdir()
    rest = {name: value for name, value in ENVIRONMENT.items() if name != "CUDA_VISIBLE_DEVICES"}
    return {
        **rest,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "TMPDIR": str(tmp_path / "temporary"),
    }


Child = Callable[[str, dict[str, str]], subprocess.Popen[str]]


@pytest.fixture
def child() -> Iterator[Child]:
    """Starts processes that print lines and wait to be told to go on."""
    with ExitStack() as stack:

        def start(code: str, environment: dict[str, str]) -> subprocess.Popen[str]:
            command, pipe = [sys.executable, "-uc", code], subprocess.PIPE
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                text=True,
                stdin=pipe,
                stdout=pipe,
                stderr=subprocess.STDOUT,
            )
            stack.callback(end, process)
            return process

        yield start


def line(process: subprocess.Popen[str]) -> str:
    """The process's next line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    """Kill it."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()


HOLD = (
    "from study.machine import device\nwith device.exclusive():\n    print(device.current())\n   "
    " input()"
)
PIN = (
    "import os; from study.machine import device; print(device.pin(), "
    "os.environ.get('CUDA_VISIBLE_DEVICES'), device.current()); input()"
)


def test_workers_pin_a_gpu_each_and_one_that_dies_leaves_it(
    child: Child, two_gpus: dict[str, str]
) -> None:
    """A third finds none; what CUDA shows a process is all that it takes from."""
    second = child(PIN, {**two_gpus, "CUDA_VISIBLE_DEVICES": "1"})
    assert line(second) == "GPU-bb GPU-bb GPU-bb"
    first = child(PIN, two_gpus)
    assert line(first) == "GPU-aa GPU-aa GPU-aa"
    third = child(PIN, two_gpus)
    assert third.wait() == 1
    assert third.stdout is not None
    assert third.stdout.read().strip().endswith("start one worker a GPU, no more")
    end(second)
    third = child(PIN, two_gpus)
    assert line(third) == "GPU-bb GPU-bb GPU-bb"
    blind = child(PIN, {**two_gpus, "CUDA_VISIBLE_DEVICES": "-1"})
    assert line(blind) == "cpu -1 cpu"


def test_two_timed_jobs_never_share_a_device(child: Child, two_gpus: dict[str, str]) -> None:
    """Across processes: the second waits until the first has ended, killed or not; on another
    device it does not wait.
    """
    first = child(HOLD, two_gpus)
    assert line(first) == "GPU-aa"
    other = child(HOLD, {**two_gpus, "CUDA_VISIBLE_DEVICES": "GPU-bb"})
    assert line(other) == "GPU-bb"
    second = child(HOLD, two_gpus)
    assert line(second) == "waiting: another timed job has GPU-aa to itself"
    end(first)
    assert line(second) == "GPU-aa"


def test_a_worker_times_on_the_device_that_it_has_pinned(
    child: Child, two_gpus: dict[str, str]
) -> None:
    """It does not wait for itself."""
    process = child(
        "from study.machine import device\ndevice.pin()\n"
        "with device.exclusive():\n    print('timed')",
        two_gpus,
    )
    assert line(process) == "timed"


ALONE = """
from support.parabola import ParabolaEngine
from support.driving import SPEC
from study.machine.here import this_site
from study.training.group import Context, train
from study.training.stopwatch import Stopwatch
context = Context("s", this_site(), 1)
tell = lambda run, finish: print(run.outcome)
train(SPEC.trials()[:1], None, ParabolaEngine(), context, tell, Stopwatch())
"""


def test_a_trial_alone_waits_for_the_device(child: Child, two_gpus: dict[str, str]) -> None:
    """Until the timed job that has it has ended."""
    holder = child(HOLD, two_gpus)
    assert line(holder) in ("GPU-aa", "cpu")
    waiting = child(ALONE, two_gpus)
    assert line(waiting) == "waiting: another timed job has GPU-aa to itself"
    end(holder)
    assert line(waiting) == "capped"


@pytest.mark.slow
def test_calibration_waits_for_the_device(child: Child, folder: Path, tmp_path: Path) -> None:
    """Of a driver whose processor another timed job has, nothing is stored until that has ended."""
    environment = {**ENVIRONMENT, "TMPDIR": str(tmp_path)}
    holder = child(HOLD, environment)
    assert line(holder) in ("GPU-aa", "cpu")
    waiting = child(program(folder, 0.0, 1)[-1], environment)
    assert line(waiting).startswith("waiting: another timed job has the processor")
    assert not Store(folder).runs_path.exists()
    end(holder)
    assert waiting.wait() == 0
    assert len(Store(folder).runs()) == len(SPEC)


def test_a_job_that_waits_says_so_beside_its_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error: `--json` leaves standard output to programs."""

    class Held:
        def acquire(self, timeout: float = -1) -> None:
            if timeout == 0:
                raise Timeout("held")

        def release(self) -> None: ...

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "lock_of", lambda name: Held())
        with device.exclusive():
            pass
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("waiting: another timed job has ")
