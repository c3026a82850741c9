"""A small study to be spoilt, also by processes that are killed, which import this module."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

from study.errors import StudyError
from study.execution import driver
from study.execution.request import Request
from study.storage.store import Store
from support import driving
from support.driving import engine, results

SPEC = driving.SPEC.with_(optimizers=("sgd", "adam"), widths=(1,))


def lost(store: Store, whole: Store) -> int:
    """Trials that the one has not exactly once, or that ended otherwise than in the other."""
    stored = [json.loads(line)["id"] for line in store.runs_path.read_text().splitlines()]
    found = results(store)
    return sum(
        stored.count(id_) != 1 or found[id_] != end for id_, end in results(whole).items()
    ) + len(set(stored) - set(results(whole)))


def drive(folder: Path, delay: float) -> None:
    """A driver process on slow parabolas; exit code 2 where it is refused."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    try:
        driver.run(
            Request(SPEC, folder, factory=partial(engine, delay=delay), workers=1), progress=False
        )
    except StudyError:
        sys.exit(2)


def toml(folder: Path) -> Path:
    """The study as a file."""
    path = folder / "parabolas.toml"
    values = {name: value for name, value in SPEC.to_json().items() if value is not None}
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
    return path
