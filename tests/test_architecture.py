"""Imports go down only, and reading results never needs the tensor world: held by the source itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STUDY = ROOT / "study"

LAYERS = (
    {"errors"},
    {"values", "words"},
    {"schedules"},
    {"spec", "stopwatch", "statistics", "machine"},
    {"record", "learner", "network", "optimizers", "hopeless", "quiet"},
    {"race", "population", "tuning", "data", "backend"},
    {"tensors", "tensors_jax", "keras_schedules", "device"},
    {"lanes"},
    {"engine"},
    {"store"},
    {"calibration"},
    {"plan", "training", "fits", "published"},
    {"tables"},
    {"progress", "curves", "verify", "figures"},
    {"workers"},
    {"cluster"},
    {"finder"},
    {"staircase", "halving", "keras_finder"},
    {"cycles", "contest"},
    {"claims", "compare", "figures_methods"},
    {"driver", "report_sections"},
    {"predict", "methods", "report"},
    {"options"},
    {"cli_methods"},
    {"__init__", "cli"},
    {"__main__"},
)
"""From the ground up: a module may import from layers below its own."""

TENSOR_PACKAGES = {"tensorflow", "keras"}
TENSOR_WORLD = {"tensors", "lanes", "keras_schedules"}
AT_THE_TOP = {"tensors", "keras_schedules"}
"""Who may import them: all that the lanes need of TensorFlow, and a class of Keras's, which must be one of its own to be saved."""
PLAIN = {"errors", "values", "words", "schedules", "spec", "stopwatch", "record", "learner", "network", "optimizers", "hopeless", "race"}
PLAIN |= {"finder", "staircase", "halving"}


def imports(path: Path, top_only: bool = False) -> set[str]:
    """Names of the modules that a file imports, `study.x` as `x`; with `top_only`, only when it is itself imported."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    inner = {id(child) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for child in ast.walk(node)} if top_only else set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only or id(node) in inner:
            continue
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"study.{alias.name}" for alias in node.names] if node.module == "study" else [node.module]
        found |= {name.removeprefix("study.") if name.startswith("study.") else name.split(".")[0] for name in names}
    return found


MODULES = sorted(path.stem for path in STUDY.glob("*.py"))


def test_every_module_has_a_layer() -> None:
    """A new module is given its place."""
    assert set(MODULES) == set.union(*LAYERS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    """Also those inside functions."""
    level = next(i for i, layer in enumerate(LAYERS) if module in layer)
    below = set.union(set(), *LAYERS[:level])
    here = {name for name in imports(STUDY / f"{module}.py") if name in MODULES}
    assert here <= below, f"{module} imports {sorted(here - below)}"


@pytest.mark.parametrize("module", MODULES)
def test_only_the_tensor_world_imports_tensorflow(module: str) -> None:
    """One small place; inside functions data may ask Keras for a download, and keras_finder works on a user's own Keras model."""
    path = STUDY / f"{module}.py"
    assert not imports(path, top_only=True) & TENSOR_PACKAGES or module in AT_THE_TOP
    if module not in ("data", "keras_finder"):
        assert not imports(path) & TENSOR_PACKAGES or module in AT_THE_TOP
    assert not imports(path, top_only=True) & TENSOR_WORLD or module in TENSOR_WORLD


@pytest.mark.parametrize("module", sorted(PLAIN))
def test_the_words_and_the_race_need_the_standard_library_and_numpy_alone(module: str) -> None:
    """They can be read, tested and moved without anything else."""
    outside = {name for name in imports(STUDY / f"{module}.py") if name not in MODULES}
    assert outside <= {*sys.stdlib_module_names, "numpy"}


def test_study_never_imports_scripts_or_tests() -> None:
    """Nothing in the package depends on what stands beside it."""
    for path in STUDY.glob("*.py"):
        assert not imports(path) & {"scripts", "tests", "parabola"}


@pytest.mark.parametrize(
    "statement", ["import study", "import study; study.StudySpec", "import study.tables, study.figures", "import study.cli"]
)
def test_importing_loads_no_tensorflow(statement: str) -> None:
    """A notebook opens in a second; the bare import and the command line do without pandas and seaborn too."""
    heavy = "['tensorflow', 'keras']" if "figures" in statement else "['tensorflow', 'keras', 'pandas', 'seaborn', 'matplotlib', 'joblib']"
    code = f"{statement}; import sys; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_no_pickle_and_no_eval() -> None:
    """Data never becomes code."""
    for path in [*STUDY.glob("*.py"), *(ROOT / "scripts").glob("*.py")]:
        tree = ast.parse(path.read_text())
        assert not imports(path) & {"pickle", "dill", "shelve", "marshal", "cloudpickle", "yaml"}, path
        called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        assert not called & {"eval", "exec", "compile"}, path
