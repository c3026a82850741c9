"""The package as others install it: wheel and sdist, what they hold and ask for, and the script
that makes the environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Callable
from email.parser import Parser
from pathlib import Path

import pytest

from support.paths import ROOT

pytestmark = pytest.mark.slow

DATA = {path.name for path in (ROOT / "study" / "data").iterdir()}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SDIST = "import sys, setuptools.build_meta as backend; backend.build_sdist(sys.argv[1])"


def run(*command: object, cwd: Path) -> str:
    """What a command prints; no setting of this process's reaches it by which Python would find the
    repository.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "STUDY_COMMAND")
    }
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, from a copy of the repository's files, and the wheel, from the sdist."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for path in (path for path in ROOT.iterdir() if path.is_file()):
        shutil.copy(path, copy)
    shutil.copytree(ROOT / "study", copy / "study", ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-c", SDIST, out, cwd=copy)
    (sdist,) = out.glob("*.tar.gz")
    options = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", out)
    run(sys.executable, "-m", "pip", "wheel", *options, sdist, cwd=out)
    (wheel,) = out.glob("*.whl")
    return sdist, wheel


def test_sdist_and_wheel_hold_all_of_the_package(built: tuple[Path, Path]) -> None:
    """Every module, the data and the mark of types, and nothing from beside the package."""
    sdist, wheel = built
    here = {str(path.relative_to(ROOT)) for path in (ROOT / "study").rglob("*.py")}
    wanted = here | {f"study/data/{name}" for name in DATA} | {"study/py.typed"}
    pages = {*(ROOT / "study").rglob("*.j2"), *(ROOT / "study").rglob("*.css")}
    wanted |= {str(path.relative_to(ROOT)) for path in pages}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name for name in names if ".dist-info/" not in name} == wanted
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert wanted <= names
    assert not any(name.startswith(("tests/", "results/")) for name in names)


def test_the_wheel_asks_for_what_the_package_imports_alone(built: tuple[Path, Path]) -> None:
    """No tool of its checks and no framework, unless an extra is named."""
    with zipfile.ZipFile(built[1]) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        told = Parser().parsestr(archive.read(name).decode())
    wanted = [line for line in told.get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {re.split(r"[^\w-]", line)[0] for line in wanted}
    assert "numpy" in names
    assert not names & {
        "pytest",
        "ruff",
        "mypy",
        "selenium",
        "dask",
        "tensorflow",
        "keras",
        "jax",
        "torch",
        "halide",
        "ray",
    }
    assert all(">=" in line for line in wanted)
    extras = {"tensorflow", "jax", "torch", "native", "dask", "ray", "optuna", "imports"}
    assert set(told.get_all("Provides-Extra", [])) == extras | {"notebook", "dev"}
    assert told["Description-Content-Type"] == "text/markdown"
    assert "Which learning rate" in told.get_payload()


def test_the_installed_wheel_works_outside_the_repository(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    """In an environment of its own, which borrows the packages of this one, from an empty folder
    inside another repository.
    """
    environment, folder = tmp_path / "environment", tmp_path / "empty"
    folder.mkdir()
    run("git", "init", "--quiet", cwd=tmp_path)
    venv.create(environment, symlinks=True)
    scripts = environment / "bin"
    site = Path(
        run(
            scripts / "python",
            "-c",
            "import sysconfig; print(sysconfig.get_path('purelib'))",
            cwd=folder,
        ).strip()
    )
    (site / "borrowed.pth").write_text(
        f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n"
    )
    install = ("install", "--quiet", "--no-deps", "--no-index", built[1])
    run(sys.executable, "-m", "pip", "--python", scripts / "python", *install, cwd=folder)
    code = (
        "import study, study.machine.versions; print(study.__file__); "
        "print(study.machine.versions.versions()['study'])"
    )
    where, version = run(scripts / "python", "-c", code, cwd=folder).splitlines()
    assert Path(where) == site / "study" / "__init__.py"
    assert version == PROJECT["version"]
    study = ROOT / "results" / "amd-epyc-2-cores" / "quick-reference"
    run(scripts / "study", "report", study, "--out", tmp_path / "page.html", cwd=folder)
    assert "<style>" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "smoke" in run(scripts / "study", "plan", "smoke", cwd=folder)
    assert not list(folder.iterdir())


def test_the_bounds_admit_what_is_locked() -> None:
    """Each package that the package or an extra names is at least as new in requirements.txt as its
    bound.
    """

    def version(text: str) -> tuple[int, ...]:
        return tuple(map(int, text.split(".")))

    pinned = dict(
        line.partition(" ;")[0].split("==")
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if "==" in line
    )
    asked = [
        *PROJECT["dependencies"],
        *(line for lines in PROJECT["optional-dependencies"].values() for line in lines),
    ]
    bounds = dict(line.split(">=") for line in asked if ">=" in line)
    assert {line.split(">=")[0] for line in PROJECT["dependencies"]} <= set(pinned)
    for name in set(bounds) & set(pinned):
        assert version(bounds[name]) <= version(pinned[name]), name


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("requirements-*.lock")))
def test_every_lock_holds_what_requirements_name(lock: str) -> None:
    """At the same versions, each with its hash (`test_security` has the one for Python 3.11)."""
    pinned = [
        line.partition(" ;")[0].lower()
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if "==" in line
    ]
    locked = (ROOT / lock).read_text().splitlines()[1:]
    assert all(re.fullmatch(r"\S+==\S+ --hash=sha256:[0-9a-f]{64}", line) for line in locked)
    assert set(pinned) <= {line.split(" ")[0].lower() for line in locked}


