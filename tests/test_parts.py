"""The script that runs the tests, or a part of them, with programs that only say what they are
asked for.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Runs a copy of `scripts/test` beside three files of tests, with programs that only say what
    they are asked for.
    """
    for name in ("scripts/setup", ".venv/bin/python", ".venv/bin/ruff", ".venv/bin/mypy"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('#!/bin/bash\necho "${0##*/}" "$@"\n')
        (tmp_path / name).chmod(0o755)
    shutil.copy(ROOT / "scripts" / "test", tmp_path / "scripts")
    (tmp_path / "tests").mkdir()
    for name in ("test_tables", "test_fits", "test_profits", "made"):
        (tmp_path / "tests" / f"{name}.py").touch()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(tmp_path / "scripts" / "test"), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    return run


TWO = "python -m pytest -n 2 --dist loadfile --no-loadscope-reorder"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("tables", ["setup", "python -m pytest tests/test_tables.py"]),
        (
            "tables fits",
            ["setup", f"{TWO} tests/test_tables.py tests/test_fits.py tests/test_profits.py"],
        ),
        ("tables -k best -x", ["setup", "python -m pytest tests/test_tables.py -k best -x"]),
        ("tests/test_fits.py::test_x", ["setup", "python -m pytest tests/test_fits.py::test_x"]),
        ("-k best", ["setup", "ruff check .", "ruff format --check .", "mypy", f"{TWO} -k best"]),
        (
            "",
            [
                "setup",
                "ruff check .",
                "ruff format --check .",
                "mypy",
                TWO,
                f"{TWO} -m kernels -k not jax",
            ],
        ),
    ],
)
def test_a_part_of_the_tests_is_named_by_its_files(
    call: Call, arguments: str, said: list[str]
) -> None:
    """The words before the first option; without any, everything runs."""
    done = call(*arguments.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == said


def test_a_part_that_is_not_there_is_refused(call: Call) -> None:
    """With those that are."""
    done = call("tables", "figures")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == "no file of tests has 'figures' in its name: there are fits profits tables\n"
    )
