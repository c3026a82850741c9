"""The notebooks: executed as they are committed, and executable from a clean kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient.util import run_sync
from traitlets.config import Config

import study
from study.errors import StudyError
from support.paths import ROOT

pytestmark = pytest.mark.slow

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
STORED_AGAIN = "Run the cell again, and it finds all trials stored."


class Heads(HTMLParser):
    """The texts of a table's column heads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inside, self.found = "", set[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("thead", "tbody"):
            self.inside = tag

    def handle_data(self, data: str) -> None:
        if self.inside == "thead" and data.strip():
            self.found.add(data.strip())


def columns(output: Any) -> set[str]:
    """The columns that an output shows: a table's heads, the names of types, the head of a CSV.

    >>> from nbformat.v4 import new_output
    >>> columns(new_output("stream", text="id,rate\\n1,0.1\\n")) == {"id", "rate"}
    True
    """
    data = output.get("data", {})
    if "text/html" in data:
        return Heads(data["text/html"]).found
    text = data.get("text/plain", output.get("text", ""))
    if text.endswith("dtype: object"):
        return {line.split()[0] for line in text.splitlines()[:-1]}
    first = text.partition("\n")[0]
    return set(first.split(",")) if re.fullmatch(r"\w+(,\w+)+", first) else set()


def shown(notebook: Any) -> list[set[str]]:
    """The columns that each cell shows."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [set[str]().union(*map(columns, cell.outputs)) for cell in cells]


def test_the_notebooks_are_there() -> None:
    """In the order in which they are read; the first page leads to each."""
    names = (
        "01-reproduce-the-valley 02-size-and-time 03-read-your-own-results "
        "04-find-a-rate-for-your-model 05-schedules-and-cycles"
    )
    last = ("06-population", "07-your-own-model")
    assert [path.stem for path in NOTEBOOKS] == [*names.split(), *last]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"(notebooks/{path.name})" in readme for path in NOTEBOOKS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_executed_and_small(path: Path) -> None:
    """In order, without errors or warnings, in less than half a megabyte."""
    notebook: Any = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [
        output
        for output in outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    ]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert path.stat().st_size < 500_000


LESS = {
    "x_train[:12_000]": "x_train[:1_200]",
    "y_train[:12_000]": "y_train[:1_200]",
    "ready=50, rounds=12": "ready=5, rounds=2",
    'study.preset("smoke"), out': 'study.preset("smoke").with_(rates=(0.03,)), out',
    'rates="1e-4:1:7"': 'rates="1e-3:0.1:3"',
    "with_(schedule": 'with_(optimizers=("sgd",), rates=(0.03,), schedule',
}
"""What the test trains less than the reader: it looks at the columns, not at the numbers."""


def shortened(source: str) -> str:
    """A cell that trains less."""
    for written, less in LESS.items():
        source = source.replace(written, less)
    return source


def repeat(notebook: Any) -> None:
    """Put a cell of which the text before it says so behind itself, to be executed again."""
    cells = notebook.cells
    for place in reversed(range(1, len(cells))):
        if STORED_AGAIN in " ".join(cells[place - 1].source.split()):
            cells.insert(place + 1, nbformat.v4.new_code_cell(cells[place].source))


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A kernel for all notebooks, each of which begins without a name and without a setting: what
    takes long is to import TensorFlow, and nothing else is left of the one before.
    """
    home = tmp_path_factory.mktemp("kernel")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
            patch.setenv(name, str(home / name))
        patch.setenv("PYTHONPATH", str(FOLDER.parent))
        config = Config({"KernelManager": {"transport": "ipc", "ip": str(home / "kernel")}})
        manager: Any = AsyncKernelManager(kernel_name="python3", config=config)
        run_sync(manager.start_kernel)(cwd=str(home))
        yield manager
        run_sync(manager.shutdown_kernel)(now=True)


CLEAN = """
%reset -f
import os, sys
import matplotlib, pandas
os.chdir({folder!r})
matplotlib.rcdefaults()
pandas.reset_option("display.max_colwidth")
for name in [name for name in sys.modules if name.split(".")[0] == "study"]:
    del sys.modules[name]
%reset -f
"""
"""The first cell: of another notebook no name is left, no setting, no module of the package."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_a_clean_kernel(path: Path, tmp_path: Path, kernel: Any) -> None:
    """In another folder; it shows the columns that it is committed with, and nothing is written
    beside it.
    """
    before = sorted(FOLDER.iterdir())
    committed = shown(nbformat.read(path, as_version=4))
    notebook: Any = nbformat.read(path, as_version=4)
    repeat(notebook)
    for cell in notebook.cells:
        cell.source = shortened(cell.source)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(CLEAN.format(folder=str(tmp_path))))
    client = nbclient.NotebookClient(notebook, km=kernel, timeout=240)
    try:
        client.execute()
    finally:
        client.kc.stop_channels()
    del notebook.cells[0]
    assert sorted(FOLDER.iterdir()) == before
    assert shown(notebook)[: len(committed)] == committed
    for once, again in zip(notebook.cells, notebook.cells[1:], strict=False):
        if once.source == again.source:  # the same seconds: nothing was trained again
            assert [each.data for each in once.outputs] == [each.data for each in again.outputs]


def test_what_is_shortened_stands_in_a_notebook() -> None:
    """So no replacement is left behind."""
    books: list[Any] = [nbformat.read(path, as_version=4) for path in NOTEBOOKS]
    texts = " ".join(cell.source for book in books for cell in book.cells)
    assert all(written in texts for written in LESS)


def test_one_notebook_trains_and_says_that_it_is_stored() -> None:
    """Its cell is the one that is executed again."""
    books: list[Any] = [nbformat.read(path, as_version=4) for path in NOTEBOOKS]
    counts = [len(book.cells) for book in books]
    for book in books:
        repeat(book)
    grown = [len(book.cells) - count for book, count in zip(books, counts, strict=True)]
    assert grown == [1, 0, 0, 0, 0, 0, 0]


def test_results_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the package; a name that is not there, and a package alone, are sentences."""
    monkeypatch.chdir(tmp_path)
    assert len(study.load(study.results("amd-epyc-2-cores/quick-reference"))) > 0
    with pytest.raises(StudyError, match=r"the repository has no results 'amd/nothing'"):
        study.results("amd/nothing")
    monkeypatch.setattr(study, "__file__", str(tmp_path / "study" / "__init__.py"))
    with pytest.raises(StudyError, match="installed without the repository"):
        study.results("amd-epyc-2-cores/quick-reference")