FAKE = """#!/bin/bash
case "$*" in
  "-c "*purelib*) echo "${0%/*}";;
  "-c "*) echo "3 MINOR Linux x86_64";;
  "-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python";;
  "-m pip install "*) echo "$*" >> "$NOTES"; cp "${@: -1}" "$NOTES.list";;
esac
"""
"""A Python that makes an environment of itself, and only notes what it is to install there."""

Setup = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """Runs a copy of `scripts/setup` with a fake Python 3 of that minor version."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup", tmp_path / "scripts")
    for path in ROOT.glob("requirements*"):
        shutil.copy(path, tmp_path)

    def call(minor: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        python = tmp_path / f"python3.{minor}"
        python.write_text(FAKE.replace("MINOR", str(minor)))
        python.chmod(0o755)
        environment = {**os.environ, "PYTHON": str(python), "NOTES": str(tmp_path / "notes")}
        command = [str(tmp_path / "scripts" / "setup"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return call


@pytest.mark.parametrize(
    ("minor", "lock"),
    [(11, "requirements.lock"), (12, "requirements-3.12.lock"), (13, "requirements-3.13.lock")],
)
def test_each_python_has_its_lock(setup: Setup, tmp_path: Path, minor: int, lock: str) -> None:
    """It is installed whole, once."""
    first = setup(minor)
    assert (first.returncode, first.stdout) == (0, "")
    assert f"Installing what {lock} names" in first.stderr
    assert "--no-deps" in (tmp_path / "notes").read_text()
    assert (tmp_path / "notes.list").read_text() == (ROOT / lock).read_text()
    again = setup(minor)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert len((tmp_path / "notes").read_text().splitlines()) == 1


def test_a_python_without_tensorflow_is_told_what_works(setup: Setup, tmp_path: Path) -> None:
    """In one sentence, before anything is made; and what it names does work."""
    refused = setup(14)
    assert (refused.returncode, refused.stdout) == (2, "")
    ways = "set PYTHON to a Python 3.11 to 3.13, or leave TensorFlow out by scripts/setup jax."
    assert refused.stderr == f"TensorFlow has no wheel for Python 3.14: {ways}\n"
    assert not (tmp_path / ".venv").exists()
    assert setup(14, "jax").returncode == 0
    installed = (tmp_path / "notes.list").read_text()
    assert "jax==" in installed
    assert "tensorflow==" not in installed
    (tmp_path / ".venv" / "engine").unlink()
    (tmp_path / ".venv" / "requirements.txt").unlink()
    assert "set PYTHON to a Python 3.11 to 3.13 and remove .venv, or" in setup(13).stderr


def test_another_python_after_a_refusal(setup: Setup) -> None:
    """One that TensorFlow has a wheel for; one that is too old is told so."""
    assert setup(14).returncode == 2
    assert setup(10).stderr == "Python 3.11 or newer is needed; set PYTHON to its path.\n"
    assert setup(13).returncode == 0
