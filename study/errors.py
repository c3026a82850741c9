"""Errors that a user can correct, and a stop that was asked for."""

from __future__ import annotations


class StudyError(ValueError):
    """Bad input, or a state that the user can correct.

    The text is one sentence, which names the value and what would be right.
    """


class Terminated(BaseException):
    """The process was asked to end, by SIGTERM."""


def first_line(error: Exception) -> str:
    """The first line of an error's text that is not blank, else the name of its kind."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
