"""The script for a machine with a GPU, with a Python that only notes what it is asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.paths import ROOT

NOTES = """#!/bin/bash
case "$1 $2" in
  "-c import importlib.metadata"*) echo "package==1"; exit 0;;
  "-c "*find_spec\\(\\'tensorflow*) exit 1;;
  "-c "*) exit 0;;
esac
echo "$*" >> "$NOTES"
echo "told of $*"
case "$*" in *"$BREAKS"*) exit 3;; esac
"""


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Where the commands are noted; `nvidia-smi` and the interpreter stand beside it."""
    for name in ("python", "nvidia-smi"):
        (tmp_path / name).write_text(NOTES)
        (tmp_path / name).chmod(0o755)
    return tmp_path / "notes"


def gpu(notes: Path, *arguments: str, breaks: str = "nothing") -> subprocess.CompletedProcess[str]:
    """Run the script."""
    here = {"PATH": f"{notes.parent}:{os.environ['PATH']}", "PYTHON": str(notes.parent / "python")}
    environment = {**os.environ, **here, "NOTES": str(notes), "BREAKS": breaks}
    return subprocess.run(
        [ROOT / "scripts" / "gpu", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_step_is_done_once_and_what_failed_is_tried_again(notes: Path, tmp_path: Path) -> None:
    """With the engine that is there; output and results under the folder."""
    out = tmp_path / "out"
    first = gpu(notes, str(out), breaks="verify")
    assert first.returncode == 1
    assert "verify failed (exit code 3)" in first.stdout
    asked = notes.read_text().splitlines()
    assert (
        f"scripts/benchmark.py --engine jax --network tutorial --out {out}/benchmark-jax-tutorial"
        in asked
    )
    assert f"-m study run tutorial --engine jax --out {out}/tutorial" in asked
    assert not any("tensorflow" in line for line in asked)
    assert (
        out / "sizes.txt"
    ).read_text() == f"told of -m study run sizes --engine jax --out {out}/sizes\n"
    second = gpu(notes, str(out))
    assert second.returncode == 0
    assert notes.read_text().splitlines()[len(asked) :] == [
        f"-m study verify {out}/article --engine jax"
    ]
    assert gpu(notes, str(out)).stdout == f"all is done: {out}\n"


def test_it_stops_in_time(notes: Path, tmp_path: Path) -> None:
    """Before a step that it has no time for."""
    stopped = gpu(notes, str(tmp_path / "out"), "0")
    assert stopped.returncode == 0
    assert stopped.stdout == "time is up before driver: run the same command to go on\n"
    assert not notes.exists()


@pytest.mark.parametrize("arguments", [[], ["out", "soon"]])
def test_bad_arguments_are_refused(notes: Path, arguments: list[str]) -> None:
    """With what would be right."""
    refused = gpu(notes, *arguments)
    assert (refused.returncode, refused.stderr) == (2, "usage: scripts/gpu OUT [MINUTES]\n")
