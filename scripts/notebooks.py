"""Execute the notebooks and store what they show.

    .venv/bin/python scripts/notebooks.py [NOTEBOOK ...]

Each runs in a folder of its own that is deleted. What goes to standard error is left out: it tells
of the machine, and of progress.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import nbclient
import nbformat
from traitlets.config import Config

ROOT = Path(__file__).parents[1]


def execute(path: Path) -> None:
    """Execute a notebook in place; an error ends it, and the file stays as it is."""
    notebook: Any = nbformat.read(path, as_version=4)
    metadata = notebook.metadata.copy()
    with tempfile.TemporaryDirectory() as folder:
        config = Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}})
        resources = {"metadata": {"path": folder}}
        nbclient.NotebookClient(
            notebook, config=config, record_timing=False, resources=resources
        ).execute()
    notebook.metadata = metadata  # not the version of this Python
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    nbformat.write(notebook, path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK")
    named = parser.parse_args().notebooks
    os.environ["PYTHONPATH"] = str(ROOT)
    for path in named or sorted((ROOT / "notebooks").glob("*.ipynb")):
        print(path, flush=True)
        execute(path)


if __name__ == "__main__":
    main()
