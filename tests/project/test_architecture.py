"""Imports go down only, in two wings, and reading results never needs a framework: held by the
source itself.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import ROOT, STUDY

FLOORS = (
    {"errors", "words", "stopping"},
    {"validation"},
    {"data", "machine", "spec"},
    {"engines", "storage"},
    {"training", "search", "tables"},
    {"execution", "claims", "figures"},
    {"experiments", "report"},
    {"cli"},
    {"__init__", "__main__"},
)
"""From the ground up: a package imports packages of lower floors, and never a neighbour."""

READING = {"storage", "tables", "claims", "figures", "report"}
TRAINING = {"engines", "training", "search", "execution", "experiments"}
"""The two wings: what reads results imports nothing of what trains."""

EXCEPTIONS = {("search/finder.py", "figures"), ("search/staircase.py", "figures")}
"""A sweep and a staircase draw themselves on request: `plot` imports the figures when it is called.
"""

MOST_LINES, MOST_FILES = 300, 12

FRAMEWORKS = {"tensorflow", "keras", "torch"}
WITH_FRAMEWORK = {"engines/tensorflow.py", "search/keras/schedule.py"} | {
    f"search/torch/{path.name}" for path in (STUDY / "search" / "torch").glob("*.py")
}
"""Files that import a framework when they are imported: an engine, a class of Keras's, which must
be one of its own to be saved, and the finder on a module, whose user has loaded PyTorch.
"""
WITH_KERAS = {
    "data/readers.py",
    "search/keras/arrays.py",
    "search/keras/batches.py",
    "search/keras/finder.py",
    "search/keras/lead.py",
    "search/keras/optimizers.py",
    "search/keras/restore.py",
    "search/keras/step.py",
    "search/keras/validation.py",
}
"""Files whose functions do: a download of Keras's, and the finder on a user's own model."""

PLAIN = {"errors", "words", "stopping", "validation", "spec"}
"""Packages that need the standard library and numpy alone."""


def imports(path: Path, top_only: bool = False) -> set[str]:
    """The modules that a file imports, but for annotations; with `top_only`, only when it is itself
    imported.
    """
    tree = ast.parse(path.read_text())
    left_out = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    if top_only:
        left_out |= {
            id(child)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
            for child in ast.walk(node)
        }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= (
                {f"study.{alias.name}" for alias in node.names}
                if node.module == "study"
                else {node.module}
            )
    return found


FILES = sorted(str(path.relative_to(STUDY)) for path in STUDY.rglob("*.py"))


def place(file: str) -> str:
    """The package of a file, or its own name on the ground floor."""
    return file.partition("/")[0].removesuffix(".py")


def within(file: str) -> set[str]:
    """The packages of this project that a file imports, its own left out."""
    return {name.split(".")[1] for name in imports(STUDY / file) if name.startswith("study.")} - {
        place(file)
    }


def test_every_package_has_a_floor() -> None:
    """A new one is given its place."""
    assert {place(file) for file in FILES} == set.union(*FLOORS)


@pytest.mark.parametrize("file", FILES)
def test_imports_go_down_only(file: str) -> None:
    """Also those inside functions."""
    floor = next(i for i, names in enumerate(FLOORS) if place(file) in names)
    below = set.union(set(), *FLOORS[:floor])
    up = {name for name in within(file) - below if (file, name) not in EXCEPTIONS}
    assert not up, f"{file} imports {sorted(up)}"


@pytest.mark.parametrize("file", [file for file in FILES if place(file) in READING])
def test_what_reads_imports_nothing_of_what_trains(file: str) -> None:
    """So that results open where no framework is installed."""
    assert not within(file) & TRAINING


@pytest.mark.parametrize("file", FILES)
def test_a_file_holds_one_idea(file: str) -> None:
    """Which fits on a few screens, in a folder that is seen at one look."""
    lines = len((STUDY / file).read_text().splitlines())
    assert lines <= MOST_LINES
    assert len(list((STUDY / file).parent.glob("*.py"))) - 1 <= MOST_FILES


def test_files_of_tests_are_short_too() -> None:
    """A folder of them is seen at one look as well."""
    for path in (ROOT / "tests").rglob("*.py"):
        lines = len(path.read_text().splitlines())
        assert lines <= MOST_LINES, f"{path}: {lines} lines"
        beside = {one.stem for one in path.parent.glob("*.py")} - {"__init__", "conftest"}
        assert len(beside) <= MOST_FILES, path.parent


@pytest.mark.parametrize("file", FILES)
def test_frameworks_are_imported_in_few_places(file: str) -> None:
    """Everything else knows the seam alone."""
    at_once, ever = (
        {name.partition(".")[0] for name in imports(STUDY / file, top)} & FRAMEWORKS
        for top in (True, False)
    )
    assert not at_once or file in WITH_FRAMEWORK
    own = file.startswith("engines/own/")  # the user's model is of any framework
    assert not ever or own or file in WITH_FRAMEWORK | WITH_KERAS


@pytest.mark.parametrize("file", [file for file in FILES if place(file) in PLAIN])
def test_what_a_trial_is_needs_the_standard_library_and_numpy_alone(file: str) -> None:
    """It can be read, tested and moved without anything else."""
    outside = {name.partition(".")[0] for name in imports(STUDY / file)} - {"study"}
    assert outside <= {*sys.stdlib_module_names, "numpy"}


def test_study_never_imports_scripts_or_tests() -> None:
    """Nothing in the package depends on what stands beside it."""
    for file in FILES:
        assert not imports(STUDY / file) & {"scripts", "tests", "support"}


def test_tests_share_by_support_alone() -> None:
    """No test imports another, also not in the text of a program; names differ in all folders."""
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    names = [path.stem for path in paths]
    assert len(set(names)) == len(names)
    for path in paths:
        assert not re.findall(r"\b(?:from|import) test_\w+", path.read_text()), path


@pytest.mark.parametrize(
    "statement",
    [
        "import study",
        "import study; study.StudySpec",
        "import study.tables, study.figures",
        "import study.cli.main",
    ],
)
def test_importing_loads_no_tensorflow(statement: str) -> None:
    """A notebook opens in a second; the bare import and the command line do without pandas and
    seaborn too.
    """
    heavy = (
        "['tensorflow', 'keras', 'torch']"
        if "figures" in statement
        else "['tensorflow', 'keras', 'torch', 'pandas', 'seaborn', 'matplotlib', 'joblib']"
    )
    code = f"{statement}; import sys; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_no_pickle_and_no_eval() -> None:
    """Data never becomes code."""
    for path in [*STUDY.rglob("*.py"), *(ROOT / "scripts").glob("*.py")]:
        tree = ast.parse(path.read_text())
        assert not imports(path) & {"pickle", "dill", "shelve", "marshal", "cloudpickle", "yaml"}, (
            path
        )
        called = {
            node.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & {"eval", "exec", "compile"}, path
