"""What the site adds to docs/: it mirrors the repository, so that links work in both places.

Pages keep their paths in the repository (README.md, study/spec/README.md, docs/...). Notebooks
become pages, with their stored outputs. The command line is described from its own definition.
"""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (
    "*.md",
    "LICENSE",
    "docs/**/*.md",
    "docs/style.css",
    "study/*/README.md",
    "examples/README.md",
    "examples/*/*.py",
    "examples/*/*.sh",
    "results/**/*.png",
    "results/*/report.html",
)
COMMANDS = "docs/reference/commands.md"
DESCRIBE = (sys.executable, "-m", "typer", "study.cli.main", "utils", "docs", "--name", "study")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace the files of docs/ by those of the repository that belong to the site."""
    for file in [file for file in files if file.src_dir == config.docs_dir]:
        files.remove(file)
    for path in sorted({path for pattern in SOURCES for path in ROOT.glob(pattern)}):
        name = path.relative_to(ROOT).as_posix()
        files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for name, content in notebook_files(path):
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Describe the commands; let links to notebooks lead to their pages."""
    if page.file.src_uri == COMMANDS:
        markdown += described_commands()
    return re.sub(r"\.ipynb(?=\))", ".md", markdown)


def described_commands() -> str:
    """Every command with its arguments and options, as the program itself knows them."""
    text = subprocess.run(DESCRIBE, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    body = text.partition("\n")[2]  # the page has a title of its own
    return re.sub(r"(`[^`]*`)|<", lambda found: found[1] or "&lt;", body)


def notebook_files(path: Path) -> Iterator[tuple[str, str | bytes]]:
    """A notebook as a page of Markdown, and the pictures of the page; names and contents."""
    notebook: Any = nbformat.read(path, as_version=4)
    parts: list[str] = []
    pictures = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for output in cell.outputs:
            data = output.get("data", {"text/plain": output.get("text", "")})
            if "image/png" in data:
                name = f"{path.stem}-{(pictures := pictures + 1)}.png"
                parts.append(f"![Figure {pictures} of this notebook]({name})")
                yield name, base64.b64decode(data["image/png"])
            elif "text/html" in data:
                parts.append(re.sub(r"<style.*?</style>", "", data["text/html"], flags=re.DOTALL))
            else:
                parts.append(f"```text\n{data['text/plain'].rstrip()}\n```")
    yield f"{path.stem}.md", "\n\n".join(parts) + "\n"
