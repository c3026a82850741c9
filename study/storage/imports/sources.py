"""What is found under the paths that a user names: files, folders of files, stores of tools."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.storage.imports.columns import USUAL, plain
from study.storage.imports.files import KINDS, read_file
from study.storage.imports.names import READ, compiled, settings_in
from study.storage.imports.sheets import Sheet
from study.storage.imports.stores import store_at, store_in
from study.validation import home


@dataclass(frozen=True)
class Sources:
    """What was found.

    Args:
        sheets: the rows.
        others: files that hold nothing of the kind, and why.
    """

    sheets: tuple[Sheet, ...]
    others: tuple[str, ...]


def read(paths: Iterable[str | Path], names: str | None = None) -> Sources:
    """The rows of files, and of those in folders.

    Args:
        paths: files and folders.
        names: a pattern of the names that carry settings; files in a folder that do not fit it are
            left out.

    Raises:
        StudyError: a path that is not there or cannot be read, or no rows anywhere.
    """
    if names is not None:
        compiled(names)
    sheets: list[Sheet] = []
    others: list[str] = []
    for path in map(home, paths):
        if path.is_dir():
            _of_folder(path, names, sheets, others)
        elif path.exists():
            if (of_store := store_at(path)) is not None:
                sheets.extend(of_store)
                continue
            settings = _settings(path, names)
            if settings is None:
                raise StudyError(f"the name of {path} does not fit --names {names!r}")
            sheets.append(read_file(path, settings))
        else:
            raise StudyError(f"no file or folder {path}")
    if not sheets:
        listed = f" ({others[0]})" if others else ""
        raise StudyError(f"nothing to import in {', '.join(map(str, paths))}{listed}")
    return Sources(tuple(sheets), tuple(others))


def _settings(path: Path, names: str | None) -> dict[str, Any] | None:
    """What a file's name tells; other words than settings name the trial."""
    if names is None:
        return {}
    found = settings_in(path, names)
    if found is None:
        return None
    return {role: value for role, value in found.items() if role in READ}


def _of_folder(folder: Path, names: str | None, sheets: list[Sheet], others: list[str]) -> None:
    """Add what is under a folder: its files, and the stores of tools in it."""
    for place, inside, files in os.walk(folder):
        inside[:] = sorted(name for name in inside if not name.startswith("."))
        here = Path(place)
        if names is None and (of_store := store_in(here, files)) is not None:
            sheets.extend(of_store)
            inside.clear()
            continue
        for path in (here / name for name in sorted(files)):
            if path.suffix.lower() in KINDS and not path.name.startswith("."):
                _of_file(path, names, sheets, others)


def _of_file(path: Path, names: str | None, sheets: list[Sheet], others: list[str]) -> None:
    """Add what is in a file of a folder."""
    settings = _settings(path, names)
    if settings is None:
        others.append(f"{path} does not fit --names")
        return
    try:
        sheet = read_file(path, settings)
    except StudyError as error:
        if settings:  # its name says that it is one of the trials
            raise
        others.append(str(error))
        return
    if "rate" in sheet.settings or any(plain(name) in USUAL["rate"] for name in sheet.columns):
        sheets.append(sheet)
    else:
        others.append(f"{path} has no column of the learning rate")
