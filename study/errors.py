"""What a caller can mend, and a stop that is asked for."""

from __future__ import annotations


class StudyError(ValueError):
    """Bad input or a state that the user can mend: one sentence that names the value and what would
    be right.
    """


class Terminated(BaseException):
    """The process was asked to end (SIGTERM)."""


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
