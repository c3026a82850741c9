"""Programs that report, as small scripts of the shell, and studies of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from study.engines.command.choice import ProgramChoice
from study.execution import driver
from study.execution.request import Request
from study.spec.program import program_in
from study.spec.study import StudySpec
from study.storage.store import Store
from support.paths import environment


def line(step: int, **values: Any) -> str:
    """A report as a JSON line."""
    return json.dumps({"step": step, **values})


def script(folder: Path, text: str, name: str = "train.sh") -> str:
    """The command line of a script of the shell, which is written into the folder.

    Args:
        folder: where it goes.
        text: its commands; `$1` is the rate, as text.
        name: of the file.
    """
    path = folder / name
    path.write_text(f"{text}\n")
    return f"sh {path} {{rate}} {{optimizer}} {{seed}} {{out}}"


def spec_of(command: str, **values: Any) -> StudySpec:
    """A small study of it."""
    usual: dict[str, Any] = {"optimizers": ("sgd",), "rates": (0.1,), "target": 0.9, "cap": 60.0}
    return StudySpec(name="programs", command=command, **{**usual, **values})


def settled(spec: StudySpec) -> StudySpec:
    """The spec with the facts of its program."""
    known, _ = ProgramChoice(program_in(spec)).settled(spec, None)
    return known


def ran(spec: StudySpec, folder: Path, **how: Any) -> Store:
    """The store after a run."""
    driver.run(Request(spec, folder, **{"workers": 1, **how}), progress=False)
    return Store(folder)


def begun(spec: StudySpec, folder: Path, workers: int) -> subprocess.Popen[bytes]:
    """A driver in a process of its own."""
    code = f"""
import json
import subprocess
import sys
from pathlib import Path
from study.cli.stop import terminable
from study.execution import driver
from study.execution.request import Request
from study.spec.study import StudySpec
spec = StudySpec(**json.loads({json.dumps(json.dumps(spec.to_json()))}))
with terminable():
    driver.run(Request(spec, Path({str(folder)!r}), workers={workers}), progress=False)
"""
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment(), stderr=subprocess.DEVNULL
    )


def programs_of(word: str) -> list[int]:
    """The processes whose command line holds a word."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        if process.info["status"] != psutil.STATUS_ZOMBIE and word in (
            process.info["cmdline"] or ()
        ):
            found.append(process.info["pid"])
    return found


QUIET = 1.0
"""Seconds without a process after which none is to come: one that is being started has no command
line of its own for a moment.
"""


def outliving(word: str, seconds: float = 30.0) -> list[int]:
    """The processes whose command line holds a word, and that are still there after `seconds`."""
    now = time.monotonic()
    end, quiet = now + seconds, now + QUIET
    while now < min(end, quiet):
        time.sleep(0.05)
        now = time.monotonic()
        if programs_of(word):
            quiet = now + QUIET
    return programs_of(word)
