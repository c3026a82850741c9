"""Trials of Lightning's CSVLogger: `metrics.csv`, and the settings in `hparams.yaml` beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from study.storage.imports.files import read_file
from study.storage.imports.sheets import Sheet

LINE = re.compile(r"([A-Za-z_][\w./-]*):\s+(.+?)\s*")
"""A line of a setting; what is set in, or spans lines, is no number and no name."""


def trial_in(folder: Path) -> list[Sheet]:
    """The rows of the trial in a folder.

    Raises:
        StudyError: a file cannot be read.
    """
    sheet = read_file(folder / "metrics.csv", {})
    settings = {f"hparams/{name}": value for name, value in _settings(folder / "hparams.yaml")}
    return [replace(sheet, rows=[{**settings, **row} for row in sheet.rows], one=True)]


def _settings(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        found = LINE.fullmatch(line)
        if found and found[2][0] not in "!&*[{|>":
            yield found[1], found[2].strip("'\"")
