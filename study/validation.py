"""Checks of single values that a user gives.

Each function returns the value in its type, or raises a `StudyError`. Its sentence names the field,
the value and what would be right.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from study.errors import StudyError


def sequence(field: str, value: object) -> tuple[Any, ...]:
    """The values of a list, of a text separated by commas, or of a single number.

    >>> sequence("rates", "0.1, 0.2")
    ('0.1', '0.2')
    """
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, Iterable) or isinstance(value, Mapping):
        raise StudyError(f"{field} {value!r} must be a list")
    return tuple(value)


def choice(field: str, value: object, allowed: tuple[str, ...]) -> str:
    """One of the allowed words; the error lists them, and proposes the most similar one."""
    if isinstance(value, str) and value in allowed:
        return value
    close = difflib.get_close_matches(str(value), allowed, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    raise StudyError(f"unknown {field} {value!r}{hint}: one of {', '.join(allowed)}")


def number(field: str, value: object, low: float, high: float, *, inclusive: bool = False) -> float:
    """A number within bounds.

    Args:
        field: what the number is, for the error.
        value: a number, or a text of one.
        low: the lower bound, which is itself allowed only if `inclusive`.
        high: the upper bound, which is allowed.
        inclusive: whether `low` is allowed.

    Raises:
        StudyError: no number, or one out of the bounds.

    >>> number("target", "0.97", 0, 1)
    0.97
    """
    allowed = f"from {low:g} to {high:g}" if inclusive else f"above {low:g}, at most {high:g}"
    try:
        if isinstance(value, bool) or not isinstance(value, (str, int, float, np.number)):
            raise ValueError
        result = float(value)
    except (ValueError, OverflowError):
        raise StudyError(f"{field} {value!r} must be a number {allowed}") from None
    if not (low < result <= high or (inclusive and result == low)):
        given = f"{value!r} must be a number" if inclusive else f"{value} must be"
        raise StudyError(f"{field} {given} {allowed}")
    return result + 0.0  # -0.0 becomes 0.0


def integer(field: str, value: object, low: int, high: int) -> int:
    """A whole number from `low` to `high`, given as a number or as its digits."""
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


def home(path: str | Path) -> Path:
    """A path in which `~` and `~NAME` stand for a home folder.

    Raises:
        StudyError: that home folder is not known; a folder named `~` is seldom meant.
    """
    found = Path(os.path.expanduser(path))
    if str(found).startswith("~"):
        raise StudyError(
            f"{path}: the home folder is not known here: write the path without ~, or ./ before it"
        )
    return found


def flag(field: str, value: object) -> bool:
    """A truth value, given as one or as the word `true` or `false`."""
    if isinstance(value, bool):
        return value
    if value not in ("true", "false"):
        raise StudyError(f"{field} {value!r} must be true or false")
    return value == "true"
