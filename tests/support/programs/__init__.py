"""Programs that report, as small scripts of the shell, and studies of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from study.engines.command.choice import ProgramChoice
from study.execution import driver
from study.execution.request import Request
from study.spec.program import program_in
from study.spec.study import StudySpec
from study.storage.store import Store


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
