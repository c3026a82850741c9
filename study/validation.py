"""Checks of single values: what a user may give, and one sentence where it is something else."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from study.errors import StudyError


def sequence(field: str, value: object) -> tuple[Any, ...]:
    """The values of a list, or of a text separated by commas."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, Iterable) or isinstance(value, Mapping):
        raise StudyError(f"{field} {value!r} must be a list")
    return tuple(value)


def choice(field: str, value: object, allowed: tuple[str, ...]) -> str:
    """`value` if it is one of `allowed`, else a `StudyError` that lists them and guesses what was
    meant.
    """
    if isinstance(value, str) and value in allowed:
        return value
    close = difflib.get_close_matches(str(value), allowed, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    raise StudyError(f"unknown {field} {value!r}{hint}: one of {', '.join(allowed)}")


def number(field: str, value: object, low: float, high: float) -> float:
    """`value` as a float in (low, high], else a `StudyError`."""
    try:
        if isinstance(value, bool) or not isinstance(value, (str, int, float, np.number)):
            raise ValueError
        result = float(value)
    except (ValueError, OverflowError):
        raise StudyError(
            f"{field} {value!r} must be a number above {low:g}, at most {high:g}"
        ) from None
    if not low < result <= high:
        raise StudyError(f"{field} {value} must be above {low:g}, at most {high:g}")
    return result


def integer(field: str, value: object, low: int, high: int) -> int:
    """`value`, a whole number or its digits, as an int in [low, high], else a `StudyError`."""
    whole = (
        int(value)
        if isinstance(value, np.integer)
        or (isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value))
        else value
    )
    if isinstance(whole, bool) or not isinstance(whole, int) or not low <= whole <= high:
        raise StudyError(
            f"{field} {value if isinstance(value, (int, float)) else repr(value)} must be a "
            f"whole number from {low} to {high}"
        )
    return whole


def share(field: str, value: object) -> float:
    """`value` as a float in [0, 1], else a `StudyError`."""
    try:
        result = number(field, value, low=-1, high=1)
    except StudyError:
        result = -1.0
    if result < 0:
        raise StudyError(f"{field} {value!r} must be a number from 0 to 1")
    return abs(result)


def flag(field: str, value: object) -> bool:
    """`value` if it is a truth value, or the one that the word names, else a `StudyError`."""
    if isinstance(value, bool):
        return value
    if value not in ("true", "false"):
        raise StudyError(f"{field} {value!r} must be true or false")
    return value == "true"
