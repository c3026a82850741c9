"""Errors that a user can correct, and a stop that was asked for."""

from __future__ import annotations

import os
from errno import EACCES, EPERM, EROFS
from pathlib import Path


class StudyError(ValueError):
    """Bad input, or a state that the user can correct.

    The text is one sentence, which names the value and what would be right.
    """


class NoMetric(StudyError):
    """A model does not tell the metric that is asked for."""


class Terminated(BaseException):
    """The process was asked to end, by SIGTERM."""


def first_line(error: BaseException) -> str:
    """The first line of an error's text that is not blank, else the name of its kind."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def unwritable(path: Path, error: OSError) -> str:
    """One sentence on a place that cannot be written, and on what to do."""
    folders = path.parents if error.errno in (EACCES, EPERM, EROFS) else (path, *path.parents)
    file = next((each for each in folders if os.path.isfile(each)), None)
    why = error.strerror or error
    return (
        f"cannot write to {path}: {why}; give --out a place that can be written"
        if file is None
        else f"{file} is a file, where a folder is needed: give --out another place"
    )
