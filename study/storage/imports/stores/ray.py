"""Trials of Ray Tune: `params.json`, and `result.json` with a line a result. Needs no library."""

from __future__ import annotations

import json
from pathlib import Path

from study.errors import StudyError, first_line
from study.storage.imports.files import flat
from study.storage.imports.sheets import Sheet


def trial_in(folder: Path) -> list[Sheet]:
    """The rows of the trial in a folder; none where it has no result yet.

    Raises:
        StudyError: a file cannot be read.
    """
    path = folder / "result.json"
    try:
        params = flat(json.loads((folder / "params.json").read_text(encoding="utf-8")))
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [{**params, **flat(json.loads(line))} for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        if isinstance(error, StudyError):
            raise
        raise StudyError(f"{path} cannot be read: {first_line(error)}") from None
    return [Sheet(str(path), rows, one=True)] if rows else []
