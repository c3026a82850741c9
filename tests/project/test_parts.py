"""The script that runs the tests, or a part of them, with programs that only say what they are
asked for.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.paths import ROOT

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Runs a copy of `scripts/test` beside four files of tests, with programs that only say what
    they are asked for.
    """
    for name in ("scripts/setup", ".venv/bin/python", ".venv/bin/ruff", ".venv/bin/mypy"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('#!/bin/bash\necho "${0##*/}" "$@"\n')
        (tmp_path / name).chmod(0o755)
    shutil.copy(ROOT / "scripts" / "test", tmp_path / "scripts")
    for name in (
        "test_words",
        "tables/test_fits",
        "spec/test_profits",
        "spec/test_rates",
        "support/made",
    ):
        (tmp_path / "tests" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tests" / f"{name}.py").touch()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(tmp_path / "scripts" / "test"), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    return run


MANY = "python -m pytest -n 3 --dist loadfile --no-loadscope-reorder"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("words", ["setup", "python -m pytest tests/test_words.py"]),
        ("spec", ["setup", f"{MANY} tests/spec"]),
        (
            "tables fits",
            ["setup", f"{MANY} tests/tables tests/spec/test_profits.py tests/tables/test_fits.py"],
        ),
        ("rates -k best -x", ["setup", "python -m pytest tests/spec/test_rates.py -k best -x"]),
        (
            "tests/tables/test_fits.py::test_x",
            ["setup", "python -m pytest tests/tables/test_fits.py::test_x"],
        ),
        ("fast", ["setup", f"{MANY} -m not slow"]),
        ("fast tables", ["setup", f"{MANY} -m not slow tests/tables"]),
        ("mutants", ["setup", "python -c import cosmic_ray", "python scripts/mutants.py"]),
        (
            "mutants tables --seed 1",
            [
                "setup",
                "python -c import cosmic_ray",
                "python scripts/mutants.py tables --seed 1",
            ],
        ),
        ("coverage", ["setup", f"{MANY} --cov --cov-report=term"]),
        (
            "coverage words -x",
            ["setup", "python -m pytest --cov --cov-report=term tests/test_words.py -x"],
        ),
        ("-k best", ["setup", "ruff check .", "ruff format --check .", "mypy", f"{MANY} -k best"]),
        (
            "",
            [
                "setup",
                "ruff check .",
                "ruff format --check .",
                "mypy",
                MANY,
                "python -m pytest -n 2 --dist loadfile tests/engines -m kernels",
            ],
        ),
    ],
)
def test_a_part_of_the_tests_is_named_by_its_package_or_files(
    call: Call, arguments: str, said: list[str]
) -> None:
    """The words before the first option; without any, everything runs."""
    done = call(*arguments.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == said


@pytest.mark.parametrize("part", ["figures", "support", "tests/none.py"])
def test_a_part_that_is_not_there_is_refused(call: Call, part: str) -> None:
    """With those that are."""
    done = call("tables", part)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"no folder or file of tests has '{part}' in its name: "
        "there are spec tables words profits rates fits\n"
    )
